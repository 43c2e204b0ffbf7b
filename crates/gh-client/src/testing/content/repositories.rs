//! Repositories and their commits.

use serde_json::{Value, json};

use super::owners::extend;
use super::{Content, Owner, Repository, html_url};
use crate::testing::seed;
use crate::testing::tokens::Caller;

/// How many commits the default branch of every repository has.
const COMMITS: usize = 20;

/// The fields of a repository that lead to its parts, with what comes after the repository's URL.
const LINKS: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    (
        "notifications_url",
        "/notifications{?since,all,participating}",
    ),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

impl Repository {
    pub(in crate::testing) fn path(&self) -> String {
        format!("/repos/{}", self.full_name())
    }

    /// The hashes of the default branch's commits, the newest first.
    fn commits(&self) -> impl Iterator<Item = String> {
        let name = self.full_name().to_ascii_lowercase();
        (0..COMMITS).map(move |number| seed::sha(&format!("{name}@{number}")))
    }

    /// The newest commit.
    pub(in crate::testing) fn head(&self) -> String {
        self.commits().next().unwrap_or_default()
    }

    /// The commit that a branch's name, a hash, or enough of a hash's beginning stands for, and
    /// its parent.
    pub(in crate::testing) fn resolve(&self, reference: &str) -> Option<(String, Option<String>)> {
        let reference = reference.strip_prefix("heads/").unwrap_or(reference);
        let mut commits = self.commits();
        let found = if ["main", "HEAD"].contains(&reference) {
            commits.next()
        } else if reference.len() >= 4 {
            commits.find(|sha| sha.starts_with(&reference.to_ascii_lowercase()))
        } else {
            None
        };
        found.map(|sha| (sha, commits.next()))
    }
}

impl Content {
    pub(in crate::testing) fn repository_updated_at(&self, repo: &Repository) -> u64 {
        self.updated_at(&repo.path())
    }

    /// `GET /repos/{owner}/{repo}`: what lists show, and more.
    pub(in crate::testing) fn full_repository(&self, repo: &Repository, caller: &Caller) -> Value {
        let mut full = self.listed_repository(repo, caller);
        let id = repo.id;
        extend(
            &mut full,
            json!({
                "temp_clone_token": null,
                "custom_properties": {},
                "network_count": id % 40,
                "subscribers_count": id % 90,
            }),
        );
        if self.owner(&repo.owner).is_some_and(Owner::is_org) {
            extend(
                &mut full,
                json!({ "organization": self.simple_user(&repo.owner) }),
            );
        }
        if self.is_admin(&repo.owner, caller) {
            extend(
                &mut full,
                json!({
                    "allow_squash_merge": true,
                    "allow_merge_commit": true,
                    "allow_rebase_merge": true,
                    "allow_auto_merge": false,
                    "allow_update_branch": false,
                    "delete_branch_on_merge": false,
                }),
            );
        }
        full
    }

    /// A repository as lists of repositories show it.
    pub(in crate::testing) fn listed_repository(
        &self,
        repo: &Repository,
        caller: &Caller,
    ) -> Value {
        let mut listed = self.minimal_repository(repo);
        let (id, full_name) = (repo.id, repo.full_name());
        let open = repo.tickets.iter().filter(|ticket| ticket.open).count();
        extend(
            &mut listed,
            json!({
                "created_at": seed::timestamp(seed::created_at(&repo.path().to_ascii_lowercase())),
                "updated_at": seed::timestamp(self.repository_updated_at(repo)),
                "pushed_at": seed::timestamp(seed::updated_at(&repo.path().to_ascii_lowercase())),
                "git_url": format!("git://github.com/{full_name}.git"),
                "ssh_url": format!("git@github.com:{full_name}.git"),
                "clone_url": format!("https://github.com/{full_name}.git"),
                "svn_url": html_url(&format!("/{full_name}")),
                "mirror_url": null,
                "homepage": "",
                "size": id % 100_000,
                "stargazers_count": id % 5_000,
                "watchers_count": id % 5_000,
                "watchers": id % 5_000,
                "forks_count": id % 300,
                "forks": id % 300,
                "open_issues_count": open,
                "open_issues": open,
                "language": "Rust",
                "has_issues": true,
                "has_projects": true,
                "has_downloads": true,
                "has_wiki": true,
                "has_pages": false,
                "has_discussions": false,
                "archived": false,
                "disabled": false,
                "allow_forking": true,
                "is_template": false,
                "web_commit_signoff_required": false,
                "topics": ["ci", "rust"],
                "visibility": if repo.is_private() { "private" } else { "public" },
                "default_branch": "main",
                "license": {
                    "key": "mit",
                    "name": "MIT License",
                    "spdx_id": "MIT",
                    "url": self.url("/licenses/mit"),
                    "node_id": "MDc6TGljZW5zZTEz",
                },
            }),
        );
        if !caller.is_anonymous() {
            let all = self.is_admin(&repo.owner, caller);
            let permissions = json!({
                "admin": all, "maintain": all, "push": all, "triage": all, "pull": true,
            });
            extend(&mut listed, json!({ "permissions": permissions }));
        }
        listed
    }

    /// A repository as a workflow run names it.
    pub(super) fn minimal_repository(&self, repo: &Repository) -> Value {
        let full_name = repo.full_name();
        let mut minimal = json!({
            "id": repo.id,
            "node_id": seed::node_id("Repository", repo.id),
            "name": repo.name,
            "full_name": full_name,
            "private": repo.is_private(),
            "owner": self.simple_user(&repo.owner),
            "html_url": html_url(&format!("/{full_name}")),
            "description": format!("The part of {} that is called {}", repo.owner, repo.name),
            "fork": false,
        });
        let base = self.url(&repo.path());
        for (field, rest) in LINKS {
            extend(&mut minimal, json!({ field: format!("{base}{rest}") }));
        }
        minimal
    }

    /// `GET /repos/{owner}/{repo}/commits/{ref}`, and when the commit was made.
    pub(in crate::testing) fn commit(
        &self,
        repo: &Repository,
        sha: &str,
        parent: Option<&str>,
    ) -> (Value, u64) {
        let (base, full_name) = (self.url(&repo.path()), repo.full_name());
        let made = seed::updated_at(sha);
        let signature = signature(&repo.owner, made);
        let parents: Vec<Value> = parent
            .into_iter()
            .map(|sha| {
                json!({
                    "sha": sha,
                    "url": format!("{base}/commits/{sha}"),
                    "html_url": html_url(&format!("/{full_name}/commit/{sha}")),
                })
            })
            .collect();
        let commit = json!({
            "sha": sha,
            "node_id": seed::node_id("Commit", seed::id(sha)),
            "commit": {
                "author": signature,
                "committer": signature,
                "message": message(sha),
                "tree": tree(&base, sha),
                "url": format!("{base}/git/commits/{sha}"),
                "comment_count": 0,
                "verification": {
                    "verified": false,
                    "reason": "unsigned",
                    "signature": null,
                    "payload": null,
                    "verified_at": null,
                },
            },
            "url": format!("{base}/commits/{sha}"),
            "html_url": html_url(&format!("/{full_name}/commit/{sha}")),
            "comments_url": format!("{base}/commits/{sha}/comments"),
            "author": self.simple_user(&repo.owner),
            "committer": self.simple_user(&repo.owner),
            "parents": parents,
            "stats": { "total": 3, "additions": 2, "deletions": 1 },
            "files": [{
                "sha": seed::sha(&format!("{sha}/README.md")),
                "filename": "README.md",
                "status": "modified",
                "additions": 2,
                "deletions": 1,
                "changes": 3,
                "blob_url": html_url(&format!("/{full_name}/blob/{sha}/README.md")),
                "raw_url": html_url(&format!("/{full_name}/raw/{sha}/README.md")),
                "contents_url": format!("{base}/contents/README.md?ref={sha}"),
                "patch": "@@ -1 +1,2 @@\n-before\n+after\n+and more",
            }],
        });
        (commit, made)
    }

    /// A commit as a workflow run names it.
    pub(super) fn head_commit(&self, repo: &Repository, sha: &str) -> Value {
        let made = seed::updated_at(sha);
        let person = json!({
            "name": repo.owner,
            "email": format!("{}@users.noreply.github.com", repo.owner),
        });
        json!({
            "id": sha,
            "tree_id": seed::sha(&format!("{sha}^{{tree}}")),
            "message": message(sha),
            "timestamp": seed::timestamp(made),
            "author": person,
            "committer": person,
        })
    }
}

fn signature(login: &str, made: u64) -> Value {
    json!({
        "name": login,
        "email": format!("{login}@users.noreply.github.com"),
        "date": seed::timestamp(made),
    })
}

fn tree(base: &str, sha: &str) -> Value {
    let tree = seed::sha(&format!("{sha}^{{tree}}"));
    json!({ "sha": tree, "url": format!("{base}/git/trees/{tree}") })
}

fn message(sha: &str) -> String {
    format!("Change what {} does", &sha[..7])
}
