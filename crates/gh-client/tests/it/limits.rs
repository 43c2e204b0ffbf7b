//! github.md, "Limits", for a fleet: what one runner meets, none goes on to meet.

use std::time::Duration;

use cache_core::Cache;
use cache_core::testing::MemoryNetwork;
use gh_client::testing::{Fault, StandIn};
use gh_client::{Body, Client, PrincipalKey};
use http::{Request, StatusCode};
use tower::ServiceExt;

/// How long it may take until all are told. Only a failing test ever waits for so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runners with a cache each and one token, on one network.
struct Fleet {
    github: StandIn,
    clients: Vec<Client>,
    caches: Vec<Cache>,
}

impl Fleet {
    async fn new() -> Self {
        let github = StandIn::start().await.unwrap();
        let network = MemoryNetwork::new(7);
        let caches: Vec<Cache> = (0..3)
            .map(|n| {
                let transport = network.join(&format!("runner {n}"));
                Cache::builder().transport(transport).build()
            })
            .collect();
        let client = |cache: &Cache| {
            Client::builder(PrincipalKey::new([7; 32]))
                .upstream(github.url())
                .build(cache.clone())
                .unwrap()
        };
        Self {
            clients: caches.iter().map(client).collect(),
            github,
            caches,
        }
    }

    async fn ask(&self, runner: usize, path: &str) -> (StatusCode, String) {
        self.ask_as(StandIn::TOKEN, runner, path).await
    }

    /// A runner asks with this token; the status, and `retry-after`.
    async fn ask_as(&self, token: &str, runner: usize, path: &str) -> (StatusCode, String) {
        let authorization = format!("Bearer {token}");
        let request = Request::get(path).header("authorization", authorization);
        let request = request.body(Body::empty()).unwrap();
        let response = self.clients[runner].clone().oneshot(request).await.unwrap();
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.map_or("", |value| value.to_str().unwrap());
        (response.status(), retry_after.to_owned())
    }

    /// Waits until what a runner has rung for has come to all, for as long as the test may take.
    async fn told(&self, of: impl Fn(&Client) -> bool) {
        let told = async {
            while !self.clients.iter().all(&of) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, told).await.unwrap();
    }
}

#[tokio::test]
async fn when_one_has_used_up_the_window_no_other_sends_anything() {
    let fleet = Fleet::new().await;
    fleet.github.exhaust(StandIn::TOKEN);
    let (status, _) = fleet.ask(0, "/user").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    fleet
        .told(|client| {
            client
                .stats()
                .rate_limits
                .first()
                .is_some_and(|limit| limit.remaining == 0)
        })
        .await;
    let sent = fleet.github.calls().total();
    for runner in 0..3 {
        for n in 0..10 {
            let path = format!("/repos/octo-org/octo-repo-{n:03}?runner={runner}");
            let (status, retry_after) = fleet.ask(runner, &path).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "runner {runner}: {path}");
            assert!((3500..=3600).contains(&retry_after.parse().unwrap()));
        }
    }
    assert_eq!(fleet.github.calls().total(), sent);
}

#[tokio::test]
async fn when_one_was_too_fast_all_wait() {
    let fleet = Fleet::new().await;
    // So that there is something to be seen of the limit before it is met.
    fleet.ask(0, "/user").await;
    let path = "/repos/octo-org/octo-repo-000";
    fleet.github.fault(path, Fault::secondary_limit(60));
    let (status, retry_after) = fleet.ask(0, path).await;
    assert_eq!(
        (status, retry_after.as_str()),
        (StatusCode::FORBIDDEN, "60")
    );
    let sent = fleet.github.calls().total();
    fleet
        .told(|client| {
            let limits = client.stats().rate_limits;
            limits.iter().any(|limit| limit.refused_until.is_some())
        })
        .await;
    for runner in 1..3 {
        let other = format!("/repos/octo-org/octo-repo-00{runner}");
        let (status, retry_after) = fleet.ask(runner, &other).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "runner {runner}");
        assert!((50..=60).contains(&retry_after.parse().unwrap()));
    }
    assert_eq!(fleet.github.calls().total(), sent);
}

#[tokio::test]
async fn another_token_goes_on() {
    const OTHER: &str = "ghp_another0000000000000000000000000000a";
    let fleet = Fleet::new().await;
    let other = gh_client::testing::Token::new(OTHER);
    fleet.github.add_token(other.login("hubot"));
    fleet.github.exhaust(StandIn::TOKEN);
    fleet.ask(0, "/user").await;
    fleet
        .told(|client| !client.stats().rate_limits.is_empty())
        .await;
    let (status, _) = fleet.ask_as(OTHER, 1, "/user").await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn the_fleet_knows_how_often_github_was_asked() {
    let fleet = Fleet::new().await;
    for runner in 0..3 {
        for n in 0..10 {
            let path = format!("/repos/octo-org/octo-repo-{n:03}?runner={runner}");
            fleet.ask(runner, &path).await;
        }
        fleet.ask(runner, "/rate_limit").await;
    }
    let totals = fleet.caches[2].ask_fleet().await.totals();
    let made: u64 = fleet
        .clients
        .iter()
        .map(|client| client.stats().api_calls_made)
        .sum();
    assert_eq!(totals.application["api_calls_made"], made);
    assert_eq!(totals.application["bypassed"], 3);
    assert_eq!(totals.cache.misses, 30);
}

#[tokio::test]
async fn a_304_without_a_credential_is_counted_since_github_charges_it() {
    let fleet = Fleet::new().await;
    for revalidated in [false, true] {
        let request = Request::get("/users/octocat").header("cache-control", "no-cache");
        let request = request.body(Body::empty()).unwrap();
        let response = fleet.clients[0].clone().oneshot(request).await.unwrap();
        let told = response.headers()["cache-status"].to_str().unwrap();
        assert_eq!(told.contains("revalidated"), revalidated);
    }
    let charged = fleet.github.calls().charged().total();
    assert_eq!((fleet.clients[0].stats().api_calls_made, charged), (2, 2));
}
