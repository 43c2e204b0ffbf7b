//! A repository, its commits, its workflow runs and its runners.

use http::StatusCode;

use super::Visit;
use crate::testing::content::{Repository, Run, runners};
use crate::testing::resource::{Refusal, Resource};

impl Visit<'_> {
    /// <https://docs.github.com/rest/repos/repos#get-a-repository>
    pub(super) fn repository(&self, owner: &str, name: &str) -> Result<Resource, Refusal> {
        let repo = self.visible(owner, name)?;
        Ok(Resource::changed_at(
            self.content.full_repository(repo, self.caller),
            self.content.repository_updated_at(repo),
        ))
    }

    /// <https://docs.github.com/rest/commits/commits#get-a-commit>
    pub(super) fn commit(
        &self,
        owner: &str,
        name: &str,
        reference: &str,
    ) -> Result<Resource, Refusal> {
        let repo = self.visible(owner, name)?;
        let Some((sha, parent)) = repo.resolve(reference) else {
            let message = format!("No commit found for SHA: {reference}");
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message));
        };
        let (commit, made) = self.content.commit(repo, &sha, parent.as_deref());
        Ok(Resource::changed_at(commit, made))
    }

    /// <https://docs.github.com/rest/actions/workflow-runs#list-workflow-runs-for-a-repository>
    pub(super) fn runs(&self, owner: &str, name: &str) -> Result<Resource, Refusal> {
        let repo = self.visible(owner, name)?;
        let runs: Vec<Run> = repo.runs().filter(|run| self.wants(repo, run)).collect();
        let path = format!("/repositories/{}/actions/runs", repo.id);
        Ok(self.counted_list("workflow_runs", &runs, &path, |run| {
            self.content.run(repo, run)
        }))
    }

    /// <https://docs.github.com/rest/actions/workflow-runs#get-a-workflow-run>
    pub(super) fn run(&self, owner: &str, name: &str, id: &str) -> Result<Resource, Refusal> {
        let repo = self.visible(owner, name)?;
        let run = run(repo, id)?;
        Ok(Resource::changed_at(
            self.content.run(repo, &run),
            self.content.run_updated_at(repo, &run),
        ))
    }

    /// <https://docs.github.com/rest/actions/workflow-jobs#list-jobs-for-a-workflow-run>, and its
    /// artifacts, of which there are none.
    pub(super) fn of_run(
        &self,
        owner: &str,
        name: &str,
        id: &str,
        what: &str,
    ) -> Result<Resource, Refusal> {
        let repo = self.visible(owner, name)?;
        let run = run(repo, id)?;
        let items = match what {
            "jobs" => vec![self.content.job(repo, &run)],
            "artifacts" => Vec::new(),
            _ => return Err(Refusal::not_found()),
        };
        let path = format!("/repositories/{}/actions/runs/{}/{what}", repo.id, run.id);
        Ok(self.counted_list(what, &items, &path, Clone::clone))
    }

    /// <https://docs.github.com/rest/actions/workflows#list-repository-workflows>
    pub(super) fn workflows(&self, owner: &str, name: &str) -> Result<Resource, Refusal> {
        let repo = self.visible(owner, name)?;
        let workflows = [self.content.workflow(repo)];
        let path = format!("/repositories/{}/actions/workflows", repo.id);
        Ok(self.counted_list("workflows", &workflows, &path, Clone::clone))
    }

    /// <https://docs.github.com/rest/actions/workflows#get-a-workflow>
    pub(super) fn workflow(&self, owner: &str, name: &str, id: &str) -> Result<Resource, Refusal> {
        let repo = self.visible(owner, name)?;
        let workflow = self.content.workflow(repo);
        let number = id.parse::<u64>().ok();
        let is_it = id == "ci.yml" || number.is_some_and(|number| workflow["id"] == number);
        is_it
            .then(|| Resource::new(workflow))
            .ok_or_else(Refusal::not_found)
    }

    /// <https://docs.github.com/rest/actions/self-hosted-runners#list-self-hosted-runners-for-a-repository>
    pub(super) fn runners(&self, owner: &str, name: &str) -> Result<Resource, Refusal> {
        let repo = self.visible(owner, name)?;
        if self.caller.is_anonymous() {
            return Err(Refusal::requires_authentication());
        }
        if !self.content.is_admin(&repo.owner, self.caller) {
            return Err(Refusal::must_have_admin_rights());
        }
        let runners = runners(repo);
        let path = format!("/repositories/{}/actions/runners", repo.id);
        Ok(self.counted_list("runners", &runners, &path, Clone::clone))
    }

    /// <https://docs.github.com/rest/releases/releases>: the list, the latest, by tag, by number.
    pub(super) fn releases(
        &self,
        owner: &str,
        name: &str,
        which: &[&str],
    ) -> Result<Resource, Refusal> {
        let repo = self.visible(owner, name)?;
        let releases = self.content.releases(repo);
        let found = match which {
            [] => {
                let path = format!("/repositories/{}/releases", repo.id);
                return Ok(self.list(&releases, &path, Clone::clone));
            }
            ["latest"] => releases.first(),
            ["tags", tag] => releases.iter().find(|release| release["tag_name"] == *tag),
            [id] => {
                let id = id.parse::<u64>().map_err(|_| Refusal::not_found())?;
                releases.iter().find(|release| release["id"] == id)
            }
            _ => None,
        };
        found
            .cloned()
            .map(Resource::new)
            .ok_or_else(Refusal::not_found)
    }

    /// <https://docs.github.com/rest/repos/contents#get-a-repository-readme>
    pub(super) fn readme(&self, owner: &str, name: &str) -> Result<Resource, Refusal> {
        let repo = self.visible(owner, name)?;
        Ok(Resource::new(self.content.readme(repo)))
    }

    /// Whether the query's filters let this run pass. A `status` may be a conclusion as well.
    fn wants(&self, repo: &Repository, run: &Run) -> bool {
        let passes = |name, holds: &dyn Fn(&str) -> bool| self.asked.query(name).is_none_or(holds);
        passes("status", &|status| {
            run.status == status || run.conclusion == Some(status)
        }) && passes("branch", &|branch| run.branch == branch)
            && passes("event", &|event| run.event == event)
            && passes("head_sha", &|sha| repo.head() == sha)
    }
}

fn run(repo: &Repository, id: &str) -> Result<Run, Refusal> {
    let id: u64 = id.parse().map_err(|_| Refusal::not_found())?;
    let mut runs = repo.runs();
    runs.find(|run| run.id == id).ok_or_else(Refusal::not_found)
}
