//! The real `gh`, by way of the socket that its configuration names.

use std::path::Path;
use std::process::Stdio;

use e2e::process::{Node, SECRET};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{TOKEN, github};

/// The variable with which CI demands that no test goes without `gh`.
const REQUIRED: &str = "GHMESH_REQUIRE_GH";

/// Whether `gh` is here; where it is not and must be, the test fails.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its environment, too"
)]
async fn there_is_gh() -> bool {
    let version = Command::new("gh")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .await;
    let there = version.is_ok_and(|status| status.success());
    let required = std::env::var_os(REQUIRED).is_some();
    assert!(
        there || !required,
        "gh is not installed, and {REQUIRED} is set"
    );
    if !there {
        eprintln!("gh is not installed: this test has shown nothing (`apt-get install gh`)");
    }
    there
}

/// `gh`, configured to use a node's socket.
struct Gh {
    config: TempDir,
}

impl Gh {
    fn new(socket: &Path) -> Self {
        let config = tempfile::tempdir().unwrap();
        let text = format!("version: \"1\"\nhttp_unix_socket: {}\n", socket.display());
        std::fs::write(config.path().join("config.yml"), text).unwrap();
        Self { config }
    }

    async fn run(&self, args: &[&str]) -> String {
        let output = Command::new("gh")
            .args(args)
            .env("GH_CONFIG_DIR", self.config.path())
            .env("GH_TOKEN", TOKEN)
            .env("GH_NO_UPDATE_NOTIFIER", "1")
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gh {args:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[tokio::test]
async fn what_gh_asked_for_on_one_runner_costs_nothing_on_the_next() {
    if !there_is_gh().await {
        return;
    }
    let github = github().await;
    let a = Node::join(github.url(), SECRET, &[]).await;
    let b = Node::join(github.url(), SECRET, &[&a]).await;
    b.until("connected_peers", 1).await;

    let on_a = Gh::new(&a.socket()).run(&["api", "user"]).await;
    a.until("broadcast.acked", 1).await;
    let on_b = Gh::new(&b.socket()).run(&["api", "user"]).await;

    let user: Value = serde_json::from_str(&on_a).unwrap();
    assert_eq!(user["login"], "octocat");
    assert_eq!(on_a, on_b);
    assert_eq!(github.calls().of("/user").total(), 1);
    assert_eq!(
        (b.count("peer_hits").await, b.count("misses").await),
        (1, 0)
    );
}

#[tokio::test]
async fn gh_follows_all_pages_through_the_socket() {
    if !there_is_gh().await {
        return;
    }
    let github = github().await;
    let node = Node::start(github.url(), &["--p2p", "false"]).await;
    let gh = Gh::new(&node.socket());
    let path = "/orgs/octo-org/repos?per_page=40";
    for _ in 0..2 {
        let lengths = gh.run(&["api", "--paginate", "--jq", "length", path]).await;
        let lengths: Vec<&str> = lengths.split_whitespace().collect();
        assert_eq!(lengths, ["40", "40", "20"]);
    }
    assert_eq!(node.count("misses").await, 3);
    assert_eq!(github.calls().total(), 3);
    assert_eq!(github.calls().by(TOKEN).total(), 3, "each with the token");
}
