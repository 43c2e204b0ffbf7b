//! What clients notice, with a scripted upstream in place of GitHub.

mod asking;
mod graphql;
mod limiting;
mod serving;
mod sharing;
mod states;
mod storing;
mod trouble;
mod writing;

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use cache_core::notes::Bell;
use cache_core::testing::{ManualClock, MemoryNetwork};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use super::*;
use crate::credential::PrincipalKey;
use crate::limits::Limits;
use crate::policy::Keeping;
use crate::question::filed_at;
use crate::scope::{Scopes, Sharing};
use crate::stack::{Parts, Stack};
use crate::views::Views;

type Leaf = BoxCloneSyncService<Request<Body>, Response<Body>, UpstreamError>;

/// What an upstream is asked: a whole request, but for its body.
type Asked = Request<()>;

fn parts(clock: &ManualClock, sharing: Sharing) -> Parts {
    Parts {
        cache: Cache::builder().clock(clock.clone()).build(),
        base: Arc::new(BaseUrl::parse("https://api.github.com").unwrap()),
        keeping: Keeping {
            default_ttl: Duration::from_secs(60),
            stale_for: Duration::from_secs(600),
            negative_ttl: None,
            max_entry_bytes: 1000,
            rules: Arc::default(),
        },
        scopes: Scopes::new(
            PrincipalKey::new([7; 32]),
            sharing,
            Views::new(Bell::default()),
        ),
        limits: Limits::new(),
        counters: Arc::default(),
        numbers: crate::numbers::Numbers::new(),
        pace: true,
    }
}

impl Parts {
    /// Shares what is known with the members of a cache.
    fn join(&mut self, cache: Cache) {
        let views = Views::new(cache.bell());
        self.limits = Limits::new().with_bell(cache.bell());
        self.scopes = self.scopes.clone().knowing(views.clone());
        let told = crate::told::Told::share(
            &cache,
            &self.base,
            views,
            self.limits.clone(),
            Arc::default(),
        );
        // For as long as the test runs.
        std::mem::forget(told);
        self.cache = cache;
    }
}

/// A stack over an upstream that answers by a function and keeps what it was asked.
struct Fixture {
    service: Stack<Leaf>,
    cache: Cache,
    asked: Arc<Mutex<Vec<Asked>>>,
    clock: ManualClock,
}

impl Fixture {
    fn new(reply: impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static) -> Self {
        Self::sharing(Sharing::Token, reply)
    }

    fn sharing(
        sharing: Sharing,
        reply: impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        Self::with(sharing, |_| {}, move |asked| Ok(reply(asked)))
    }

    fn with(
        sharing: Sharing,
        change: impl FnOnce(&mut Parts),
        reply: impl Fn(&Asked) -> Result<Response<Body>, UpstreamError> + Send + Sync + 'static,
    ) -> Self {
        let clock = ManualClock::default();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let reply = Arc::new(reply);
        let upstream = {
            let asked = Arc::clone(&asked);
            tower::service_fn(move |request: Request<Body>| {
                let request = request.map(|_| ());
                let answer = reply(&request);
                asked.lock().unwrap().push(request);
                async move { answer }
            })
        };
        let mut parts = parts(&clock, sharing);
        change(&mut parts);
        Self {
            cache: parts.cache.clone(),
            service: parts.over(BoxCloneSyncService::new(upstream)).unwrap(),
            asked,
            clock,
        }
    }

    async fn respond(&self, request: Request<Body>) -> Response<Body> {
        self.service.clone().oneshot(request).await.unwrap()
    }

    async fn send(&self, headers: &[(&str, &str)]) -> Told {
        told_by(self.respond(get("/x", headers)).await).await
    }

    async fn get(&self) -> Told {
        self.get_as("t").await
    }

    async fn get_as(&self, token: &str) -> Told {
        let authorization = format!("token {token}");
        self.send(&[("authorization", &authorization)]).await
    }

    async fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// The values of a header in what upstream was asked, and `-` where there was none.
    fn asked(&self, header: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let values = asked.iter().map(|asked| asked.headers().get(header));
        values
            .map(|value| {
                value
                    .map_or("-", |value| value.to_str().unwrap())
                    .to_owned()
            })
            .collect()
    }
}

/// Members of one fleet, over one upstream that is asked by all of them.
fn members(
    sharing: Sharing,
    reply: impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static,
) -> Vec<Fixture> {
    let network = MemoryNetwork::new(7);
    let clock = ManualClock::default();
    let reply = Arc::new(reply);
    let member = |n| {
        let transport = network.join(&format!("member {n}"));
        let cache = Cache::builder().transport(transport).clock(clock.clone());
        let cache = cache.build();
        let reply = Arc::clone(&reply);
        let fixture = Fixture::with(
            sharing,
            |parts| parts.join(cache),
            move |asked| Ok(reply(asked)),
        );
        Fixture {
            clock: clock.clone(),
            ..fixture
        }
    };
    (0..2).map(member).collect()
}

/// Status, what `Cache-Status` says of us, and body.
type Told = (u16, String, String);

fn get(target: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = headers
        .iter()
        .fold(Request::get(target), |request, (name, value)| {
            request.header(*name, *value)
        });
    request.body(Body::empty()).unwrap()
}

async fn told_by(response: Response<Body>) -> Told {
    let status = response.status().as_u16();
    let cache_status = response.headers()["cache-status"].to_str().unwrap();
    let cache_status = cache_status.trim_start_matches("ghmesh; ").to_owned();
    let decision = response.extensions().get::<Decision>().unwrap();
    assert!(decision.as_cache_status().ends_with(&cache_status));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (
        status,
        cache_status,
        String::from_utf8(body.into()).unwrap(),
    )
}

fn told(status: u16, cache_status: &str, body: &str) -> Told {
    (status, cache_status.to_owned(), body.to_owned())
}

fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<bytes::Bytes>) -> Response<Body> {
    let response = Response::builder().status(status);
    headers
        .iter()
        .fold(response, |response, (name, value)| {
            response.header(*name, *value)
        })
        .body(Body::full(body))
        .unwrap()
}

/// What GitHub does with a body: its tag, and 304 for who names that.
fn github(asked: &Asked, body: &'static str) -> Response<Body> {
    let tag = etag::computed(asked.headers(), body.as_bytes());
    let tag = tag.to_str().unwrap();
    let names_it = asked
        .headers()
        .get("if-none-match")
        .is_some_and(|named| named == tag);
    if names_it {
        answer(304, &[("etag", tag)], "")
    } else {
        answer(200, &[("etag", tag)], body)
    }
}

/// The token of a request.
fn token(asked: &Asked) -> &str {
    let credential = asked.headers().get("authorization");
    credential.map_or("", |value| {
        let words = value.to_str().unwrap().split_once(' ');
        words.map_or("", |(_, token)| token)
    })
}
