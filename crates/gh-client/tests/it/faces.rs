//! One stack, three faces.

use cache_core::Cache;
use gh_client::testing::{App, Canned, Fault, StandIn};
use gh_client::{AppKey, Body, Client, GitHub, PrincipalKey};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use octocrab::models::{IssueState, Repository};
use octocrab::{AuthState, params};
use serde_json::json;
use tower::ServiceExt;

use crate::{client, token};

async fn started() -> (StandIn, Client, GitHub) {
    let standin = StandIn::start().await.unwrap();
    let client = client(&standin);
    let github = client.github(Some(&token()));
    (standin, client, github)
}

#[tokio::test]
async fn every_call_of_octocrab_asks_the_cache_first() {
    let (standin, client, _) = started().await;
    for _ in 0..3 {
        let octocrab = client.octocrab(Some(&token()));
        let repo = octocrab
            .repos("octo-org", "octo-repo-001")
            .get()
            .await
            .unwrap();
        assert_eq!(repo.name, "octo-repo-001");
        let issues = octocrab.issues("octo-org", "octo-repo-001");
        let open = issues
            .list()
            .state(params::State::Open)
            .send()
            .await
            .unwrap();
        assert!(
            open.items
                .iter()
                .all(|issue| issue.state == IssueState::Open)
        );
    }
    assert_eq!(standin.calls().total(), 2);
}

#[tokio::test]
async fn octocrab_follows_pages_with_its_credential() {
    let (standin, client, _) = started().await;
    let octocrab = client.octocrab(Some(&token()));
    let page = octocrab
        .orgs("octo-org")
        .list_repos()
        .per_page(40)
        .send()
        .await
        .unwrap();
    let all: Vec<Repository> = octocrab.all_pages(page).await.unwrap();
    assert_eq!(all.len(), 100);
    assert_eq!(standin.calls().by(StandIn::TOKEN).total(), 3);
    assert_eq!(standin.calls().anonymous().total(), 0);
}

#[tokio::test]
async fn repositories_of_an_organization_are_listed_up_to_the_limit() {
    let (standin, _, github) = started().await;
    for (limit, calls) in [(0, 0), (1, 1), (100, 1), (1000, 2)] {
        standin.reset_calls();
        let repos = github.list_repos("octo-org", limit).await.unwrap();
        assert_eq!(repos.len(), limit.min(100));
        assert!(standin.calls().total() <= calls, "limit {limit}");
    }
}

#[tokio::test]
async fn repositories_of_a_user_are_listed_where_there_is_no_such_organization() {
    let (_standin, _, github) = started().await;
    let repos = github.list_repos("octocat", 100).await.unwrap();
    assert!(repos.iter().any(|repo| repo.name == "hello-world"));
    let nobody = github.list_repos("nobody-at-all", 100).await;
    assert!(matches!(nobody, Err(octocrab::Error::GitHub { .. })));
}

#[tokio::test]
async fn runs_and_runners_are_typed() {
    let (_standin, _, github) = started().await;
    let runs = github
        .list_workflow_runs("octo-org", "octo-repo-000", 10)
        .await
        .unwrap();
    let run = github
        .get_workflow_run("octo-org", "octo-repo-000", runs[0].id)
        .await
        .unwrap();
    assert_eq!(run.id, runs[0].id);
    let failed = github
        .list_failed_runs("octo-org", "octo-repo-000", 10)
        .await
        .unwrap();
    assert!(
        failed
            .iter()
            .all(|run| run.conclusion.as_deref() == Some("failure"))
    );
    assert!(!failed.is_empty());
    let runners = github
        .list_runners("octo-org", "octo-repo-000", 10)
        .await
        .unwrap();
    assert!(!runners.is_empty());
}

#[tokio::test]
async fn a_name_cannot_lead_to_another_path() {
    let (standin, _, github) = started().await;
    assert!(github.get_repo("octo-org", "../../user").await.is_err());
    assert!(
        github
            .get_repo("octo-org", "octo-repo-000?x=y")
            .await
            .is_err()
    );
    assert_eq!(standin.calls().of("/user").total(), 0);
}

#[tokio::test]
async fn an_error_of_github_is_octocrabs_error() {
    let (standin, client, _) = started().await;
    standin.fault("/user", Fault::status(500));
    let error = client
        .octocrab(Some(&token()))
        .current()
        .user()
        .await
        .unwrap_err();
    assert!(matches!(error, octocrab::Error::GitHub { source, .. }
        if source.status_code == StatusCode::INTERNAL_SERVER_ERROR));
}

#[tokio::test]
async fn the_service_answers_with_how_it_did() {
    let (_standin, client, _) = started().await;
    let mut told = Vec::new();
    for _ in 0..2 {
        let request = Request::get("/users/octocat").body(Body::empty()).unwrap();
        let response = client.clone().oneshot(request).await.unwrap();
        told.push(response.headers()["cache-status"].clone());
        assert!(response.headers().contains_key("x-ratelimit-remaining"));
        assert!(
            !response
                .into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
                .is_empty()
        );
    }
    assert_eq!(told, ["ghmesh; fwd=uri-miss", "ghmesh; hit"]);
    let stats = client.stats();
    assert_eq!(stats.api_calls_made, 1);
    assert_eq!(stats.rate_limits[0].principal, "public");
    assert_eq!(stats.rate_limits[0].remaining, 59);
}

#[tokio::test]
async fn issues_pulls_and_commits_are_typed() {
    let (_standin, _, github) = started().await;
    let (owner, repo) = ("octo-org", "octo-repo-000");
    let issues = github.list_issues(owner, repo, 5).await.unwrap();
    assert_eq!(issues.len(), 5);
    let issue = github.get_issue(owner, repo, issues[0].number).await;
    assert_eq!(issue.unwrap().id, issues[0].id);
    let pulls = github.list_pulls(owner, repo, 100).await.unwrap();
    let pull = github.get_pull(owner, repo, pulls[0].number).await.unwrap();
    assert_eq!(pull.id, pulls[0].id);
    let commit = github.get_commit(owner, repo, "main").await.unwrap();
    let same = github.get_commit(owner, repo, &commit.sha).await.unwrap();
    assert_eq!(same.sha, commit.sha);
}

#[tokio::test]
async fn what_the_stand_in_does_not_have_is_asked_for_where_github_has_it() {
    let (standin, _, github) = started().await;
    let (owner, repo) = ("octo-org", "octo-repo-000");
    let below = |path: &str| format!("/repos/octo-org/octo-repo-000/{path}");
    let empty = || Canned::new(200).json(&json!([]));
    for path in ["issues/1/comments", "releases", "branches", "commits"] {
        standin.serve(&below(path), empty());
    }
    standin.serve(&below("contents/docs/a%20file.md?ref=v1"), empty());
    assert!(
        github
            .list_comments(owner, repo, 1, 9)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        github
            .list_releases(owner, repo, 9)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        github
            .list_branches(owner, repo, 9)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        github
            .list_commits(owner, repo, 9)
            .await
            .unwrap()
            .is_empty()
    );
    let content = github
        .get_content(owner, repo, "docs/a file.md", Some("v1"))
        .await;
    assert!(content.unwrap().items.is_empty());
    assert_eq!(
        github
            .get_latest_release(owner, repo)
            .await
            .unwrap()
            .tag_name,
        "v1.2.0"
    );
    assert_eq!(standin.calls().of(&below("releases/latest")).total(), 1);
    assert_eq!(standin.calls().status(200).total(), 6);
}

#[tokio::test]
async fn the_rate_limit_is_never_answered_from_the_cache() {
    let (standin, _, github) = started().await;
    for _ in 0..2 {
        assert_eq!(github.rate_limit().await.unwrap().rate.limit, 5000);
    }
    assert_eq!(standin.calls().of("/rate_limit").total(), 2);
}

#[tokio::test]
async fn credentials_that_octocrab_keeps_for_github_survive_the_pages() {
    let (standin, client, _) = started().await;
    // What an installation of an app does with its token, too.
    let auth = AuthState::AccessToken {
        token: StandIn::TOKEN.into(),
    };
    let octocrab = client.octocrab_as(auth);
    let orgs = octocrab.orgs("octo-org");
    let page = orgs.list_repos().per_page(40).send().await.unwrap();
    let next = page.next.clone().unwrap();
    assert_eq!(next.host(), Some("api.github.com"));
    let all: Vec<Repository> = octocrab.all_pages(page).await.unwrap();
    assert_eq!(all.len(), 100);
    assert_eq!(standin.calls().by(StandIn::TOKEN).total(), 3);
    assert_eq!(standin.calls().anonymous().total(), 0);
}

#[tokio::test]
async fn anonymous_is_a_way_to_ask_too() {
    let (standin, client, _) = started().await;
    let octocrab = client.octocrab_as(AuthState::None);
    octocrab.users("octocat").profile().await.unwrap();
    assert_eq!(standin.calls().anonymous().total(), 1);
    let basic = AuthState::BasicAuth {
        username: "octocat".to_owned(),
        password: StandIn::TOKEN.to_owned(),
    };
    let me = client.octocrab_as(basic).current().user().await.unwrap();
    assert_eq!(me.login, "octocat");
}

#[tokio::test]
async fn a_renamed_repository_is_followed_with_the_credential() {
    let (standin, _, github) = started().await;
    let moved = format!("{}/repos/octo-org/octo-repo-001", standin.url());
    let canned = Canned::new(301).header("location", &moved);
    standin.serve("/repos/octo-org/old-name", canned);
    for _ in 0..2 {
        let repo = github.get_repo("octo-org", "old-name").await.unwrap();
        assert_eq!(repo.name, "octo-repo-001");
        assert!(repo.permissions.unwrap().admin);
    }
    assert_eq!(standin.calls().total(), 2);
}

/// As an Enterprise Server does: its pages are on the host that the API is on, and not the API.
#[tokio::test]
async fn a_redirect_to_another_host_is_followed_without_the_credential() {
    let standin = StandIn::start().await.unwrap();
    standin.add_app(App::new("Iv1.app").installation(7));
    let download = format!("{}/raw/octo-org/archive.zip", standin.url());
    let archive = "/repos/octo-org/octo-repo-001/zipball";
    let found = Canned::new(302).header("location", &download);
    standin.serve(archive, found);
    let there = Canned::new(200).body("an archive");
    standin.serve("/raw/*", there);
    let client = Client::builder(PrincipalKey::new([7; 32]))
        .upstream(format!("{}/api/v3", standin.url()))
        .build(Cache::builder().build())
        .unwrap();
    let app = client.app(AppKey::new("Iv1.app", App::KEY).unwrap());
    let basic = AuthState::BasicAuth {
        username: "octocat".to_owned(),
        password: StandIn::TOKEN.to_owned(),
    };
    for octocrab in [
        client.octocrab(Some(&token())),
        client.octocrab_as(basic),
        app.installation(7).octocrab(),
    ] {
        standin.reset_calls();
        let body = octocrab.download_zip(archive).await.unwrap();
        assert_eq!(body, b"an archive");
        assert_eq!(standin.calls().of(archive).anonymous().total(), 0);
        assert_eq!(standin.calls().of(archive).total(), 1);
        assert_eq!(standin.calls().of("/raw/*").anonymous().total(), 1);
    }
}
