//! github.md, "Writes": what is void after one, and what is not.

use std::sync::Arc;

use cache_core::notes::Bell;
use futures::FutureExt;
use tower::ServiceExt;

use super::*;
use crate::credential::PrincipalKey;
use crate::scope::Sharing;
use crate::views::Views;

const HELD: [&str; 12] = [
    "/repos/o/r",
    "/repos/O/R",
    "/repos/o/r/issues",
    "/repos/o/r/issues/7",
    "/repos/o/r/issues/7/comments",
    "/repos/o/r/pulls",
    "/repos/o/r2/issues",
    "/repos/o/other",
    "/repositories/17/issues",
    "/repositories/18/issues",
    "/orgs/o/repos",
    "/user",
];

struct Fixture {
    cache: Cache,
    layer: WritesLayer,
}

impl Fixture {
    fn new() -> Self {
        let cache = Cache::builder().build();
        let base = Arc::new(BaseUrl::parse("https://api.github.com").unwrap());
        let scopes = Scopes::new(
            PrincipalKey::new([7; 32]),
            Sharing::Token,
            Views::new(Bell::default()),
        );
        Self {
            layer: WritesLayer::new(cache.clone(), base, scopes, Numbers::new()),
            cache,
        }
    }

    /// Sends a request that is answered so.
    async fn send(&self, method: &str, path: &str, status: u16, link: &'static str) {
        let upstream = tower::service_fn(move |request: Request<Body>| async move {
            if let Some(sending) = request.extensions().get::<Sending>() {
                sending.begin();
            }
            let response = Response::builder().status(status).header("link", link);
            Ok(response.body(Body::empty()).unwrap())
        });
        let request = Self::request(method, path);
        self.layer.layer(upstream).oneshot(request).await.unwrap();
    }

    fn request(method: &str, path: &str) -> Request<Body> {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", "Bearer t");
        request.body(Body::empty()).unwrap()
    }

    fn file(&self) {
        for held in HELD {
            self.put(filed_at(held), held);
        }
    }

    fn put(&self, path: Path, name: &str) {
        let key = cache_core::Key::public([name]);
        let lifetime = cache_core::Lifetime::fresh_for(std::time::Duration::from_secs(60));
        self.cache
            .put(cache_core::Resource::new(key, path), "x".into(), lifetime);
    }

    async fn void(&self) -> Vec<&'static str> {
        let mut void = Vec::new();
        for held in HELD {
            if self
                .cache
                .peek(&cache_core::Key::public([held]))
                .await
                .is_none()
            {
                void.push(held);
            }
        }
        void
    }
}

#[tokio::test]
async fn a_write_voids_its_path_what_is_below_and_what_is_above_up_to_the_repository() {
    let fixture = Fixture::new();
    let links = "<https://api.github.com/repositories/17/issues?page=2>; rel=\"next\"";
    fixture.send("GET", "/repos/o/r/issues", 200, links).await;
    fixture.file();
    fixture.send("PATCH", "/repos/o/r/issues/7", 200, "").await;
    assert_eq!(
        fixture.void().await,
        [
            "/repos/o/r",
            "/repos/O/R",
            "/repos/o/r/issues",
            "/repos/o/r/issues/7",
            "/repos/o/r/issues/7/comments",
            "/repositories/17/issues",
        ]
    );
}

#[tokio::test]
async fn pages_that_may_be_the_repositorys_are_void_where_its_number_is_not_known() {
    let fixture = Fixture::new();
    fixture.file();
    fixture.send("POST", "/repos/o/r/pulls", 201, "").await;
    assert_eq!(
        fixture.void().await,
        [
            "/repos/o/r",
            "/repos/O/R",
            "/repos/o/r/pulls",
            "/repositories/17/issues",
            "/repositories/18/issues",
        ]
    );
}

#[tokio::test]
async fn what_is_refused_or_only_read_voids_nothing() {
    let fixture = Fixture::new();
    fixture.file();
    for (method, status) in [
        ("GET", 200),
        ("HEAD", 200),
        ("POST", 422),
        ("DELETE", 404),
        ("PUT", 429),
    ] {
        fixture.send(method, "/repos/o/r/issues", status, "").await;
    }
    assert!(fixture.void().await.is_empty());
}

#[tokio::test]
async fn a_write_by_number_voids_what_is_filed_under_the_name() {
    let fixture = Fixture::new();
    let links = "<https://api.github.com/repositories/17/issues?page=2>; rel=\"next\"";
    fixture.send("GET", "/repos/o/r/issues", 200, links).await;
    fixture.file();
    let path = "/repositories/17/issues/7";
    fixture.send("PATCH", path, 200, "").await;
    let void = fixture.void().await;
    assert!(void.contains(&"/repos/o/r/issues/7") && void.contains(&"/repos/o/r/issues"));
    assert!(void.contains(&"/repositories/17/issues"));
    assert!(!void.contains(&"/repos/o/other") && !void.contains(&"/repositories/18/issues"));
    // Of a number that nothing is known of, it may be any.
    fixture.file();
    fixture
        .send("POST", "/repositories/18/issues", 201, "")
        .await;
    let void = fixture.void().await;
    assert!(void.contains(&"/repos/o/other") && void.contains(&"/repositories/18/issues"));
    assert!(!void.contains(&"/orgs/o/repos"));
}

#[tokio::test]
async fn a_write_whose_fate_is_not_known_voids_as_if_it_were_done() {
    let path = "/repos/o/r/issues/7";
    let fixture = Fixture::new();
    fixture.file();
    fixture.send("PATCH", path, 502, "").await;
    assert!(fixture.void().await.contains(&path));

    // The first is lost, the client of the second leaves.
    for is_lost in [true, false] {
        let fixture = Fixture::new();
        fixture.file();
        let upstream = tower::service_fn(move |request: Request<Body>| async move {
            request.extensions().get::<Sending>().unwrap().begin();
            match is_lost {
                true => Err(UpstreamError::Lost),
                false => std::future::pending().await,
            }
        });
        let write = fixture.layer.layer(upstream);
        let answer = write
            .oneshot(Fixture::request("PATCH", path))
            .now_or_never();
        assert_eq!(answer.is_some(), is_lost);
        assert!(fixture.void().await.contains(&path));
    }
}

#[tokio::test]
async fn a_write_and_a_mutation_void_the_principals_graphql_answers() {
    for path in ["/graphql", "/api/graphql", "/repos/o/r/issues"] {
        let fixture = Fixture::new();
        let scopes = &fixture.layer.scopes;
        let credential = |token| {
            let request = Request::get("/x").header("authorization", token);
            Credential::of(&request.body(()).unwrap())
        };
        let mine = scopes.principal(credential("token t").as_ref());
        let theirs = scopes.principal(credential("token u").as_ref());
        fixture.put(graphql_of(mine), "mine");
        fixture.put(graphql_of(theirs), "theirs");
        fixture.file();
        fixture.send("POST", path, 200, "").await;
        let is_held = async |name| {
            fixture
                .cache
                .peek(&cache_core::Key::public([name]))
                .await
                .is_some()
        };
        assert!(!is_held("mine").await && is_held("theirs").await, "{path}");
        assert_eq!(fixture.void().await.is_empty(), path.ends_with("graphql"));
    }
}

#[test]
fn what_lies_above_ends_with_what_it_belongs_to() {
    let of = |path| above(path).collect::<Vec<_>>();
    assert_eq!(
        of("/repos/o/r/issues/7"),
        ["/repos/o/r/issues", "/repos/o/r"]
    );
    assert_eq!(of("/repos/o/r"), [""; 0]);
    assert_eq!(of("/orgs/o/repos"), ["/orgs/o"]);
    assert_eq!(
        of("/user/starred/o/r"),
        ["/user/starred/o", "/user/starred", "/user"]
    );
    assert_eq!(of("/repositories/17/issues"), ["/repositories/17"]);
}
