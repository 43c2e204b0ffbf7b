//! The operations that CI jobs ask for most, typed by octocrab's models.

use octocrab::models::actions::SelfHostedRunner;
use octocrab::models::workflows::Run;
use octocrab::models::{Repository, RunId};
use octocrab::{Octocrab, Page, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
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

/// The query of every list.
#[derive(Serialize)]
struct ListQuery<'a> {
    per_page: usize,
    page: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
}

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
        match self
            .list(&format!("/orgs/{owner}/repos"), None, limit)
            .await
        {
            Err(error) if is_not_found(&error) => {
                self.list(&format!("/users/{owner}/repos"), None, limit)
                    .await
            }
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
        self.list(&runs(owner, repo), None, limit).await
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
        self.list(&runs(owner, repo), Some("failure"), limit).await
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
        self.list(&path, None, limit).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.octocrab.get(path, None::<&()>).await
    }

    async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        status: Option<&str>,
        limit: usize,
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        let per_page = limit.min(PAGE);
        for page in 1.. {
            if items.len() >= limit {
                break;
            }
            let query = ListQuery {
                per_page,
                page,
                status,
            };
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

fn is_not_found(error: &octocrab::Error) -> bool {
    matches!(error, octocrab::Error::GitHub { source, .. }
        if source.status_code == http::StatusCode::NOT_FOUND)
}
