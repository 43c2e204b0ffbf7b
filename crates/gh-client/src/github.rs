//! The operations that CI jobs ask for most, typed by octocrab's models.

use octocrab::models::actions::SelfHostedRunner;
use octocrab::models::issues::{Comment, Issue};
use octocrab::models::pulls::PullRequest;
use octocrab::models::repos::{Branch, ContentItems, Release, RepoCommit};
use octocrab::models::workflows::Run;
use octocrab::models::{RateLimit, Repository, RunId};
use octocrab::{Octocrab, Page, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

/// The most that one page holds; GitHub cuts off anything above it.
const PAGE: usize = 100;

/// Asks GitHub, by way of the cache. Lists are read page by page until they end or hold `limit`
/// items, so a call costs at most `limit / 100`, rounded up, requests.
///
/// For everything else [`octocrab`](Self::octocrab) is at hand, over the same cache.
#[derive(Clone, Debug)]
pub struct GitHub {
    octocrab: Octocrab,
}

/// A pair of a query.
type Pair<'a> = (&'a str, &'a str);

impl GitHub {
    pub(crate) fn new(octocrab: Octocrab) -> Self {
        Self { octocrab }
    }

    /// The [`Octocrab`] underneath.
    pub fn octocrab(&self) -> &Octocrab {
        &self.octocrab
    }

    /// Repositories of an organization or, where there is none of that name, of a user.
    ///
    /// [`GET /orgs/{owner}/repos`](https://docs.github.com/en/rest/repos/repos#list-organization-repositories),
    /// [`GET /users/{owner}/repos`](https://docs.github.com/en/rest/repos/repos#list-repositories-for-a-user)
    pub async fn list_repos(&self, owner: &str, limit: usize) -> Result<Vec<Repository>> {
        let owner = segment(owner);
        let (org, user) = (
            format!("/orgs/{owner}/repos"),
            format!("/users/{owner}/repos"),
        );
        match self.list(&org, &[], limit).await {
            Err(error) if is_not_found(&error) => self.list(&user, &[], limit).await,
            listed => listed,
        }
    }

    /// One repository.
    ///
    /// [`GET /repos/{owner}/{repo}`](https://docs.github.com/en/rest/repos/repos#get-a-repository)
    pub async fn get_repo(&self, owner: &str, repo: &str) -> Result<Repository> {
        self.get(&repository(owner, repo)).await
    }

    /// Runs of a repository's workflows, the newest first.
    ///
    /// [`GET /repos/{owner}/{repo}/actions/runs`](https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository)
    pub async fn list_workflow_runs(
        &self,
        owner: &str,
        repo: &str,
        limit: usize,
    ) -> Result<Vec<Run>> {
        self.list(&runs(owner, repo), &[], limit).await
    }

    /// One run of a workflow.
    ///
    /// [`GET /repos/{owner}/{repo}/actions/runs/{run_id}`](https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run)
    pub async fn get_workflow_run(&self, owner: &str, repo: &str, run: RunId) -> Result<Run> {
        self.get(&format!("{}/{run}", runs(owner, repo))).await
    }

    /// Runs that have failed, the newest first.
    ///
    /// [`GET /repos/{owner}/{repo}/actions/runs?status=failure`](https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository)
    pub async fn list_failed_runs(
        &self,
        owner: &str,
        repo: &str,
        limit: usize,
    ) -> Result<Vec<Run>> {
        let failed = [("status", "failure")];
        self.list(&runs(owner, repo), &failed, limit).await
    }

    /// A repository's self-hosted runners.
    ///
    /// [`GET /repos/{owner}/{repo}/actions/runners`](https://docs.github.com/en/rest/actions/self-hosted-runners#list-self-hosted-runners-for-a-repository)
    pub async fn list_runners(
        &self,
        owner: &str,
        repo: &str,
        limit: usize,
    ) -> Result<Vec<SelfHostedRunner>> {
        let path = format!("{}/actions/runners", repository(owner, repo));
        self.list(&path, &[], limit).await
    }

    /// A repository's open issues, the newest first. As on GitHub, pull requests are among them.
    ///
    /// [`GET /repos/{owner}/{repo}/issues`](https://docs.github.com/en/rest/issues/issues#list-repository-issues)
    pub async fn list_issues(&self, owner: &str, repo: &str, limit: usize) -> Result<Vec<Issue>> {
        self.list_in(owner, repo, "issues", limit).await
    }

    /// One issue.
    ///
    /// [`GET /repos/{owner}/{repo}/issues/{issue_number}`](https://docs.github.com/en/rest/issues/issues#get-an-issue)
    pub async fn get_issue(&self, owner: &str, repo: &str, number: u64) -> Result<Issue> {
        self.get_in(owner, repo, &format!("issues/{number}")).await
    }

    /// The comments on an issue or pull request, the oldest first.
    ///
    /// [`GET /repos/{owner}/{repo}/issues/{issue_number}/comments`](https://docs.github.com/en/rest/issues/comments#list-issue-comments)
    pub async fn list_comments(
        &self,
        owner: &str,
        repo: &str,
        number: u64,
        limit: usize,
    ) -> Result<Vec<Comment>> {
        let below = format!("issues/{number}/comments");
        self.list_in(owner, repo, &below, limit).await
    }

    /// A repository's open pull requests, the newest first.
    ///
    /// [`GET /repos/{owner}/{repo}/pulls`](https://docs.github.com/en/rest/pulls/pulls#list-pull-requests)
    pub async fn list_pulls(
        &self,
        owner: &str,
        repo: &str,
        limit: usize,
    ) -> Result<Vec<PullRequest>> {
        self.list_in(owner, repo, "pulls", limit).await
    }

    /// One pull request.
    ///
    /// [`GET /repos/{owner}/{repo}/pulls/{pull_number}`](https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request)
    pub async fn get_pull(&self, owner: &str, repo: &str, number: u64) -> Result<PullRequest> {
        self.get_in(owner, repo, &format!("pulls/{number}")).await
    }

    /// A repository's releases, the newest first.
    ///
    /// [`GET /repos/{owner}/{repo}/releases`](https://docs.github.com/en/rest/releases/releases#list-releases)
    pub async fn list_releases(
        &self,
        owner: &str,
        repo: &str,
        limit: usize,
    ) -> Result<Vec<Release>> {
        self.list_in(owner, repo, "releases", limit).await
    }

    /// The latest release that is neither a draft nor a pre-release.
    ///
    /// [`GET /repos/{owner}/{repo}/releases/latest`](https://docs.github.com/en/rest/releases/releases#get-the-latest-release)
    pub async fn get_latest_release(&self, owner: &str, repo: &str) -> Result<Release> {
        self.get_in(owner, repo, "releases/latest").await
    }

    /// A repository's branches.
    ///
    /// [`GET /repos/{owner}/{repo}/branches`](https://docs.github.com/en/rest/branches/branches#list-branches)
    pub async fn list_branches(
        &self,
        owner: &str,
        repo: &str,
        limit: usize,
    ) -> Result<Vec<Branch>> {
        self.list_in(owner, repo, "branches", limit).await
    }

    /// The commits on the default branch, the newest first.
    ///
    /// [`GET /repos/{owner}/{repo}/commits`](https://docs.github.com/en/rest/commits/commits#list-commits)
    pub async fn list_commits(
        &self,
        owner: &str,
        repo: &str,
        limit: usize,
    ) -> Result<Vec<RepoCommit>> {
        self.list_in(owner, repo, "commits", limit).await
    }

    /// One commit, by its hash, or the newest of a branch or tag. By its full hash it is never
    /// asked for twice within a week.
    ///
    /// [`GET /repos/{owner}/{repo}/commits/{ref}`](https://docs.github.com/en/rest/commits/commits#get-a-commit)
    pub async fn get_commit(&self, owner: &str, repo: &str, reference: &str) -> Result<RepoCommit> {
        self.get_in(owner, repo, &format!("commits/{}", segments(reference)))
            .await
    }

    /// A file, or what is in a directory, as of `reference`: a commit, branch or tag, and without
    /// one the default branch.
    ///
    /// [`GET /repos/{owner}/{repo}/contents/{path}`](https://docs.github.com/en/rest/repos/contents#get-repository-content)
    pub async fn get_content(
        &self,
        owner: &str,
        repo: &str,
        path: &str,
        reference: Option<&str>,
    ) -> Result<ContentItems> {
        let path = format!("{}/contents/{}", repository(owner, repo), segments(path));
        let query: Vec<Pair<'_>> = reference.map(|name| ("ref", name)).into_iter().collect();
        self.octocrab.get(path, Some(&query)).await
    }

    /// How many calls are left. It costs none, and is never answered from the cache.
    ///
    /// [`GET /rate_limit`](https://docs.github.com/en/rest/rate-limit/rate-limit#get-rate-limit-status-for-the-authenticated-user)
    pub async fn rate_limit(&self) -> Result<RateLimit> {
        self.get("/rate_limit").await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.octocrab.get(path, None::<&()>).await
    }

    async fn get_in<T: DeserializeOwned>(&self, owner: &str, repo: &str, below: &str) -> Result<T> {
        self.get(&format!("{}/{below}", repository(owner, repo)))
            .await
    }

    async fn list_in<T: DeserializeOwned>(
        &self,
        owner: &str,
        repo: &str,
        below: &str,
        limit: usize,
    ) -> Result<Vec<T>> {
        let path = format!("{}/{below}", repository(owner, repo));
        self.list(&path, &[], limit).await
    }

    async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        filter: &[Pair<'_>],
        limit: usize,
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        let per_page = limit.min(PAGE);
        for page in 1_usize.. {
            if items.len() >= limit {
                break;
            }
            let (per_page_text, page) = (per_page.to_string(), page.to_string());
            let paging: [Pair<'_>; 2] = [("per_page", &per_page_text), ("page", &page)];
            let query = [filter, &paging].concat();
            let listed: Page<T> = self.octocrab.get(path, Some(&query)).await?;
            let is_last = listed.items.len() < per_page;
            items.extend(listed.items);
            if is_last {
                break;
            }
        }
        items.truncate(limit);
        Ok(items)
    }
}

/// Everything but the characters that names of owners and repositories are made of.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

fn repository(owner: &str, repo: &str) -> String {
    format!("/repos/{}/{}", segment(owner), segment(repo))
}

fn runs(owner: &str, repo: &str) -> String {
    format!("{}/actions/runs", repository(owner, repo))
}

/// A name as one segment of a path: whatever is in it, it cannot lead elsewhere.
fn segment(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// A path, whose slashes are kept.
fn segments(path: &str) -> String {
    let segments: Vec<String> = path.split('/').map(segment).collect();
    segments.join("/")
}

fn is_not_found(error: &octocrab::Error) -> bool {
    matches!(error, octocrab::Error::GitHub { source, .. }
        if source.status_code == http::StatusCode::NOT_FOUND)
}
