//! Issues and pull requests, which share their numbers.

use serde_json::{Value, json};

use super::owners::extend;
use super::{Content, Repository, html_url};
use crate::testing::seed;

/// How many issues every repository begins with. Every third one is closed.
const ISSUES: u64 = 12;

/// How many pull requests it begins with; their numbers follow.
const PULLS: u64 = 3;

/// An issue or a pull request.
#[derive(Clone, Debug)]
pub(in crate::testing) struct Ticket {
    pub(in crate::testing) number: u64,
    pub(in crate::testing) is_pull: bool,
    pub(in crate::testing) title: String,
    pub(in crate::testing) body: Option<String>,
    pub(in crate::testing) author: String,
    pub(in crate::testing) open: bool,
    pub(in crate::testing) state_reason: Option<String>,
    pub(in crate::testing) created_at: u64,
    pub(in crate::testing) updated_at: u64,
    pub(in crate::testing) closed_at: Option<u64>,
}

impl Ticket {
    /// A new, open issue.
    pub(in crate::testing) fn opened(number: u64, author: &str, title: &str, now: u64) -> Self {
        Self {
            number,
            is_pull: false,
            title: title.to_owned(),
            body: None,
            author: author.to_owned(),
            open: true,
            state_reason: None,
            created_at: now,
            updated_at: now,
            closed_at: None,
        }
    }

    pub(in crate::testing) fn close(&mut self, reason: &str, now: u64) {
        if self.open {
            self.closed_at = Some(now);
        }
        self.open = false;
        self.state_reason = Some(reason.to_owned());
    }

    pub(in crate::testing) fn reopen(&mut self) {
        if !self.open {
            self.state_reason = Some("reopened".to_owned());
        }
        self.open = true;
        self.closed_at = None;
    }

    /// What GraphQL calls it.
    pub(in crate::testing) fn node_id(&self, repo: &Repository) -> String {
        let kind = if self.is_pull { "PullRequest" } else { "Issue" };
        seed::node_id(kind, self.id(repo))
    }

    fn id(&self, repo: &Repository) -> u64 {
        repo.id + self.number
    }

    fn state(&self) -> &'static str {
        if self.open { "open" } else { "closed" }
    }
}

/// What is in a repository before anybody has done anything.
pub(super) fn seeded(full_name: &str) -> Vec<Ticket> {
    (1..=ISSUES + PULLS)
        .map(|number| {
            let name = format!("{full_name}#{number}").to_ascii_lowercase();
            let (created, updated) = (seed::created_at(&name), seed::updated_at(&name));
            let title = format!("Something to be done, number {number}");
            let mut ticket = Ticket::opened(number, "octocat", &title, created);
            ticket.is_pull = number > ISSUES;
            ticket.body = Some(format!("It is about {full_name}."));
            if number % 3 == 0 && !ticket.is_pull {
                ticket.close("completed", updated);
            }
            ticket.updated_at = updated;
            ticket
        })
        .collect()
}

impl Content {
    /// When an issue or pull request was last changed, by a write or by a touch of either path.
    pub(in crate::testing) fn ticket_updated_at(&self, repo: &Repository, ticket: &Ticket) -> u64 {
        let touched: u64 = ["issues", "pulls"]
            .iter()
            .map(|kind| format!("{}/{kind}/{}", repo.path(), ticket.number).to_ascii_lowercase())
            .filter_map(|path| self.revisions.get(&path))
            .sum();
        ticket.updated_at + touched
    }

    /// `GET /repos/{owner}/{repo}/issues/{number}`. A pull request is an issue as well.
    pub(in crate::testing) fn issue(&self, repo: &Repository, ticket: &Ticket) -> Value {
        let base = self.url(&repo.path());
        let url = format!("{base}/issues/{}", ticket.number);
        let mut issue = self.either(repo, ticket);
        extend(
            &mut issue,
            json!({
                "url": url,
                "repository_url": base,
                "labels_url": format!("{url}/labels{{/name}}"),
                "comments_url": format!("{url}/comments"),
                "events_url": format!("{url}/events"),
                "timeline_url": format!("{url}/timeline"),
                "comments": 0,
                "state_reason": ticket.state_reason,
                "closed_by": ticket.closed_at.map(|_| self.simple_user(&repo.owner)),
                "performed_via_github_app": null,
                "reactions": reactions(&url),
            }),
        );
        if ticket.is_pull {
            let html = html_of(repo, ticket);
            let pull = json!({
                "url": format!("{base}/pulls/{}", ticket.number),
                "html_url": html,
                "diff_url": format!("{html}.diff"),
                "patch_url": format!("{html}.patch"),
                "merged_at": null,
            });
            extend(&mut issue, json!({ "pull_request": pull, "draft": false }));
        }
        issue
    }

    /// `GET /repos/{owner}/{repo}/pulls/{number}`: what the list shows, and more.
    pub(in crate::testing) fn full_pull(&self, repo: &Repository, ticket: &Ticket) -> Value {
        let mut pull = self.listed_pull(repo, ticket);
        extend(
            &mut pull,
            json!({
                "merged": false,
                "mergeable": true,
                "rebaseable": true,
                "mergeable_state": "clean",
                "merged_by": null,
                "comments": 0,
                "review_comments": 0,
                "maintainer_can_modify": false,
                "commits": 1,
                "additions": 2,
                "deletions": 1,
                "changed_files": 1,
            }),
        );
        pull
    }

    /// A pull request as the list of them shows it.
    pub(in crate::testing) fn listed_pull(&self, repo: &Repository, ticket: &Ticket) -> Value {
        let base = self.url(&repo.path());
        let number = ticket.number;
        let url = format!("{base}/pulls/{number}");
        let issue = format!("{base}/issues/{number}");
        let html = html_of(repo, ticket);
        let head = seed::sha(&format!("{}/pull/{number}", repo.full_name()));
        let statuses = format!("{base}/statuses/{head}");
        let link = |href: &str| json!({ "href": href });
        let mut pull = self.either(repo, ticket);
        extend(
            &mut pull,
            json!({
                "url": url,
                "diff_url": format!("{html}.diff"),
                "patch_url": format!("{html}.patch"),
                "issue_url": issue,
                "commits_url": format!("{url}/commits"),
                "review_comments_url": format!("{url}/comments"),
                "review_comment_url": format!("{base}/pulls/comments{{/number}}"),
                "comments_url": format!("{issue}/comments"),
                "statuses_url": statuses,
                "merged_at": null,
                "merge_commit_sha": seed::sha(&format!("{head}/merge")),
                "requested_reviewers": [],
                "requested_teams": [],
                "draft": false,
                "auto_merge": null,
                "head": self.branch(repo, "feature", &head),
                "base": self.branch(repo, "main", &repo.head()),
                "_links": {
                    "self": link(&url),
                    "html": link(&html),
                    "issue": link(&issue),
                    "comments": link(&format!("{issue}/comments")),
                    "review_comments": link(&format!("{url}/comments")),
                    "review_comment": link(&format!("{base}/pulls/comments{{/number}}")),
                    "commits": link(&format!("{url}/commits")),
                    "statuses": link(&statuses),
                },
            }),
        );
        pull
    }

    /// What issues and pull requests have in common.
    fn either(&self, repo: &Repository, ticket: &Ticket) -> Value {
        let owns = ticket.author.eq_ignore_ascii_case(&repo.owner);
        json!({
            "id": ticket.id(repo),
            "node_id": ticket.node_id(repo),
            "number": ticket.number,
            "html_url": html_of(repo, ticket),
            "title": ticket.title,
            "body": ticket.body,
            "user": self.simple_user(&ticket.author),
            "state": ticket.state(),
            "locked": false,
            "active_lock_reason": null,
            "assignee": null,
            "assignees": [],
            "labels": [],
            "milestone": null,
            "author_association": if owns { "OWNER" } else { "CONTRIBUTOR" },
            "created_at": seed::timestamp(ticket.created_at),
            "updated_at": seed::timestamp(self.ticket_updated_at(repo, ticket)),
            "closed_at": ticket.closed_at.map(seed::timestamp),
        })
    }

    fn branch(&self, repo: &Repository, name: &str, sha: &str) -> Value {
        json!({
            "label": format!("{}:{name}", repo.owner),
            "ref": name,
            "sha": sha,
            "user": self.simple_user(&repo.owner),
            "repo": self.minimal_repository(repo),
        })
    }
}

fn html_of(repo: &Repository, ticket: &Ticket) -> String {
    let kind = if ticket.is_pull { "pull" } else { "issues" };
    html_url(&format!("/{}/{kind}/{}", repo.full_name(), ticket.number))
}

fn reactions(url: &str) -> Value {
    json!({
        "url": format!("{url}/reactions"),
        "total_count": 0,
        "+1": 0,
        "-1": 0,
        "laugh": 0,
        "hooray": 0,
        "confused": 0,
        "heart": 0,
        "rocket": 0,
        "eyes": 0,
    })
}
