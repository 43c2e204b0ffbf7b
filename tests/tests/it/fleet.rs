//! What members do for each other, and what strangers cannot do.

use e2e::client::Ask;
use e2e::process::{Node, SECRET, fleet};
use http::StatusCode;

use crate::{TOKEN, github};

const OTHER_SECRET: &str =
    "ghmesh_ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

fn ask(path: &str) -> Ask {
    Ask::get(path).token(TOKEN)
}

#[tokio::test]
async fn what_one_member_asked_for_the_others_have() {
    let github = github().await;
    let nodes = fleet(github.url(), 5).await;
    let first = nodes[0].send(ask("/repos/octo-org/octo-repo-001")).await;
    assert_eq!(first.cache_status(), "ghmesh; fwd=uri-miss");
    nodes[0].until("broadcast.acked", 4).await;
    for node in &nodes[1..] {
        let answer = node.send(ask("/repos/octo-org/octo-repo-001")).await;
        assert_eq!(answer.cache_status(), "ghmesh; hit; detail=peer");
        assert_eq!(answer.body, first.body);
        assert_eq!(answer.header("etag"), first.header("etag"));
        assert!(!answer.header("age").is_empty());
    }
    assert_eq!(github.calls().total(), 1);
}

#[tokio::test]
async fn members_with_another_secret_neither_connect_nor_read() {
    let github = github().await;
    let node = Node::join(github.url(), SECRET, &[]).await;
    let stranger = Node::join(github.url(), OTHER_SECRET, &[&node]).await;
    for node in [&node, &stranger] {
        let answer = node.send(ask("/user")).await;
        assert_eq!(answer.cache_status(), "ghmesh; fwd=uri-miss");
    }
    assert_eq!(github.calls().of("/user").total(), 2);
    for node in [&node, &stranger] {
        assert_eq!(node.json("/-/peers").await, serde_json::json!([]));
        assert_eq!(node.count("received.accepted").await, 0);
    }
}

#[tokio::test]
async fn a_thousand_puts_arrive_and_none_fails() {
    let github = github().await;
    let nodes = fleet(github.url(), 2).await;
    for number in 0..1000 {
        let path = format!("/repos/octo-org/octo-repo-000?n={number}");
        assert_eq!(nodes[0].send(ask(&path)).await.status, StatusCode::OK);
    }
    nodes[1].until("received.accepted", 1000).await;
    nodes[0].until("broadcast.acked", 1000).await;
    assert_eq!(nodes[0].count("broadcast.failed").await, 0);
    assert_eq!(nodes[1].count("entries").await, 1000);
}

#[tokio::test]
async fn a_member_that_is_killed_is_missed_by_nobody() {
    let github = github().await;
    let mut nodes = fleet(github.url(), 3).await;
    nodes[2].signal("KILL").await;
    nodes.pop();
    for number in 0..50 {
        let path = format!("/repos/octo-org/octo-repo-{number:03}");
        let answer = nodes[0].send(ask(&path)).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    nodes[1].until("received.accepted", 50).await;
    for number in 0..50 {
        let path = format!("/repos/octo-org/octo-repo-{number:03}");
        let answer = nodes[1].send(ask(&path)).await;
        assert_eq!(answer.cache_status(), "ghmesh; hit; detail=peer");
    }
    for node in &nodes {
        node.until("connected_peers", 1).await;
    }
}

#[tokio::test]
async fn a_member_that_is_told_to_end_says_goodbye_and_leaves_nothing_behind() {
    let github = github().await;
    let mut nodes = fleet(github.url(), 2).await;
    let leaving = nodes.pop().unwrap();
    let socket = leaving.socket();
    assert!(socket.exists());
    leaving.signal("TERM").await;
    let (status, printed) = leaving.end().await;
    assert_eq!((status.code(), printed.as_str()), (Some(0), ""));
    assert!(!socket.exists());
    nodes[0].until("connected_peers", 0).await;
}

#[tokio::test]
async fn another_token_does_not_meet_what_the_first_was_shown() {
    let github = github().await;
    let other = "ghp_another0000000000000000000000000000a";
    github.add_token(gh_client::testing::Token::new(other).login("hubot"));
    let nodes = fleet(github.url(), 2).await;
    nodes[0].send(ask("/user")).await;
    nodes[0].until("broadcast.acked", 1).await;
    let answer = nodes[1].send(Ask::get("/user").token(other)).await;
    assert_eq!(answer.cache_status(), "ghmesh; fwd=uri-miss");
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["login"], "hubot");
}

#[tokio::test]
async fn peers_are_told_with_all_that_is_known_of_them() {
    let github = github().await;
    let nodes = fleet(github.url(), 2).await;
    let peers = nodes[0].json("/-/peers").await;
    let peer = &peers[0];
    assert_eq!(peer["peer_id"], nodes[1].field("peer"));
    assert_eq!(peer["direction"], "inbound");
    assert!(
        peer["addresses"][0]
            .as_str()
            .unwrap()
            .starts_with("/ip4/127.0.0.1/tcp/")
    );
    assert!(peer["age_seconds"].is_u64());
    let peers = nodes[1].json("/-/peers").await;
    assert_eq!(peers[0]["direction"], "outbound");
}
