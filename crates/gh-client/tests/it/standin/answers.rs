//! Headers, validators, writes, and what is refused.

use std::io::Read as _;

use flate2::read::GzDecoder;
use gh_client::testing::{Owner, StandIn, Token};
use serde_json::json;

use super::{OCTOCAT, get, get_anonymously, get_with, request, send};

const REPO: &str = "/repos/octo-org/octo-repo-000";

#[tokio::test]
async fn an_answer_has_the_headers_that_github_sends() {
    let github = StandIn::start().await.unwrap();
    let answer = get(&github, REPO).await;

    assert_eq!(answer.status, 200);
    for (name, value) in [
        ("content-type", "application/json; charset=utf-8"),
        ("cache-control", "private, max-age=60, s-maxage=60"),
        ("server", "github.com"),
        ("x-github-media-type", "github.v3; format=json"),
        ("x-github-api-version-selected", "2022-11-28"),
        ("x-oauth-scopes", "gist, read:org, repo, workflow"),
        ("x-ratelimit-limit", "5000"),
        ("x-ratelimit-remaining", "4999"),
        ("x-ratelimit-used", "1"),
        ("x-ratelimit-resource", "core"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    for name in ["date", "etag", "last-modified", "x-github-request-id"] {
        assert!(answer.headers.contains_key(name), "{name}");
    }
    assert!(answer.header("vary").contains("Authorization"));
    assert!((5000..9000).contains(&answer.body.len()));
}

#[tokio::test]
async fn anonymous_answers_are_public() {
    let github = StandIn::start().await.unwrap();
    let answer = get_anonymously(&github, REPO).await;

    assert_eq!(
        answer.header("cache-control"),
        "public, max-age=60, s-maxage=60"
    );
    assert!(!answer.header("vary").contains("Authorization"));
    assert_eq!(answer.header("x-ratelimit-limit"), "60");
    assert!(answer.json().get("permissions").is_none());
}

#[tokio::test]
async fn a_known_answer_is_304_and_free_for_who_sends_a_token() {
    let github = StandIn::start().await.unwrap();
    let first = get(&github, REPO).await;

    for condition in [
        ("if-none-match", first.header("etag").to_owned()),
        ("if-none-match", format!("W/{}", first.header("etag"))),
        (
            "if-modified-since",
            first.header("last-modified").to_owned(),
        ),
    ] {
        let again = get_with(&github, REPO, &[OCTOCAT, (condition.0, &condition.1)]).await;
        assert_eq!(again.status, 304, "{condition:?}");
        assert!(again.body.is_empty());
        assert_eq!(again.header("etag"), first.header("etag"));
        assert_eq!(again.header("x-ratelimit-used"), "1");
        assert!(!again.headers.contains_key("content-type"));
    }
    assert_eq!(github.calls().status(304).total(), 3);
    assert_eq!(github.calls().charged().total(), 1);
}

#[tokio::test]
async fn an_anonymous_304_is_not_free() {
    let github = StandIn::start().await.unwrap();
    let first = get_anonymously(&github, REPO).await;
    let etag = ("if-none-match", first.header("etag"));
    let again = get_with(&github, REPO, &[etag]).await;

    assert_eq!(again.status, 304);
    assert_eq!(again.header("x-ratelimit-used"), "2");
}

#[tokio::test]
async fn another_tokens_etag_is_not_ones_own() {
    let github = StandIn::start().await.unwrap();
    github.add_token(Token::new("ghp_other"));
    let first = get(&github, REPO).await;
    let other = ("authorization", "Bearer ghp_other");
    let etag = ("if-none-match", first.header("etag"));
    let second = get_with(&github, REPO, &[other, etag]).await;

    assert_eq!(second.status, 200);
    assert_eq!(second.body, first.body);
    assert_ne!(second.header("etag"), first.header("etag"));
}

#[tokio::test]
async fn a_compressed_answer_has_the_weak_form_of_the_same_tag() {
    let github = StandIn::start().await.unwrap();
    let plain = get(&github, REPO).await;
    let gzip = get_with(&github, REPO, &[OCTOCAT, ("accept-encoding", "gzip")]).await;

    let mut body = Vec::new();
    GzDecoder::new(&*gzip.body).read_to_end(&mut body).unwrap();
    assert_eq!(gzip.header("content-encoding"), "gzip");
    assert_eq!(body, plain.body);
    assert_eq!(gzip.header("etag"), format!("W/{}", plain.header("etag")));
}

#[tokio::test]
async fn curl_gets_indented_json_under_the_same_tag() {
    let github = StandIn::start().await.unwrap();
    let plain = get_anonymously(&github, REPO).await;
    let mut asked = request(&github, "GET", REPO, &[], "");
    asked
        .headers_mut()
        .insert("user-agent", "curl/8.0".parse().unwrap());
    let curl = send(asked).await.unwrap();

    assert!(curl.body.starts_with(b"{\n  \""));
    assert_eq!(curl.json(), plain.json());
    assert_eq!(curl.header("etag"), plain.header("etag"));
}

#[tokio::test]
async fn what_is_not_there_is_404_as_github_says_it() {
    let github = StandIn::start().await.unwrap();
    for path in [
        "/nothing",
        "/repos/octo-org/none",
        "/orgs/octocat",
        "/user/",
    ] {
        let answer = get(&github, path).await;
        let expected = if path == "/user/" { 200 } else { 404 };
        assert_eq!(answer.status, expected, "{path}");
    }
    let answer = get(&github, "/nothing").await;
    assert_eq!(
        answer.json(),
        json!({
            "message": "Not Found",
            "documentation_url": "https://docs.github.com/rest",
            "status": "404",
        })
    );
}

#[tokio::test]
async fn writes_are_checked_as_github_checks_them() {
    let github = StandIn::start().await.unwrap();
    let path = "/repos/octo-org/octo-repo-000/issues";
    let post = async |headers: &[(&str, &str)], body| {
        let answer = send(request(&github, "POST", path, headers, body)).await;
        answer.unwrap()
    };

    assert_eq!(post(&[], r#"{"title":"x"}"#).await.status, 401);
    assert_eq!(post(&[OCTOCAT], "nonsense").await.status, 400);
    let missing = post(&[OCTOCAT], "{}").await;
    assert_eq!(missing.status, 422);
    assert_eq!(missing.json()["errors"][0]["code"], "missing_field");
    let created = post(&[OCTOCAT], r#"{"title":"x"}"#).await;
    assert_eq!(created.status, 201);
    let at = format!("{}{path}/16", github.url());
    assert_eq!(created.header("location"), at);
}

#[tokio::test]
async fn a_write_changes_the_repository_that_it_is_in() {
    let github = StandIn::start().await.unwrap();
    let before = get(&github, REPO).await;
    let path = format!("{REPO}/issues");
    let post = request(&github, "POST", &path, &[OCTOCAT], r#"{"title":"x"}"#);
    send(post).await.unwrap();

    let since = ("if-modified-since", before.header("last-modified"));
    assert_eq!(get_with(&github, REPO, &[OCTOCAT, since]).await.status, 200);
}

#[tokio::test]
async fn a_touch_changes_the_body_and_its_validators() {
    let github = StandIn::start().await.unwrap();
    for path in [
        REPO.to_owned(),
        format!("{REPO}/issues/1"),
        format!("{REPO}/pulls/13"),
        "/users/octocat".to_owned(),
        "/orgs/octo-org".to_owned(),
    ] {
        let before = get(&github, &path).await;
        github.touch(&path);
        let after = get(&github, &path).await;
        assert_ne!(before.body, after.body, "{path}");
        assert_ne!(before.header("etag"), after.header("etag"), "{path}");
        assert_ne!(
            before.header("last-modified"),
            after.header("last-modified"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_prefix_of_ghes_leads_to_the_same_things() {
    let github = StandIn::start().await.unwrap();
    let answer = get(&github, &format!("/api/v3{REPO}/actions/runs?per_page=1")).await;

    assert_eq!(answer.json()["total_count"], 45);
    let next = format!("<{}/api/v3/repositories/", github.url());
    assert!(answer.header("link").starts_with(&next));
    assert_eq!(github.calls().of(&format!("{REPO}/*")).total(), 1);
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let github = StandIn::start().await.unwrap();
    let get = get(&github, REPO).await;
    let head = send(request(&github, "HEAD", REPO, &[OCTOCAT], "")).await;
    let head = head.unwrap();

    assert!(head.body.is_empty());
    assert_eq!(head.header("etag"), get.header("etag"));
    assert_eq!(head.header("content-length"), get.header("content-length"));
}

#[tokio::test]
async fn a_request_has_to_say_what_it_is_from() {
    let github = StandIn::start().await.unwrap();
    let mut asked = request(&github, "GET", REPO, &[OCTOCAT], "");
    asked.headers_mut().remove("user-agent");
    let answer = send(asked).await.unwrap();

    assert_eq!(answer.status, 403);
    assert!(answer.body.starts_with(b"\r\nRequest forbidden"));
}

#[tokio::test]
async fn what_the_api_cannot_give_is_refused() {
    let github = StandIn::start().await.unwrap();
    let version = ("x-github-api-version", "1999-01-01");
    assert_eq!(get_with(&github, REPO, &[version]).await.status, 400);
    assert_eq!(
        get_with(&github, REPO, &[("accept", "text/html")])
            .await
            .status,
        415
    );
    for accept in [
        "",
        "*/*",
        "application/json",
        "application/vnd.github.v3+json, */*;q=0.5",
    ] {
        let answer = get_with(&github, REPO, &[("accept", accept)]).await;
        assert_eq!(answer.status, 200, "{accept}");
    }
}

#[tokio::test]
async fn content_is_what_the_builder_was_told() {
    let builder = StandIn::builder()
        .owner(Owner::org("acme").repositories(3, "service"))
        .owner(Owner::user("mona").repository("dotfiles"))
        .anonymous_limit(1000);
    let github = builder.start().await.unwrap();

    let repos = get_anonymously(&github, "/orgs/acme/repos").await;
    assert_eq!(repos.json().as_array().unwrap().len(), 3);
    assert_eq!(repos.header("x-ratelimit-limit"), "1000");
    let repos = get_anonymously(&github, "/users/MONA/repos").await;
    assert_eq!(repos.json()[0]["full_name"], "mona/dotfiles");
    assert_eq!(get_anonymously(&github, "/orgs/octo-org").await.status, 404);
}

#[tokio::test]
async fn a_run_has_a_workflow_and_jobs() {
    let github = StandIn::start().await.unwrap();
    let actions = "/repos/octocat/hello-world/actions";
    let runs = get(
        &github,
        &format!("{actions}/runs?status=failure&per_page=1"),
    )
    .await;
    let run = &runs.json()["workflow_runs"][0];
    let id = run["id"].as_u64().unwrap();

    let jobs = get(&github, &format!("{actions}/runs/{id}/jobs"))
        .await
        .json();
    assert_eq!(jobs["total_count"], 1);
    assert_eq!(jobs["jobs"][0]["run_id"], id);
    assert_eq!(jobs["jobs"][0]["conclusion"], "failure");
    let artifacts = get(&github, &format!("{actions}/runs/{id}/artifacts")).await;
    assert_eq!(artifacts.json()["artifacts"], serde_json::json!([]));

    let workflow = run["workflow_id"].as_u64().unwrap();
    let listed = get(&github, &format!("{actions}/workflows")).await.json();
    let by_number = get(&github, &format!("{actions}/workflows/{workflow}"))
        .await
        .json();
    let by_file = get(&github, &format!("{actions}/workflows/ci.yml"))
        .await
        .json();
    assert_eq!(listed["workflows"][0], by_number);
    assert_eq!((&by_number["name"], &by_number), (&run["name"], &by_file));
}
