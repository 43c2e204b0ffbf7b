//! GitHub Apps and their installations: tokens of the hour, and one principal.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but not in what tests share"
)]

use std::sync::Arc;
use std::time::Duration;

use cache_core::Cache;
use cache_core::testing::{ManualClock, MemoryNetwork};
use gh_client::testing::{App, Fault, StandIn};
use gh_client::{AppKey, Client, Installation, NoToken, PrincipalKey, UpstreamError};
use http::Method;
use octocrab::models::Repository;

const APP: &str = "Iv1.octoapp";
const TOKENS: &str = "/app/installations/7/access_tokens";

/// How long it may take until a member is told. Only a failing test ever waits for so long.
const PATIENCE: Duration = Duration::from_secs(60);

struct Fixture {
    github: StandIn,
    clock: ManualClock,
}

impl Fixture {
    async fn new() -> Self {
        let clock = ManualClock::default();
        let builder = StandIn::builder().clock(Arc::new(clock.clone()));
        let github = builder.start().await.unwrap();
        github.add_app(App::new(APP).installation(7).installation(8));
        github.add_private("octo-org/secret", &["installation 7"]);
        Self { github, clock }
    }

    fn client(&self, cache: cache_core::Builder) -> Client {
        Client::builder(PrincipalKey::new([7; 32]))
            .upstream(self.github.url())
            .build(cache.clock(self.clock.clone()).build())
            .unwrap()
    }

    fn app(&self, key: &str) -> gh_client::App {
        let key = AppKey::new(APP, key).unwrap();
        self.client(Cache::builder()).app(key)
    }

    fn installation(&self) -> Installation {
        self.app(App::KEY).installation(7)
    }

    /// How many tokens were given out.
    fn tokens(&self) -> u64 {
        let calls = self.github.calls();
        calls.of(TOKENS).method(&Method::POST).status(201).total()
    }
}

/// What octocrab's error says of the token that there is not.
fn no_token(error: &octocrab::Error) -> NoToken {
    let octocrab::Error::Service { source, .. } = error else {
        panic!("{error}");
    };
    match source.downcast_ref() {
        Some(UpstreamError::NoToken(why)) => why.clone(),
        _ => panic!("{error}"),
    }
}

#[tokio::test]
async fn an_installation_reads_all_pages_with_one_token() {
    let fixture = Fixture::new().await;
    let octocrab = fixture.installation().octocrab();
    for _ in 0..2 {
        let orgs = octocrab.orgs("octo-org");
        let page = orgs.list_repos().per_page(40).send().await.unwrap();
        let all: Vec<Repository> = octocrab.all_pages(page).await.unwrap();
        assert!(
            all.iter().any(|repo| repo.name == "secret"),
            "a private one"
        );
        assert_eq!(all.len(), 101);
    }
    assert_eq!(fixture.tokens(), 1);
    let calls = fixture.github.calls();
    assert_eq!(calls.clone().by("ghs_7_1").total(), 3);
    assert_eq!(calls.anonymous().total(), 0);
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end_and_what_was_shown_stays_the_installations() {
    let fixture = Fixture::new().await;
    let github = fixture.installation().github();
    github.get_repo("octo-org", "secret").await.unwrap();
    fixture.clock.advance(Duration::from_secs(54 * 60));
    github.get_repo("octo-org", "secret").await.unwrap();
    assert_eq!((fixture.tokens(), fixture.github.calls().total()), (1, 2));

    // A repository is fresh for an hour; the token is renewed five minutes before its own is over.
    fixture.clock.advance(Duration::from_secs(90));
    github.get_repo("octo-org", "secret").await.unwrap();
    assert_eq!((fixture.tokens(), fixture.github.calls().total()), (2, 3));

    // The tag that the first token got says nothing to GitHub now.
    fixture.clock.advance(Duration::from_secs(10 * 60));
    github.get_repo("octo-org", "secret").await.unwrap();
    let second = fixture.github.calls().by("ghs_7_2");
    assert_eq!((second.clone().status(304).total(), second.total()), (1, 1));
}

#[tokio::test]
async fn a_limit_that_is_used_up_is_the_installations_whatever_its_token() {
    let fixture = Fixture::new().await;
    let github = fixture.installation().github();
    github.get_repo("octo-org", "octo-repo-000").await.unwrap();
    assert!(fixture.github.exhaust("ghs_7_1"));
    github
        .get_repo("octo-org", "octo-repo-001")
        .await
        .unwrap_err();
    let sent = fixture.github.calls().of("/repos/*").total();
    // The token is over, and the hour is not.
    fixture.clock.advance(Duration::from_secs(56 * 60));
    github
        .get_repo("octo-org", "octo-repo-002")
        .await
        .unwrap_err();
    assert_eq!(fixture.tokens(), 2);
    assert_eq!(fixture.github.calls().of("/repos/*").total(), sent);
}

#[tokio::test]
async fn whoever_waits_for_a_token_waits_for_the_same() {
    let fixture = Fixture::new().await;
    fixture.github.latency(Duration::from_millis(20));
    let installation = fixture.installation();
    let github = installation.github();
    let names: Vec<String> = (0..8).map(|n| format!("octo-repo-00{n}")).collect();
    let asking = names.iter().map(|name| github.get_repo("octo-org", name));
    for repo in futures::future::join_all(asking).await {
        repo.unwrap();
    }
    assert_eq!(installation.token().await.unwrap().expose(), "ghs_7_1");
    assert_eq!(fixture.tokens(), 1);
}

#[tokio::test]
async fn a_wrong_key_is_said_to_be_one() {
    let fixture = Fixture::new().await;
    let another = include_str!("../../src/app/another.pem");
    let installation = fixture.app(another).installation(7);
    let error = installation.github().get_repo("octo-org", "secret").await;
    let error = error.unwrap_err();
    assert_eq!(
        no_token(&error).status,
        Some(http::StatusCode::UNAUTHORIZED)
    );
    assert!(
        error.to_string().contains(
            "no token for installation 7: GitHub answered 401 (A JSON web token could not be \
             decoded); is the key this App's"
        ),
        "{error}"
    );
    assert_eq!(fixture.github.calls().of("/repos/*").total(), 0);
}

#[tokio::test]
async fn an_installation_that_is_not_there_is_said_not_to_be() {
    let fixture = Fixture::new().await;
    let nowhere = fixture.app(App::KEY).installation(9);
    let why = nowhere.token().await.unwrap_err();
    assert_eq!(
        why.to_string(),
        "no token for installation 9: GitHub answered 404 (Not Found); is the App installed \
         there, and its id right?"
    );
}

#[tokio::test]
async fn a_clock_that_is_off_is_set_by_githubs_and_costs_no_request() {
    for ahead in [true, false] {
        let fixture = Fixture::new().await;
        let github = StandIn::builder().clock(Arc::new(fixture.clock.clone()));
        let github = github.start().await.unwrap();
        github.add_app(App::new(APP).installation(7));
        let off = ManualClock::default();
        let late = if ahead { &off } else { &fixture.clock };
        late.advance(Duration::from_secs(3600));
        let client = Client::builder(PrincipalKey::new([7; 32]))
            .upstream(github.url())
            .build(Cache::builder().clock(off).build())
            .unwrap();
        let app = client.app(AppKey::new(APP, App::KEY).unwrap());
        app.installation(7).token().await.unwrap();
        let calls = github.calls().of(TOKENS);
        assert_eq!(calls.clone().status(401).total(), 1);
        assert_eq!(calls.total(), 2);
    }
}

#[tokio::test]
async fn a_token_that_was_revoked_is_renewed_within_the_request() {
    let fixture = Fixture::new().await;
    let github = fixture.installation().github();
    github.get_repo("octo-org", "secret").await.unwrap();
    assert!(fixture.github.revoke_token("ghs_7_1"));
    github.get_repo("octo-org", "octo-repo-001").await.unwrap();
    assert_eq!(fixture.tokens(), 2);
}

#[tokio::test]
async fn known_things_are_answered_when_github_is_gone_and_the_token_over() {
    let fixture = Fixture::new().await;
    let github = fixture.installation().github();
    github.get_repo("octo-org", "secret").await.unwrap();
    fixture.github.offline();
    fixture.clock.advance(Duration::from_secs(2 * 3600));
    for _ in 0..3 {
        let stale = github.get_repo("octo-org", "secret").await.unwrap();
        assert_eq!(stale.name, "secret");
    }
    // Who has never had a token is shown nothing.
    let newcomer = fixture.installation().token().await.unwrap_err();
    assert_eq!(newcomer.status, None);
    assert!(newcomer.why.contains("cannot reach"), "{newcomer}");
}

#[tokio::test]
async fn a_token_that_cannot_be_had_for_a_moment_is_asked_for_again() {
    let fixture = Fixture::new().await;
    fixture.github.fault(TOKENS, Fault::status(502).times(2));
    let github = fixture.installation().github();
    github.get_repo("octo-org", "secret").await.unwrap();
    assert_eq!(fixture.tokens(), 1);
}

#[tokio::test]
async fn another_installation_sees_nothing_of_it() {
    let fixture = Fixture::new().await;
    let app = fixture.app(App::KEY);
    let theirs = app.installation(7).github();
    theirs.get_repo("octo-org", "secret").await.unwrap();
    let ours = app.installation(8).github();
    let error = ours.get_repo("octo-org", "secret").await.unwrap_err();
    assert!(matches!(error, octocrab::Error::GitHub { source, .. }
        if source.status_code == http::StatusCode::NOT_FOUND));
}

#[tokio::test]
async fn members_that_are_one_installation_share_its_answers_though_not_its_token() {
    let fixture = Fixture::new().await;
    let network = MemoryNetwork::new(7);
    let member = |name| {
        let client = fixture.client(Cache::builder().transport(network.join(name)));
        let key = AppKey::new(APP, App::KEY).unwrap();
        (client.clone(), client.app(key).installation(7).github())
    };
    let (_first, asks_first) = member("first");
    let (_second, asks_next) = member("second");
    asks_first.get_repo("octo-org", "secret").await.unwrap();
    let answered = async {
        asks_next.get_repo("octo-org", "secret").await.unwrap();
    };
    tokio::time::timeout(PATIENCE, answered).await.unwrap();
    assert_eq!(fixture.tokens(), 2);
    assert_eq!(fixture.github.calls().of("/repos/*").total(), 1);
}

#[tokio::test]
async fn an_app_that_asks_as_itself_is_answered_from_the_cache() {
    let fixture = Fixture::new().await;
    let octocrab = fixture.app(App::KEY).octocrab();
    for _ in 0..2 {
        let app = octocrab.apps().get().await.unwrap();
        assert_eq!(app.client_id.as_deref(), Some(APP));
        fixture.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(fixture.github.calls().of("/app").total(), 1);
}

#[tokio::test]
async fn neither_token_nor_key_can_be_seen() {
    let fixture = Fixture::new().await;
    let app = fixture.app(App::KEY);
    let installation = app.installation(7);
    let token = installation.token().await.unwrap();
    let shown = format!(
        "{app:?} {installation:?} {token:?} {:?}",
        installation.octocrab()
    );
    for secret in [token.expose(), "PRIVATE", "MII"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
