//! What a node keeps on disk, and what becomes of that.

use std::path::Path;

use e2e::client::Ask;
use e2e::process::{Node, SECRET, output};
use tempfile::TempDir;

use crate::{TOKEN, github};

const OTHER_SECRET: &str =
    "ghmesh_ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

const FLAGS: [&str; 2] = ["--p2p-listen", "/ip4/127.0.0.1/tcp/0"];

const PATH: &str = "/repos/octo-org/octo-repo-001";

fn ask() -> Ask {
    Ask::get(PATH).token(TOKEN)
}

async fn start_in(dir: TempDir, upstream: &str, secret: &str) -> Node {
    let env = [("CACHE_P2P_SHARED_SECRET", secret)];
    Node::start_in(dir, upstream, &FLAGS, &env).await
}

async fn start(upstream: &str) -> Node {
    start_in(tempfile::tempdir().unwrap(), upstream, SECRET).await
}

/// Every file of a directory, as one heap of bytes.
fn bytes_in(dir: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap());
    let files = files.filter(|file| file.file_type().unwrap().is_file());
    files
        .flat_map(|file| std::fs::read(file.path()).unwrap())
        .collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn what_was_asked_for_before_a_restart_needs_no_call_after_it() {
    let github = github().await;
    let node = start(github.url()).await;
    let first = node.send(ask()).await;
    let dir = node.end_by("TERM").await;
    let node = start_in(dir, github.url(), SECRET).await;
    let again = node.send(ask()).await;
    assert!(again.cache_status().starts_with("ghmesh; hit"), "{again:?}");
    assert_eq!(again.body, first.body);
    assert_eq!(github.calls().total(), 1);
}

#[tokio::test]
async fn what_is_on_disk_survives_a_kill() {
    let github = github().await;
    let node = start(github.url()).await;
    node.send(ask()).await;
    node.until("disk.entries", 1).await;
    let dir = node.end_by("KILL").await;
    let node = start_in(dir, github.url(), SECRET).await;
    assert!(
        node.send(ask())
            .await
            .cache_status()
            .starts_with("ghmesh; hit")
    );
    assert_eq!(github.calls().total(), 1);
}

#[tokio::test]
async fn nothing_on_disk_can_be_read() {
    let github = github().await;
    let node = start(github.url()).await;
    let answer = node.send(ask()).await;
    assert!(contains(&answer.body, "octo-repo-001"));
    let dir = node.end_by("TERM").await;
    let bytes = bytes_in(dir.path());
    assert!(bytes.len() > answer.body.len());
    for secret in [
        TOKEN,
        SECRET,
        "octo-repo",
        "api.github.com",
        "/repos",
        "etag",
    ] {
        assert!(!contains(&bytes, secret), "{secret} can be read");
    }
}

#[tokio::test]
async fn a_store_of_another_secret_is_set_aside() {
    let github = github().await;
    let node = start(github.url()).await;
    node.send(ask()).await;
    let dir = node.end_by("TERM").await;
    let node = start_in(dir, github.url(), OTHER_SECRET).await;
    assert_eq!(
        node.send(ask()).await.cache_status(),
        "ghmesh; fwd=uri-miss"
    );
    let names = std::fs::read_dir(node.dir()).unwrap();
    let names: Vec<_> = names.map(|file| file.unwrap().file_name()).collect();
    let is_broken = |name: &&std::ffi::OsString| name.to_string_lossy().contains("broken");
    assert_eq!(names.iter().filter(is_broken).count(), 1, "{names:?}");
}

#[tokio::test]
async fn a_damaged_store_costs_its_entries_and_nothing_else() {
    let github = github().await;
    let node = start(github.url()).await;
    node.send(ask()).await;
    let dir = node.end_by("TERM").await;
    std::fs::write(dir.path().join("store.redb"), "no database").unwrap();
    let node = start_in(dir, github.url(), SECRET).await;
    assert_eq!(
        node.send(ask()).await.cache_status(),
        "ghmesh; fwd=uri-miss"
    );
    node.until("disk.entries", 1).await;
}

#[tokio::test]
async fn a_second_node_in_one_directory_is_told_who_has_it() {
    let github = github().await;
    let node = start(github.url()).await;
    let secret = node.dir().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&secret, mode).unwrap();
    let socket = node.dir().join("another.sock");
    let args = [
        "serve",
        "--data-dir",
        node.dir().to_str().unwrap(),
        "--listen-unix",
        socket.to_str().unwrap(),
        "--secret-file",
        secret.to_str().unwrap(),
        "--p2p-listen",
        "/ip4/127.0.0.1/tcp/0",
        "--listen",
    ];
    let refused = output(&[&args[..], &["127.0.0.1:0"]].concat()).await;
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    let pid = node.id().to_string();
    assert!(said.contains("--data-dir") && said.contains(&pid), "{said}");
    assert!(said.contains("another directory"), "{said}");

    // Without a store, what is in the way is the first node's address.
    let taken = node.http().trim_start_matches("http://");
    let refused = output(&[&args[..], &[taken, "--memory-only"]].concat()).await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains(taken) && !said.contains("--data-dir"),
        "{said}"
    );
}

#[tokio::test]
async fn a_node_that_keeps_nothing_on_disk_leaves_nothing_there() {
    let github = github().await;
    let env = [("CACHE_P2P_SHARED_SECRET", SECRET)];
    let flags = [&FLAGS[..], &["--memory-only"]].concat();
    let node = Node::start_with(github.url(), &flags, &env).await;
    node.send(ask()).await;
    assert!(node.stats().await["disk"].is_null());
    let dir = node.end_by("TERM").await;
    assert_eq!(bytes_in(dir.path()), b"");
}
