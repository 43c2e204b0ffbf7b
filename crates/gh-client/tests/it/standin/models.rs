//! octocrab understands what it is told.

use gh_client::testing::StandIn;
use octocrab::Octocrab;
use octocrab::models::actions::SelfHostedRunner;
use octocrab::models::repos::RepoCommit;
use octocrab::models::{self, Author, RateLimit, Repository, SimpleUser, UserProfile};
use octocrab::params::State;
use serde::Deserialize;

async fn started() -> (StandIn, Octocrab) {
    let github = StandIn::start().await.unwrap();
    let octocrab = crate::client(&github).octocrab(Some(&crate::token()));
    (github, octocrab)
}

#[tokio::test]
async fn users_and_organisations_are_read() {
    let (_github, octocrab) = started().await;

    let me: Author = octocrab.current().user().await.unwrap();
    assert_eq!(me.login, "octocat");
    let profile: UserProfile = octocrab.users("octocat").profile().await.unwrap();
    assert_eq!(profile.id, me.id);
    let simple: SimpleUser = octocrab.get("/users/octocat", None::<&()>).await.unwrap();
    assert_eq!(simple.login, "octocat");
    let org = octocrab.orgs("octo-org").get().await.unwrap();
    assert_eq!(org.public_repos, Some(100));
}

#[tokio::test]
async fn a_repository_is_read_with_its_owner_and_permissions() {
    let (_github, octocrab) = started().await;

    let repo = octocrab.repos("octo-org", "octo-repo-007").get().await;
    let repo: Repository = repo.unwrap();
    assert_eq!(repo.full_name.as_deref(), Some("octo-org/octo-repo-007"));
    assert_eq!(repo.owner.unwrap().login, "octo-org");
    assert!(repo.permissions.unwrap().admin);
}

#[tokio::test]
async fn all_pages_of_an_organisation_are_walked() {
    let (github, octocrab) = started().await;

    let orgs = octocrab.orgs("octo-org");
    let first = orgs.list_repos().per_page(30).send().await.unwrap();
    let all: Vec<Repository> = octocrab.all_pages(first).await.unwrap();
    assert_eq!(all.len(), 100);
    assert_eq!(all[99].name, "octo-repo-099");
    assert_eq!(github.calls().of("/organizations/*").status(200).total(), 3);
    assert_eq!(github.calls().by(StandIn::TOKEN).total(), 4);
}

#[tokio::test]
async fn workflow_runs_are_listed_filtered_and_read_one_by_one() {
    let (_github, octocrab) = started().await;
    let workflows = octocrab.workflows("octo-org", "octo-repo-000");

    let all = workflows.list_all_runs().per_page(100).send().await;
    let all = all.unwrap();
    assert_eq!(all.total_count, Some(45));
    assert_eq!(all.items[0].status, "queued");

    let failed = workflows.list_all_runs().status("failure").send().await;
    let failed = failed.unwrap().items;
    assert!(!failed.is_empty());
    let is_failure = |run: &models::workflows::Run| run.conclusion.as_deref() == Some("failure");
    assert!(failed.iter().all(is_failure));

    let one = workflows.get(failed[0].id).await.unwrap();
    assert_eq!(one, failed[0]);
}

#[tokio::test]
async fn runners_are_read_by_who_runs_the_repository() {
    #[derive(Deserialize)]
    struct Runners {
        total_count: usize,
        runners: Vec<SelfHostedRunner>,
    }
    let (_github, octocrab) = started().await;

    let route = "/repos/octo-org/octo-repo-000/actions/runners";
    let list: Runners = octocrab.get(route, None::<&()>).await.unwrap();
    assert_eq!(list.total_count, 5);
    assert_eq!(list.runners[0].name, "runner-1");
}

#[tokio::test]
async fn issues_are_opened_closed_and_listed() {
    let (_github, octocrab) = started().await;
    let issues = octocrab.issues("octocat", "hello-world");

    let opened = issues.create("A new one").body("Why?").send().await;
    let opened = opened.unwrap();
    assert_eq!((opened.number, opened.user.login.as_str()), (16, "octocat"));
    assert_eq!(issues.get(16).await.unwrap(), opened);

    let close = issues.update(16).state(models::IssueState::Closed);
    let closed = close.send().await.unwrap();
    assert!(closed.closed_at.is_some());

    let listed = issues.list().state(State::Closed).send().await.unwrap();
    assert!(listed.items.iter().any(|issue| issue.number == 16));
    let listed = issues.list().state(State::Open).send().await.unwrap();
    assert!(listed.items.iter().all(|issue| issue.number != 16));
}

#[tokio::test]
async fn pull_requests_and_commits_are_read() {
    let (_github, octocrab) = started().await;

    let pulls = octocrab.pulls("octo-org", "octo-repo-000");
    let listed = pulls.list().send().await.unwrap();
    assert_eq!(listed.items.len(), 3);
    let pull = pulls.get(listed.items[0].number).await.unwrap();
    assert_eq!(pull.mergeable, Some(true));

    let route = format!("/repos/octo-org/octo-repo-000/commits/{}", pull.base.sha);
    let commit: RepoCommit = octocrab.get(&route, None::<&()>).await.unwrap();
    assert_eq!(commit.sha, pull.base.sha);
}

#[tokio::test]
async fn the_rate_limit_is_read_for_free() {
    let (_github, octocrab) = started().await;

    octocrab.current().user().await.unwrap();
    let limit: RateLimit = octocrab.ratelimit().get().await.unwrap();
    assert_eq!((limit.rate.limit, limit.rate.used), (5000, 1));
    assert_eq!(octocrab.ratelimit().get().await.unwrap().rate.used, 1);
}
