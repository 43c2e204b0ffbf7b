//! Workflow runs, and the runners that they ran on.

use serde_json::{Value, json};

use super::{Content, Repository, html_url};
use crate::testing::seed;

/// How many runs every repository has.
const RUNS: u64 = 45;

/// How many self-hosted runners every repository has.
const RUNNERS: u64 = 5;

/// One run of a repository's only workflow.
#[derive(Clone, Copy, Debug)]
pub(in crate::testing) struct Run {
    pub(in crate::testing) id: u64,
    number: u64,
    pub(in crate::testing) status: &'static str,
    pub(in crate::testing) conclusion: Option<&'static str>,
    pub(in crate::testing) branch: &'static str,
    pub(in crate::testing) event: &'static str,
}

impl Repository {
    /// All runs, the newest first. The two newest are not over yet.
    pub(in crate::testing) fn runs(&self) -> impl Iterator<Item = Run> {
        let first = 7_000_000_000 + self.id;
        (1..=RUNS).rev().map(move |number| {
            let id = first + number;
            let (status, conclusion) = match (RUNS - number, id % 4) {
                (0, _) => ("queued", None),
                (1, _) => ("in_progress", None),
                (_, 0) => ("completed", Some("failure")),
                _ => ("completed", Some("success")),
            };
            let (branch, event) = if id.is_multiple_of(3) {
                ("feature", "pull_request")
            } else {
                ("main", "push")
            };
            Run {
                id,
                number,
                status,
                conclusion,
                branch,
                event,
            }
        })
    }

    fn workflow_id(&self) -> u64 {
        seed::id(&format!("{}/ci.yml", self.full_name()))
    }

    fn run_path(&self, run: &Run) -> String {
        format!("{}/actions/runs/{}", self.path(), run.id)
    }
}

impl Content {
    pub(in crate::testing) fn run_updated_at(&self, repo: &Repository, run: &Run) -> u64 {
        self.updated_at(&repo.run_path(run))
    }

    /// `GET /repos/{owner}/{repo}/actions/runs/{run_id}`, and an item of the list of runs.
    pub(in crate::testing) fn run(&self, repo: &Repository, run: &Run) -> Value {
        let path = repo.run_path(run);
        let url = self.url(&path);
        let base = self.url(&repo.path());
        let workflow = repo.workflow_id();
        let suite = run.id + 1_000_000_000;
        let created = seed::timestamp(seed::created_at(&path.to_ascii_lowercase()));
        let actor = self.simple_user(&repo.owner);
        json!({
            "id": run.id,
            "name": "CI",
            "node_id": seed::node_id("WorkflowRun", run.id),
            "head_branch": run.branch,
            "head_sha": repo.head(),
            "path": ".github/workflows/ci.yml",
            "display_title": format!("Change number {}", run.number),
            "run_number": run.number,
            "run_attempt": 1,
            "event": run.event,
            "status": run.status,
            "conclusion": run.conclusion,
            "workflow_id": workflow,
            "check_suite_id": suite,
            "check_suite_node_id": seed::node_id("CheckSuite", suite),
            "url": url,
            "html_url": html_url(&format!("/{}/actions/runs/{}", repo.full_name(), run.id)),
            "pull_requests": [],
            "created_at": created,
            "updated_at": seed::timestamp(self.run_updated_at(repo, run)),
            "run_started_at": created,
            "actor": actor,
            "triggering_actor": actor,
            "referenced_workflows": [],
            "previous_attempt_url": null,
            "jobs_url": format!("{url}/jobs"),
            "logs_url": format!("{url}/logs"),
            "check_suite_url": format!("{base}/check-suites/{suite}"),
            "artifacts_url": format!("{url}/artifacts"),
            "cancel_url": format!("{url}/cancel"),
            "rerun_url": format!("{url}/rerun"),
            "workflow_url": format!("{base}/actions/workflows/{workflow}"),
            "head_commit": self.head_commit(repo, &repo.head()),
            "repository": self.minimal_repository(repo),
            "head_repository": self.minimal_repository(repo),
        })
    }

    /// `GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}`: the only one.
    pub(in crate::testing) fn workflow(&self, repo: &Repository) -> Value {
        let id = repo.workflow_id();
        let created = seed::timestamp(seed::created_at(&repo.path().to_ascii_lowercase()));
        let full_name = repo.full_name();
        let file = ".github/workflows/ci.yml";
        json!({
            "id": id,
            "node_id": seed::node_id("Workflow", id),
            "name": "CI",
            "path": file,
            "state": "active",
            "created_at": created,
            "updated_at": created,
            "url": self.url(&format!("{}/actions/workflows/{id}", repo.path())),
            "html_url": html_url(&format!("/{full_name}/blob/main/{file}")),
            "badge_url": html_url(&format!("/{full_name}/workflows/CI/badge.svg")),
        })
    }

    /// `GET /repos/{owner}/{repo}/actions/runs/{run_id}/jobs`: the only one.
    pub(in crate::testing) fn job(&self, repo: &Repository, run: &Run) -> Value {
        let id = run.id + 2_000_000_000;
        let rest = self.run(repo, run);
        let step = json!({
            "name": "Build",
            "number": 1,
            "status": run.status,
            "conclusion": run.conclusion,
            "started_at": rest["run_started_at"],
            "completed_at": run.conclusion.map(|_| &rest["updated_at"]),
        });
        json!({
            "id": id,
            "node_id": seed::node_id("CheckRun", id),
            "run_id": run.id,
            "run_url": rest["url"],
            "run_attempt": 1,
            "name": "build",
            "workflow_name": "CI",
            "head_branch": run.branch,
            "head_sha": rest["head_sha"],
            "status": run.status,
            "conclusion": run.conclusion,
            "created_at": rest["created_at"],
            "started_at": rest["run_started_at"],
            "completed_at": step["completed_at"],
            "steps": [step],
            "labels": ["self-hosted"],
            "url": self.url(&format!("{}/actions/jobs/{id}", repo.path())),
            "html_url": format!("{}/job/{id}", rest["html_url"].as_str().unwrap_or_default()),
            "check_run_url": self.url(&format!("{}/check-runs/{id}", repo.path())),
        })
    }
}

/// The self-hosted runners of a repository, which nothing in the stand-in keeps busy for long.
pub(in crate::testing) fn runners(repo: &Repository) -> Vec<Value> {
    let label = |id: u64, name: &str, kind: &str| json!({ "id": id, "name": name, "type": kind });
    (1..=RUNNERS)
        .map(|number| {
            json!({
                "id": repo.id % 1_000_000 + number,
                "name": format!("runner-{number}"),
                "os": "linux",
                "status": if number == RUNNERS { "offline" } else { "online" },
                "busy": number == 1,
                "ephemeral": false,
                "labels": [
                    label(1, "self-hosted", "read-only"),
                    label(2, "Linux", "read-only"),
                    label(3, "X64", "read-only"),
                    label(4, "build", "custom"),
                ],
            })
        })
        .collect()
}
