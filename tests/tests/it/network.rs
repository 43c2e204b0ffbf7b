//! Real nodes, each found in another way, and what they tell of it.

use std::time::Duration;

use e2e::client::Ask;
use e2e::eventually;
use e2e::process::{Node, SECRET, output};
use http::StatusCode;
use serde_json::json;
use tokio::time::timeout;

use crate::github;

const LOOPBACK: [&str; 2] = ["--p2p-listen", "/ip4/127.0.0.1/tcp/0"];

/// A member that says nothing is to be noticed within 15 seconds. The rest is for a machine that has
/// more to do than this.
const NOTICED_WITHIN: Duration = Duration::from_secs(20);

/// A member with these flags beside.
async fn member(upstream: &str, flags: &[&str]) -> Node {
    let env = [("CACHE_P2P_SHARED_SECRET", SECRET)];
    Node::start_with(upstream, &[&LOOPBACK, flags].concat(), &env).await
}

#[tokio::test]
async fn counters_are_told_as_prometheus_reads_them() {
    let github = github().await;
    let node = member(github.url(), &[]).await;
    let other = member(github.url(), &["--bootstrap", node.field("p2p")]).await;
    node.until("connected_peers", 1).await;

    let answer = other.send(Ask::get("/-/metrics")).await;

    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.header("content-type").contains("text; version="));
    let text = String::from_utf8(answer.body).unwrap();
    for sample in [
        "ghmesh_peers 1",
        r#"ghmesh_dials_total{result="connected"} 1"#,
    ] {
        assert!(text.lines().any(|line| line == sample), "{text}");
    }
}

#[tokio::test]
async fn a_node_with_an_identity_file_keeps_its_name() {
    let github = github().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("identity");
    let flags = ["--identity-file", file.to_str().unwrap()];
    let first = member(github.url(), &flags).await;
    let name = first.field("peer").to_owned();
    first.end_by("TERM").await;

    let second = member(github.url(), &flags).await;

    assert_eq!(second.field("peer"), name);
}

#[tokio::test]
async fn members_are_told_the_address_that_a_node_is_given() {
    let github = github().await;
    let external = "/ip4/203.0.113.7/tcp/9100";
    let flags = ["--external-address", external, "--relay"];
    let node = member(github.url(), &flags).await;

    let discovery = node.stats().await["discovery"].clone();

    assert_eq!(discovery["external"], json!([external]));
    assert_eq!(discovery["mdns"], "off");
}

#[tokio::test]
async fn a_node_that_looks_on_the_local_network_says_what_came_of_it() {
    let github = github().await;
    let node = member(github.url(), &["--mdns"]).await;

    let mdns = node.stats().await["discovery"]["mdns"].clone();

    assert!(mdns == "searching" || mdns == "failed", "{mdns}");
}

#[tokio::test]
async fn a_member_is_found_at_an_ipv6_address() {
    let github = github().await;
    let env = [("CACHE_P2P_SHARED_SECRET", SECRET)];
    let listen = ["--p2p-listen", "/ip6/::1/tcp/0"];
    let first = Node::start_with(github.url(), &listen, &env).await;
    assert!(first.field("p2p").starts_with("/ip6/::1/tcp/"));
    let flags = [&listen[..], &["--bootstrap", first.field("p2p")]].concat();

    let second = Node::start_with(github.url(), &flags, &env).await;

    first.until("connected_peers", 1).await;
    second.until("connected_peers", 1).await;
}

#[tokio::test]
async fn a_bootstrap_peer_that_fails_is_told_of_below_those_that_are_connected() {
    let github = github().await;
    let node = member(github.url(), &[]).await;
    let nobody = "/ip4/127.0.0.1/tcp/9";
    let flags = ["--bootstrap", nobody, "--bootstrap", node.field("p2p")];
    let other = member(github.url(), &flags).await;
    other.until("connected_peers", 1).await;

    eventually("the failure is told", async || {
        let shown = output(&["peers", "--node", other.http()]).await;
        let shown = String::from_utf8(shown.stdout).unwrap();
        shown.contains(node.field("peer"))
            && shown
                .lines()
                .any(|line| line.contains(&format!("{nobody}: ")))
    })
    .await;
}

#[tokio::test]
async fn a_member_that_hangs_is_missed_within_seconds_and_found_again_when_it_goes_on() {
    let github = github().await;
    let node = member(github.url(), &[]).await;
    let other = member(github.url(), &["--bootstrap", node.field("p2p")]).await;
    node.until("connected_peers", 1).await;

    other.signal("STOP").await;
    let missed = timeout(NOTICED_WITHIN, node.until("connected_peers", 0));
    missed.await.expect("noticed in time");
    other.signal("CONT").await;

    node.until("connected_peers", 1).await;
}
