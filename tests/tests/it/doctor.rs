//! What `ghmesh doctor` finds, and what it advises.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use e2e::process::{Node, SECRET, fleet, ghmesh};
use serde_json::Value;

use crate::{TOKEN, github};

const OTHER_SECRET: &str =
    "ghmesh_ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// What the doctor says, on free ports and in a directory of its own.
async fn doctor(upstream: &str, flags: &[&str], env: &[(&str, &str)]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().to_str().unwrap();
    let fixed = [
        "doctor",
        "--upstream",
        upstream,
        "--data-dir",
        data_dir,
        "--listen",
        "127.0.0.1:0",
        "--p2p-listen",
        "/ip4/127.0.0.1/tcp/0",
    ];
    let mut doctor = ghmesh(&[&fixed, flags].concat());
    doctor.envs(env.iter().copied()).output().await.unwrap()
}

/// What it says as JSON, and how it ends. No secret is ever in what it prints.
async fn checks(upstream: &str, flags: &[&str], env: &[(&str, &str)]) -> (Checks, Option<i32>) {
    let output = doctor(upstream, &[flags, &["--json"]].concat(), env).await;
    let printed = [&output.stdout[..], &output.stderr].concat();
    let printed = String::from_utf8(printed).unwrap();
    for (name, value) in env {
        let is_secret = ["CACHE_P2P_SHARED_SECRET", "GH_TOKEN"].contains(name);
        assert!(!is_secret || !printed.contains(value), "{printed}");
    }
    let checks = serde_json::from_slice(&output.stdout);
    let checks = checks.unwrap_or_else(|error| panic!("{error}: {printed}"));
    (Checks(checks), output.status.code())
}

#[derive(Debug)]
struct Checks(Vec<Value>);

impl Checks {
    /// The one check of this name.
    fn of(&self, name: &str) -> &Value {
        let mut found = self.0.iter().filter(|check| check["check"] == name);
        let check = found.next().unwrap_or_else(|| panic!("{name}: {self:?}"));
        assert!(found.next().is_none(), "{name}: {self:?}");
        check
    }

    #[track_caller]
    fn assert(&self, name: &str, status: &str, found: &str, remedy: &str) {
        let check = self.of(name);
        assert_eq!(check["status"], status, "{check}");
        assert!(self.found(name).contains(found), "{check}");
        let advised = check["remedy"].as_str().unwrap_or_default();
        assert!(advised.contains(remedy), "{check}");
    }

    /// What it has found, in words.
    fn found(&self, name: &str) -> &str {
        self.of(name)["found"].as_str().unwrap()
    }

    fn that(&self, status: &str) -> Vec<&str> {
        let checks = self.0.iter().filter(|check| check["status"] == status);
        checks
            .map(|check| check["check"].as_str().unwrap())
            .collect()
    }
}

#[tokio::test]
async fn a_member_of_a_fleet_passes_every_check() {
    let github = github().await;
    let nodes = fleet(github.url(), 2).await;
    let bootstrap = format!("{},{}", nodes[0].field("p2p"), nodes[1].field("p2p"));
    let env = [
        ("GH_TOKEN", TOKEN),
        ("CACHE_P2P_SHARED_SECRET", SECRET),
        ("CACHE_BOOTSTRAP_PEERS", &bootstrap),
    ];
    let (checks, code) = checks(github.url(), &[], &env).await;
    assert_eq!(code, Some(0), "{checks:?}");
    assert_eq!(
        checks.that("fail").len() + checks.that("warn").len(),
        0,
        "{checks:?}"
    );
    let names = checks.that("pass");
    let in_order = [
        "token",
        "secret",
        "upstream",
        "rate-limit",
        "http-port",
        "socket",
        "p2p-port",
        "data-dir",
        "bootstrap",
        "bootstrap",
    ];
    assert_eq!(names[..in_order.len()], in_order);
    assert_eq!(names.last(), Some(&"clock"));
    checks.assert("token", "pass", "personal access token", "");
    checks.assert("rate-limit", "pass", "of 100000 requests are left", "");
    assert_eq!(github.calls().of("/rate_limit").total(), 1);
    // It has taken its leave.
    for node in &nodes {
        node.until("connected_peers", 1).await;
    }
}

#[tokio::test]
async fn a_bootstrap_peer_that_is_gone_is_named() {
    let github = github().await;
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let gone = format!("/ip4/127.0.0.1/tcp/{port}");
    let node = Node::join(github.url(), SECRET, &[]).await;
    let bootstrap = format!("{gone},{}", node.field("p2p"));
    let env = [
        ("CACHE_P2P_SHARED_SECRET", SECRET),
        ("CACHE_BOOTSTRAP_PEERS", &bootstrap),
    ];
    let (json, code) = checks(github.url(), &[], &env).await;
    assert_eq!(code, Some(1), "{json:?}");
    assert_eq!(json.that("fail"), ["bootstrap"], "{json:?}");
    let output = doctor(github.url(), &[], &env).await;
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines().skip_while(|line| !line.contains(&gone));
    let line = lines.next().unwrap();
    assert!(line.starts_with("fail  bootstrap"), "{text}");
    assert!(line.contains("refused"), "{text}");
    assert!(
        lines
            .next()
            .unwrap()
            .contains("→ see that a node runs there"),
        "{text}"
    );
    assert!(
        !text.contains('\x1b'),
        "colours where there is no terminal: {text}"
    );
}

#[tokio::test]
async fn without_a_secret_it_says_how_to_make_one() {
    let github = github().await;
    let (checks, code) = checks(github.url(), &[], &[]).await;
    assert_eq!(code, Some(1), "{checks:?}");
    assert_eq!(checks.that("fail"), ["secret"]);
    checks.assert(
        "secret",
        "fail",
        "shares with nobody",
        "`ghmesh secret new`",
    );
    checks.assert("token", "warn", "none", "GH_TOKEN");
    checks.assert("peers", "warn", "sharing is off", "secret");
}

#[tokio::test]
async fn a_secret_that_others_can_read_is_not_taken() {
    let github = github().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), SECRET).unwrap();
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(file.path(), open).unwrap();
    let path = file.path().to_str().unwrap();
    let (open, code) = checks(github.url(), &["--secret-file", path], &[]).await;
    assert_eq!(code, Some(1), "{open:?}");
    open.assert("secret", "fail", path, "");
    assert!(!format!("{open:?}").contains(SECRET));
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    let (closed, code) = checks(github.url(), &["--secret-file", path], &[]).await;
    assert_eq!(code, Some(0), "{closed:?}");
    closed.assert("secret", "pass", "fleet secret with the fingerprint", "");
    closed.assert("bootstrap", "warn", "waits to be found", "--bootstrap");
}

#[tokio::test]
async fn a_peer_of_another_fleet_is_told_from_one_that_is_gone() {
    let github = github().await;
    let stranger = Node::join(github.url(), OTHER_SECRET, &[]).await;
    let env = [("CACHE_P2P_SHARED_SECRET", SECRET)];
    let flags = ["--bootstrap", stranger.field("p2p")];
    let (checks, code) = checks(github.url(), &flags, &env).await;
    assert_eq!(code, Some(1), "{checks:?}");
    checks.assert("bootstrap", "fail", "another secret", "the same secret");
}

#[tokio::test]
async fn an_upstream_that_nobody_answers_at_fails() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let upstream = format!("http://127.0.0.1:{port}");
    let env = [("CACHE_P2P_SHARED_SECRET", SECRET)];
    let (checks, code) = checks(&upstream, &[], &env).await;
    assert_eq!(code, Some(1), "{checks:?}");
    assert_eq!(checks.that("fail"), ["upstream"]);
    checks.assert("upstream", "fail", "refused", "--upstream");
    assert_eq!(checks.found("upstream").matches("refused").count(), 1);
    checks.assert("clock", "warn", "not checked", "upstream");
}

#[tokio::test]
async fn a_token_that_github_refuses_fails() {
    let github = github().await;
    let unknown = "ghp_unknown0000000000000000000000000000a";
    let env = [("GH_TOKEN", unknown), ("CACHE_P2P_SHARED_SECRET", SECRET)];
    let (checks, code) = checks(github.url(), &[], &env).await;
    assert_eq!(code, Some(1), "{checks:?}");
    assert_eq!(checks.that("fail"), ["token"]);
    checks.assert("token", "fail", "401", "make a new one");
}

#[tokio::test]
async fn beside_a_running_node_its_ports_are_as_they_should_be() {
    let github = github().await;
    let node = Node::join(github.url(), SECRET, &[]).await;
    let http = node.http().trim_start_matches("http://");
    let (p2p, _) = node.field("p2p").split_once("/p2p/").unwrap();
    let settings = [
        ("listen", http),
        ("listen-unix", node.field("unix")),
        ("p2p-listen", p2p),
        ("bootstrap", node.field("p2p")),
        ("upstream", github.url()),
    ];
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("ghmesh.toml");
    let lines: Vec<_> = settings
        .iter()
        .map(|(key, value)| format!("{key} = {value:?}\n"))
        .collect();
    std::fs::write(&config, lines.concat()).unwrap();
    let data_dir = dir.path().to_str().unwrap();
    let mut doctor = ghmesh(&["doctor", "--json", "--data-dir", data_dir, "--config"]);
    let doctor = doctor.arg(&config).env("CACHE_P2P_SHARED_SECRET", SECRET);
    let output = doctor.output().await.unwrap();
    let checks = Checks(serde_json::from_slice(&output.stdout).unwrap());
    assert_eq!(output.status.code(), Some(0), "{checks:?}");
    checks.assert("http-port", "pass", "a node runs there", "");
    checks.assert("socket", "pass", "a node listens there", "");
    checks.assert("p2p-port", "pass", "the running node's", "");
    checks.assert("bootstrap", "pass", "connected", "");
}
