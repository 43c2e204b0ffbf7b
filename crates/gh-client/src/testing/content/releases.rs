//! Releases, and what a repository says of itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Content, Repository, html_url};
use crate::testing::seed;

/// How many releases every repository has: `v1.0.0`, `v1.1.0`, …
const RELEASES: u64 = 3;

impl Content {
    /// `GET /repos/{owner}/{repo}/releases`, the newest first.
    pub(in crate::testing) fn releases(&self, repo: &Repository) -> Vec<Value> {
        let releases = (0..RELEASES).rev();
        releases.map(|minor| self.release(repo, minor)).collect()
    }

    fn release(&self, repo: &Repository, minor: u64) -> Value {
        let (base, full_name) = (self.url(&repo.path()), repo.full_name());
        let tag = format!("v1.{minor}.0");
        let id = repo.id + minor;
        let url = format!("{base}/releases/{id}");
        let created = seed::created_at(&full_name.to_ascii_lowercase()) + minor * 86_400;
        json!({
            "url": url,
            "assets_url": format!("{url}/assets"),
            "upload_url": format!("{url}/assets{{?name,label}}"),
            "html_url": html_url(&format!("/{full_name}/releases/tag/{tag}")),
            "id": id,
            "author": self.simple_user(&repo.owner),
            "node_id": seed::node_id("Release", id),
            "tag_name": tag,
            "target_commitish": "main",
            "name": format!("{} {tag}", repo.name),
            "draft": false,
            "immutable": false,
            "prerelease": false,
            "created_at": seed::timestamp(created),
            "updated_at": seed::timestamp(created),
            "published_at": seed::timestamp(created),
            "assets": [],
            "tarball_url": format!("{base}/tarball/{tag}"),
            "zipball_url": format!("{base}/zipball/{tag}"),
            "body": format!("What is new in {tag}."),
        })
    }

    /// `GET /repos/{owner}/{repo}/readme`.
    pub(in crate::testing) fn readme(&self, repo: &Repository) -> Value {
        let (base, full_name) = (self.url(&repo.path()), repo.full_name());
        let text = format!("# {}\n\nA part of {}.\n", repo.name, repo.owner);
        let sha = seed::sha(&text);
        let url = format!("{base}/contents/README.md?ref=main");
        let git = format!("{base}/git/blobs/{sha}");
        let html = html_url(&format!("/{full_name}/blob/main/README.md"));
        json!({
            "name": "README.md",
            "path": "README.md",
            "sha": sha,
            "size": text.len(),
            "url": url,
            "html_url": html,
            "git_url": git,
            "download_url":
                format!("https://raw.githubusercontent.com/{full_name}/main/README.md"),
            "type": "file",
            "content": STANDARD.encode(&text) + "\n",
            "encoding": "base64",
            "_links": { "self": url, "git": git, "html": html },
        })
    }
}
