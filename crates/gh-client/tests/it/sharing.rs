//! github.md, "Who may see an entry", for a fleet: several runners with tokens of their own, and
//! what it costs them.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but not in what tests share"
)]

use std::sync::Arc;
use std::time::Duration;

use cache_core::Cache;
use cache_core::testing::{ManualClock, MemoryNetwork};
use gh_client::testing::{Builder, Fault, StandIn, Token};
use gh_client::{Body, Client, PrincipalKey, Sharing};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tower::ServiceExt;

const REPO: &str = "/repos/octo-org/secret";
const RUNS: &str = "/repos/octo-org/secret/actions/runs";

/// How long it may take until all are told. Only a failing test ever waits for so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Five runners and a stranger, each with a node, a token and a cache of its own.
struct Fleet {
    github: StandIn,
    clients: Vec<Client>,
    caches: Vec<Cache>,
    clock: ManualClock,
}

impl Fleet {
    const STRANGER: usize = 5;

    async fn new(sharing: Sharing) -> Self {
        Self::with(sharing, |github| github).await
    }

    async fn with(sharing: Sharing, change: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = ManualClock::default();
        let builder = StandIn::builder().clock(Arc::new(clock.clone()));
        let github = change(builder).start().await.unwrap();
        for runner in 0..6 {
            github.add_token(Token::new(token(runner)));
        }
        let members: Vec<String> = (0..5).map(token).collect();
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        github.add_private("octo-org/secret", &members);

        let network = MemoryNetwork::new(7);
        let cache = |n: usize| {
            let transport = network.join(&format!("runner {n}"));
            let clock = clock.clone();
            Cache::builder().transport(transport).clock(clock).build()
        };
        let caches: Vec<Cache> = (0..6).map(cache).collect();
        let client = |cache: &Cache| {
            Client::builder(PrincipalKey::new([7; 32]))
                .upstream(github.url())
                .sharing(sharing)
                .build(cache.clone())
                .unwrap()
        };
        Self {
            clients: caches.iter().map(client).collect(),
            github,
            caches,
            clock,
        }
    }

    /// A runner asks with its token, and all are told of what it got.
    async fn ask(&self, runner: usize, path: &str) -> Response<Body> {
        let authorization = format!("Bearer {}", token(runner));
        let request = Request::get(path).header("authorization", authorization);
        let request = request.body(Body::empty()).unwrap();
        let response = self.clients[runner].clone().oneshot(request).await.unwrap();
        let entries = || self.caches.iter().map(|cache| cache.stats().entries);
        let told = async {
            while entries().max() != entries().min() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, told).await.unwrap();
        response
    }

    /// Runs all five once, one after another; tells how each was answered.
    async fn round(&self, path: &str) -> Vec<String> {
        let mut told = Vec::new();
        for runner in 0..5 {
            let response = self.ask(runner, path).await;
            assert_eq!(response.status(), 200, "runner {runner}");
            told.push(cache_status(&response));
        }
        told
    }

    fn charged(&self, runner: usize) -> u64 {
        self.github.calls().by(&token(runner)).charged().total()
    }
}

fn token(runner: usize) -> String {
    format!("ghs_runner{runner}")
}

fn cache_status(response: &Response<Body>) -> String {
    let status = response.headers()["cache-status"].to_str().unwrap();
    status.trim_start_matches("ghmesh; ").to_owned()
}

#[tokio::test]
async fn five_tokens_are_charged_one_call_all_told_and_the_rest_are_304s() {
    let fleet = Fleet::new(Sharing::Token).await;
    let first = fleet.round(REPO).await;
    assert_eq!(first[0], "fwd=uri-miss");
    assert!(
        first[1..]
            .iter()
            .all(|told| told == "hit; detail=revalidated")
    );
    assert!(
        fleet
            .round(REPO)
            .await
            .iter()
            .all(|told| told.starts_with("hit"))
    );
    assert_eq!(fleet.github.calls().total(), 5);
    // An hour later, all over again.
    for _ in 0..2 {
        fleet.clock.advance(Duration::from_secs(3600));
        let again = fleet.round(REPO).await;
        assert!(
            again.iter().all(|told| told == "hit; detail=revalidated"),
            "{again:?}"
        );
    }
    assert_eq!(fleet.github.calls().charged().total(), 1);
    assert_eq!(fleet.github.calls().status(304).total(), 14);
}

#[tokio::test]
async fn five_tokens_at_one_moment_are_charged_at_most_one_call_each() {
    let fleet = Fleet::new(Sharing::Token).await;
    for path in [REPO, RUNS] {
        let asking = (0..5).map(|runner| fleet.ask(runner, path));
        futures::future::join_all(asking).await;
    }
    for _ in 0..3 {
        fleet.clock.advance(Duration::from_secs(30));
        fleet.round(RUNS).await;
    }
    for runner in 0..5 {
        assert!(
            fleet.charged(runner) <= 2,
            "runner {runner}, of two questions"
        );
    }
}

#[tokio::test]
async fn a_sixth_token_without_access_gets_404_and_learns_nothing() {
    for sharing in [Sharing::Token, Sharing::Fleet] {
        let fleet = Fleet::new(sharing).await;
        let before = fleet.ask(Fleet::STRANGER, REPO).await;
        fleet.round(REPO).await;
        let after = fleet.ask(Fleet::STRANGER, REPO).await;
        assert_eq!(
            (before.status(), after.status()),
            (http::StatusCode::NOT_FOUND, before.status())
        );
        let names = |response: &Response<Body>| -> Vec<String> {
            response.headers().keys().map(ToString::to_string).collect()
        };
        assert_eq!(names(&before), names(&after));
        assert_eq!(cache_status(&before), cache_status(&after));
        let body = async |response: Response<Body>| {
            response.into_body().collect().await.unwrap().to_bytes()
        };
        assert_eq!(body(before).await, body(after).await);
        // And the others are not disturbed.
        assert!(
            fleet
                .round(REPO)
                .await
                .iter()
                .all(|told| told.starts_with("hit"))
        );
    }
}

#[tokio::test]
async fn a_fleet_is_charged_one_call_and_each_token_proves_itself_once() {
    let fleet = Fleet::new(Sharing::Fleet).await;
    let first = fleet.round(REPO).await;
    assert_eq!(first[0], "fwd=uri-miss");
    assert!(
        first[1..]
            .iter()
            .all(|told| told == "hit; detail=revalidated")
    );
    // From now on they are one, for whatever is asked.
    let second = fleet.round(RUNS).await;
    assert_eq!(second[0], "fwd=uri-miss");
    assert!(
        second[1..].iter().all(|told| told == "hit; detail=peer"),
        "{second:?}"
    );
    assert_eq!(fleet.github.calls().total(), 6);
    assert_eq!(fleet.github.calls().charged().total(), 2);
}

#[tokio::test]
async fn a_view_that_has_ended_on_one_member_has_ended_on_all() {
    let fleet = Fleet::new(Sharing::Token).await;
    let request = |client: usize, control: &str| {
        let request = Request::get(REPO)
            .header("authorization", format!("Bearer {}", token(1)))
            .header("cache-control", control)
            .body(Body::empty());
        fleet.clients[client].clone().oneshot(request.unwrap())
    };
    fleet.ask(0, REPO).await;
    // The same token on two nodes: on both it has a proof.
    for client in [1, 2] {
        assert_eq!(request(client, "max-age=60").await.unwrap().status(), 200);
        assert_eq!(
            request(client, "only-if-cached").await.unwrap().status(),
            200
        );
    }
    fleet.github.add_private("octo-org/secret", &[&token(0)]);
    assert_eq!(request(1, "no-cache").await.unwrap().status(), 404);
    assert_eq!(request(1, "only-if-cached").await.unwrap().status(), 504);
    let told = async {
        while request(2, "only-if-cached").await.unwrap().status() != 504 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
    assert!(cache_status(&fleet.ask(0, REPO).await).starts_with("hit"));
}

#[tokio::test]
async fn permissions_of_another_token_are_never_shown() {
    let fleet = Fleet::new(Sharing::Token).await;
    fleet.github.add_token(Token::new("ghp_mona").login("mona"));
    let show = async |token: &str| {
        let request = Request::get("/repos/octo-org/octo-repo-000")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::empty());
        let response = fleet.clients[0]
            .clone()
            .oneshot(request.unwrap())
            .await
            .unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        body["permissions"]["admin"].clone()
    };
    for _ in 0..2 {
        assert_eq!(show(StandIn::TOKEN).await, true);
        assert_eq!(show("ghp_mona").await, false);
    }
}

#[tokio::test]
async fn another_formula_costs_each_token_a_call_and_no_wrong_answer() {
    let fleet = Fleet::with(Sharing::Token, Builder::another_etag_formula).await;
    let first = fleet.round(REPO).await;
    assert!(first.iter().all(|told| told == "fwd=uri-miss"), "{first:?}");
    fleet.clock.advance(Duration::from_secs(3600));
    // Each by its own tag, which GitHub still knows.
    let again = fleet.round(REPO).await;
    assert!(
        again.iter().all(|told| told == "hit; detail=revalidated"),
        "{again:?}"
    );
    for runner in 0..5 {
        assert_eq!(fleet.charged(runner), 1);
    }
}

#[tokio::test]
async fn a_refusal_that_another_member_met_is_told_in_githubs_own_words() {
    let fleet = Fleet::new(Sharing::Token).await;
    fleet.github.fault(REPO, Fault::status(500));
    // One token on all nodes: one of them asks for all, and in vain.
    let asking = fleet.clients.iter().map(|client| {
        let authorization = format!("Bearer {}", token(0));
        let request = Request::get(REPO).header("authorization", authorization);
        client.clone().oneshot(request.body(Body::empty()).unwrap())
    });
    for answer in futures::future::join_all(asking).await {
        assert_eq!(answer.unwrap().status(), 500);
    }
}
