//! GitHub's objects as GraphQL names them.
//!
//! <https://docs.github.com/en/graphql/reference/objects>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::testing::content::{Content, Owner, Repository, Ticket};
use crate::testing::routes::Visit;

/// The type at which every query begins.
pub(super) const QUERY: &str = "Query";

/// Where a connection has all its items, before some of them are asked for.
const ALL: &str = "__all";

impl Visit<'_> {
    /// What a field of an object leads to. `None` where the object's type has no such field, and
    /// an error where it leads to what is not there, or not for this caller.
    pub(super) fn lead(
        &self,
        object: &Value,
        field: &str,
        arguments: &Map<String, Value>,
    ) -> Result<Option<Value>, String> {
        let text = |name: &str| {
            arguments
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let kind = object["__typename"].as_str().unwrap_or_default();
        match (kind, field) {
            (QUERY, "viewer") => {
                let login = self.caller.token().map(|token| token.login.as_str());
                Ok(login.map(|login| self.content.actor(login)))
            }
            (QUERY, "repository") => {
                let (owner, name) = (text("owner"), text("name"));
                let repo = self.visible(owner, name).map_err(|_| {
                    format!("Could not resolve to a Repository with the name '{owner}/{name}'.")
                })?;
                Ok(Some(self.repository_node(repo)))
            }
            (QUERY, "repositoryOwner") => {
                let owner = self.content.owner(text("login"));
                Ok(Some(
                    owner.map_or(Value::Null, |owner| self.owner_node(owner)),
                ))
            }
            (QUERY, "node") => {
                let id = text("id");
                let missing =
                    || format!("Could not resolve to a node with the global id of '{id}'");
                self.ticket_with_id(id).ok_or_else(missing).map(Some)
            }
            ("Repository", "issue" | "pullRequest" | "issueOrPullRequest") => {
                let number = arguments
                    .get("number")
                    .and_then(Value::as_u64)
                    .unwrap_or_default();
                let found = ticket(object, field, number);
                let missing = || not_there(field, number);
                found.ok_or_else(missing).map(Some)
            }
            ("Repository", "release") => {
                let mut all = of_connection(&object["releases"]).into_iter().flatten();
                let found = all.find(|release| release["tagName"] == text("tagName"));
                Ok(Some(found.cloned().unwrap_or_default()))
            }
            _ => Ok(object.get(field).cloned()),
        }
    }

    fn owner_node(&self, owner: &Owner) -> Value {
        let repositories = self.content.repositories_of(&owner.login, self.caller);
        let nodes = repositories
            .into_iter()
            .map(|repo| self.repository_node(repo));
        let mut node = self.content.actor(&owner.login);
        node["repositories"] = connection("RepositoryConnection", &nodes.collect::<Vec<_>>());
        node
    }

    fn ticket_with_id(&self, id: &str) -> Option<Value> {
        let repositories = self.content.repositories();
        let visible = repositories.filter(|repo| repo.is_visible_to(self.caller));
        let mut tickets = visible.flat_map(|repo| repo.tickets.iter().map(move |at| (repo, at)));
        let (repo, ticket) = tickets.find(|(repo, ticket)| ticket.node_id(repo) == id)?;
        Some(self.content.ticket_node(repo, ticket))
    }

    fn repository_node(&self, repo: &Repository) -> Value {
        let rest = self.content.full_repository(repo, self.caller);
        let tickets = |is_pull: bool| {
            let tickets = repo.tickets.iter().rev();
            let wanted = tickets.filter(move |ticket| ticket.is_pull == is_pull);
            wanted
                .map(|ticket| self.content.ticket_node(repo, ticket))
                .collect::<Vec<_>>()
        };
        let releases: Vec<Value> = self
            .content
            .releases(repo)
            .iter()
            .enumerate()
            .map(|(at, release)| release_node(release, at == 0))
            .collect();
        json!({
            "__typename": "Repository",
            "id": rest["node_id"],
            "databaseId": rest["id"],
            "name": rest["name"],
            "nameWithOwner": rest["full_name"],
            "owner": self.content.actor(&repo.owner),
            "description": rest["description"],
            "url": rest["html_url"],
            "isPrivate": rest["private"],
            "isFork": rest["fork"],
            "isArchived": rest["archived"],
            "parent": null,
            "visibility": rest["visibility"].as_str().map(str::to_uppercase),
            "createdAt": rest["created_at"],
            "updatedAt": rest["updated_at"],
            "pushedAt": rest["pushed_at"],
            "stargazerCount": rest["stargazers_count"],
            "forkCount": rest["forks_count"],
            "hasIssuesEnabled": rest["has_issues"],
            "hasWikiEnabled": rest["has_wiki"],
            "hasProjectsEnabled": rest["has_projects"],
            "viewerPermission": if rest["permissions"]["admin"] == true { "ADMIN" } else { "READ" },
            "defaultBranchRef": {
                "__typename": "Ref",
                "name": rest["default_branch"],
                "target": { "__typename": "Commit", "oid": repo.head() },
            },
            "issues": connection("IssueConnection", &tickets(false)),
            "pullRequests": connection("PullRequestConnection", &tickets(true)),
            "releases": connection("ReleaseConnection", &releases),
            "latestRelease": releases.first(),
        })
    }
}

impl Content {
    /// A user or an organisation.
    fn actor(&self, login: &str) -> Value {
        let rest = self.simple_user(login);
        json!({
            "__typename": rest["type"],
            "id": rest["node_id"],
            "databaseId": rest["id"],
            "login": rest["login"],
            "name": rest["login"],
            "url": rest["html_url"],
            "avatarUrl": rest["avatar_url"],
        })
    }

    /// An issue or a pull request.
    fn ticket_node(&self, repo: &Repository, ticket: &Ticket) -> Value {
        let rest = if ticket.is_pull {
            self.full_pull(repo, ticket)
        } else {
            self.issue(repo, ticket)
        };
        let mut node = json!({
            "__typename": if ticket.is_pull { "PullRequest" } else { "Issue" },
            "id": rest["node_id"],
            "databaseId": rest["id"],
            "number": rest["number"],
            "title": rest["title"],
            "body": rest["body"],
            "state": rest["state"].as_str().map(str::to_uppercase),
            "url": rest["html_url"],
            "closed": rest["state"] == "closed",
            "closedAt": rest["closed_at"],
            "createdAt": rest["created_at"],
            "updatedAt": rest["updated_at"],
            "author": self.actor(&ticket.author),
            "authorAssociation": rest["author_association"],
            "milestone": null,
            "isPinned": false,
            "assignees": connection("UserConnection", &[]),
            "labels": connection("LabelConnection", &[]),
            "projectCards": connection("ProjectCardConnection", &[]),
            "projectItems": connection("ProjectV2ItemConnection", &[]),
            "comments": connection("IssueCommentConnection", &[]),
            "reactionGroups": [],
        });
        let more = if ticket.is_pull {
            self.of_a_pull(repo, &rest)
        } else {
            json!({ "stateReason": rest["state_reason"].as_str().map(str::to_uppercase) })
        };
        if let (Value::Object(node), Value::Object(more)) = (&mut node, more) {
            node.extend(more);
        }
        node
    }

    /// What a pull request has and an issue has not.
    fn of_a_pull(&self, repo: &Repository, rest: &Value) -> Value {
        let author = json!({
            "__typename": "GitActor",
            "name": rest["user"]["login"],
            "email": "octocat@users.noreply.github.com",
            "user": self.actor(rest["user"]["login"].as_str().unwrap_or_default()),
        });
        let commit = json!({
            "__typename": "PullRequestCommit",
            "commit": {
                "__typename": "Commit",
                "oid": rest["head"]["sha"],
                "messageHeadline": rest["title"],
                "messageBody": "",
                "authoredDate": rest["created_at"],
                "committedDate": rest["created_at"],
                "authors": connection("GitActorConnection", &[author]),
                "statusCheckRollup": null,
            },
        });
        let file = json!({
            "__typename": "PullRequestChangedFile",
            "path": "README.md",
            "additions": rest["additions"],
            "deletions": rest["deletions"],
        });
        json!({
            "isDraft": rest["draft"],
            "isCrossRepository": false,
            "maintainerCanModify": rest["maintainer_can_modify"],
            "mergeable": "MERGEABLE",
            "mergeStateStatus": "CLEAN",
            "mergedAt": rest["merged_at"],
            "additions": rest["additions"],
            "deletions": rest["deletions"],
            "changedFiles": rest["changed_files"],
            "baseRefName": rest["base"]["ref"],
            "headRefName": rest["head"]["ref"],
            "headRefOid": rest["head"]["sha"],
            "headRepositoryOwner": self.actor(&repo.owner),
            "headRepository": {
                "__typename": "Repository",
                "id": rest["head"]["repo"]["node_id"],
                "name": rest["head"]["repo"]["name"],
                "owner": self.actor(&repo.owner),
            },
            "autoMergeRequest": null,
            "reviewDecision": null,
            "commits": connection("PullRequestCommitConnection", &[commit]),
            "files": connection("PullRequestChangedFileConnection", &[file]),
            "reviews": connection("PullRequestReviewConnection", &[]),
            "latestReviews": connection("PullRequestReviewConnection", &[]),
            "reviewRequests": connection("ReviewRequestConnection", &[]),
        })
    }
}

fn release_node(rest: &Value, is_latest: bool) -> Value {
    json!({
        "__typename": "Release",
        "id": rest["node_id"],
        "databaseId": rest["id"],
        "name": rest["name"],
        "tagName": rest["tag_name"],
        "description": rest["body"],
        "url": rest["html_url"],
        "isDraft": rest["draft"],
        "isPrerelease": rest["prerelease"],
        "isLatest": is_latest,
        "isImmutable": false,
        "createdAt": rest["created_at"],
        "publishedAt": rest["published_at"],
    })
}

fn ticket(repository: &Value, field: &str, number: u64) -> Option<Value> {
    let (issues, pulls) = (&repository["issues"], &repository["pullRequests"]);
    let places: &[&Value] = match field {
        "issue" => &[issues],
        "pullRequest" => &[pulls],
        _ => &[issues, pulls],
    };
    let all = places
        .iter()
        .filter_map(|place| of_connection(place))
        .flatten();
    all.into_iter()
        .find(|ticket| ticket["number"] == number)
        .cloned()
}

fn not_there(field: &str, number: u64) -> String {
    let kind = match field {
        "issue" => "an Issue",
        "pullRequest" => "a PullRequest",
        _ => "an issue or pull request",
    };
    format!("Could not resolve to {kind} with the number of {number}.")
}

fn connection(kind: &str, items: &[Value]) -> Value {
    json!({ "__typename": kind, ALL: items })
}

/// All items of a connection; `None` where it is none.
pub(super) fn of_connection(value: &Value) -> Option<&Vec<Value>> {
    value.get(ALL)?.as_array()
}

/// What stands for a place in a connection, which means nothing to a client.
pub(super) fn cursor(at: usize) -> String {
    STANDARD.encode(format!("cursor:{at}"))
}

/// The place that a cursor stands for.
pub(super) fn position(cursor: &str) -> Option<usize> {
    let text = String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?;
    text.strip_prefix("cursor:")?.parse().ok()
}
