//! Who may see what, and how often.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cache_core::{Clock, MeshTime};
use gh_client::testing::{StandIn, Token};
use serde_json::json;

use super::{OCTOCAT, get, get_anonymously, get_with, request, send};

const REPO: &str = "/repos/octo-org/octo-repo-000";

/// A clock that a test moves.
#[derive(Default)]
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> MeshTime {
        MeshTime::from_millis(self.0.load(Ordering::Relaxed) * 1000)
    }
}

#[tokio::test]
async fn tokens_are_taken_in_every_form() {
    let github = StandIn::start().await.unwrap();
    // `printf octocat:ghp_octocat | base64`
    for authorization in [
        "token ghp_octocat",
        "bearer ghp_octocat",
        "Basic b2N0b2NhdDpnaHBfb2N0b2NhdA==",
    ] {
        let answer = get_with(&github, "/user", &[("authorization", authorization)]).await;
        assert_eq!(answer.json()["login"], "octocat", "{authorization}");
    }
}

#[tokio::test]
async fn wrong_and_missing_tokens_are_refused_in_githubs_words() {
    let github = StandIn::start().await.unwrap();
    for authorization in ["Bearer nonsense", "Basic !", "ghp_octocat"] {
        let answer = get_with(&github, REPO, &[("authorization", authorization)]).await;
        assert_eq!(answer.status, 401, "{authorization}");
        assert_eq!(answer.json()["message"], "Bad credentials");
        assert_eq!(answer.header("x-ratelimit-limit"), "60");
    }
    let answer = get_anonymously(&github, "/user").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json()["message"], "Requires authentication");
}

#[tokio::test]
async fn an_installation_has_no_user() {
    let github = StandIn::start().await.unwrap();
    github.add_token(Token::new("ghs_actions"));
    let answer = get_with(&github, "/user", &[("authorization", "token ghs_actions")]).await;

    assert_eq!(answer.status, 403);
    assert!(!answer.headers.contains_key("x-oauth-scopes"));
}

#[tokio::test]
async fn a_private_repository_is_not_there_for_strangers() {
    let github = StandIn::start().await.unwrap();
    github.add_token(Token::new("ghp_mona").login("mona"));
    github.add_private("octo-org/secret", &["ghp_mona"]);
    let mona = ("authorization", "Bearer ghp_mona");

    for path in ["/repos/octo-org/secret", "/repos/octo-org/secret/issues"] {
        assert_eq!(get_with(&github, path, &[mona]).await.status, 200);
        assert_eq!(get(&github, path).await.status, 404);
        assert_eq!(get_anonymously(&github, path).await.status, 404);
    }
    let last = "/orgs/octo-org/repos?per_page=100&page=2";
    assert_eq!(
        get_with(&github, last, &[mona]).await.json()[0]["name"],
        "secret"
    );
    assert_eq!(get(&github, last).await.json(), json!([]));
}

#[tokio::test]
async fn permissions_depend_on_who_asks() {
    let github = StandIn::start().await.unwrap();
    github.add_token(Token::new("ghp_mona").login("mona"));
    let mona = ("authorization", "Bearer ghp_mona");
    let runners = format!("{REPO}/actions/runners");

    assert_eq!(
        get(&github, REPO).await.json()["permissions"]["admin"],
        true
    );
    let hers = get_with(&github, REPO, &[mona]).await.json();
    assert_eq!(hers["permissions"]["admin"], false);
    assert_eq!(get_with(&github, &runners, &[mona]).await.status, 403);
    assert_eq!(get_anonymously(&github, &runners).await.status, 401);
}

#[tokio::test]
async fn who_has_used_up_the_limit_waits_for_its_reset_but_still_gets_304() {
    let clock = Arc::new(Hand(AtomicU64::new(1_800_000_000)));
    let builder = StandIn::builder()
        .clock(Arc::<Hand>::clone(&clock))
        .token(Token::new(StandIn::TOKEN).limit(2));
    let github = builder.start().await.unwrap();

    let first = get(&github, REPO).await;
    assert_eq!(first.header("x-ratelimit-reset"), "1800003600");
    assert_eq!(first.header("date"), "Fri, 15 Jan 2027 08:00:00 GMT");
    get(&github, "/user").await;
    let refused = get(&github, "/user").await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    let message = refused.json()["message"].to_string();
    assert!(message.contains("API rate limit exceeded for user ID"));

    let etag = ("if-none-match", first.header("etag"));
    assert_eq!(get_with(&github, REPO, &[OCTOCAT, etag]).await.status, 304);
    assert_eq!(get(&github, "/rate_limit").await.status, 200);

    clock.0.fetch_add(3600, Ordering::Relaxed);
    let after = get(&github, REPO).await;
    assert_eq!(after.header("x-ratelimit-remaining"), "1");
}

#[tokio::test]
async fn a_write_over_the_limit_is_not_done() {
    let github = StandIn::start().await.unwrap();
    assert!(github.exhaust(StandIn::TOKEN));
    let path = "/repos/octocat/hello-world/issues";
    let post = request(&github, "POST", path, &[OCTOCAT], r#"{"title":"No"}"#);

    assert_eq!(send(post).await.unwrap().status, 403);
    let issue = get_anonymously(&github, &format!("{path}/16")).await;
    assert_eq!(issue.status, 404);
}
