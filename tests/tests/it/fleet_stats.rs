//! What members tell each other of how they stand: counters, and limits.

use e2e::client::Ask;
use e2e::eventually;
use e2e::process::{Node, fleet, output};
use gh_client::testing::Token;
use http::StatusCode;
use serde_json::json;

use crate::{TOKEN, github};

#[tokio::test]
async fn one_member_tells_what_all_have_counted() {
    let github = github().await;
    let mut nodes = fleet(github.url(), 3).await;
    let user = Ask::get("/user").token(TOKEN);
    nodes[0].send(user.clone()).await;
    nodes[0].until("broadcast.acked", 2).await;
    for node in &nodes {
        node.send(user.clone()).await;
    }
    nodes[1].send(Ask::get("/rate_limit").token(TOKEN)).await;

    let stats = nodes[2].json("/-/stats?fleet=1").await;
    let fleet = &stats["fleet"];
    for (counter, value) in [
        ("requests", json!(5)),
        ("hits", json!(1)),
        ("peer_hits", json!(2)),
        ("misses", json!(1)),
        ("hit_rate", json!(0.75)),
        ("bypassed", json!(1)),
        ("api_calls_saved", json!(3)),
        ("entries", json!(3)),
    ] {
        assert_eq!(fleet["totals"][counter], value, "{counter}");
    }
    let members = fleet["members"].as_array().unwrap();
    assert_eq!(members.len(), 3);
    assert_eq!(members[0]["peer_id"], nodes[2].field("peer"));
    assert_eq!(members[0]["is_local"], true);
    assert_eq!(members[0]["peer_hits"], stats["peer_hits"]);
    let first = members
        .iter()
        .find(|member| member["peer_id"] == nodes[0].field("peer"));
    let first = first.unwrap();
    assert_eq!((&first["misses"], &first["hits"]), (&json!(1), &json!(1)));
    assert!(nodes[2].stats().await["fleet"].is_null(), "not asked for");

    // One leaves; what it has counted stays counted.
    let leaving = nodes.pop().unwrap();
    let id = leaving.field("peer").to_owned();
    leaving.end_by("TERM").await;
    eventually("the one that left is counted as gone", async || {
        nodes[0].json("/-/stats?fleet=1").await["fleet"]["past_members"] == 1
    })
    .await;
    let table = output(&["stats", "--fleet", "--node", nodes[0].http()]).await;
    let table = String::from_utf8(table.stdout).unwrap();
    let shown = |peer: &str| table.contains(&peer[peer.len() - 10..]);
    assert!(
        shown(nodes[0].field("peer")) && shown(nodes[1].field("peer")),
        "{table}"
    );
    assert!(!shown(&id) && table.contains("1 gone"), "{table}");
    assert!(
        table.contains("3 of 5 requests answered without a call"),
        "{table}"
    );
}

#[tokio::test]
async fn a_node_that_shares_with_nobody_is_its_own_fleet() {
    let github = github().await;
    let node = Node::start(github.url(), &["--p2p", "false"]).await;
    node.send(Ask::get("/user").token(TOKEN)).await;
    let json = output(&["stats", "--fleet", "--json", "--node", node.http()]).await;
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["fleet"]["members"].as_array().unwrap().len(), 1);
    assert_eq!(json["fleet"]["totals"]["misses"], 1);
    let table = output(&["stats", "--fleet", "--node", node.http()]).await;
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("sharing is off"), "{table}");
}

#[tokio::test]
async fn a_limit_that_one_member_has_met_is_kept_by_the_others() {
    let github = github().await;
    let poor = "ghp_poor000000000000000000000000000000aa";
    github.add_token(Token::new(poor).login("hubot").limit(1));
    let nodes = fleet(github.url(), 2).await;
    let last = nodes[0].send(Ask::get("/user").token(poor)).await;
    assert_eq!(last.status, StatusCode::OK);
    eventually("the other has been told", async || {
        nodes[1].stats().await["rate_limits"][0]["remaining"] == 0
    })
    .await;
    let refused = nodes[1]
        .send(Ask::get("/repos/octo-org/octo-repo-000").token(poor))
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    assert_eq!(github.calls().by(poor).total(), 1, "GitHub was not asked");
}
