//! A fleet of processes that changes its secret while it is at work.

use e2e::client::Ask;
use e2e::process::{Node, SECRET, fleet, output};

use crate::github;

const NEW: &str = "ghmesh_ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

#[tokio::test]
async fn a_secret_is_changed_node_by_node_and_the_fleet_goes_on_sharing() {
    let github = github().await;
    let mut nodes = fleet(github.url(), 4).await;
    let mut asked = 0;
    for (secret, previous) in [(SECRET, NEW), (NEW, SECRET), (NEW, "")] {
        for changing in 0..nodes.len() {
            let leaving = nodes.remove(changing);
            leaving.signal("TERM").await;
            leaving.end().await;
            let node = join(github.url(), secret, previous, &nodes).await;
            nodes.insert(changing, node);
            for node in &nodes {
                node.until("connected_peers", 3).await;
            }
            // What the changed node asks for all others have, and the other way round.
            for asking in [changing, (changing + 1) % nodes.len()] {
                share(&nodes, asking, asked).await;
                asked += 1;
            }
        }
    }
    assert_eq!(github.calls().total(), asked);
}

#[tokio::test]
async fn a_fleet_that_skips_the_first_round_sees_in_its_counters_why_it_shares_but_half() {
    let github = github().await;
    let behind = join(github.url(), SECRET, "", &[]).await;
    let ahead = join(github.url(), NEW, SECRET, std::slice::from_ref(&behind)).await;
    ahead.until("connected_peers", 1).await;

    ahead.send(Ask::get("/repos/octo-org/octo-repo-001")).await;

    let counter = "received.unopened.other_secret";
    e2e::eventually(counter, async || behind.count(counter).await > 0).await;
    assert_eq!(ahead.count(counter).await, 0);
    let table = output(&["stats", "--node", behind.http()]).await;
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("of another secret"), "{table}");
}

/// Starts a member with two secrets; an empty one is none.
async fn join(upstream: &str, secret: &str, previous: &str, others: &[Node]) -> Node {
    let bootstrap: Vec<&str> = others.iter().map(|node| node.field("p2p")).collect();
    let env = [
        ("CACHE_P2P_SHARED_SECRET", secret),
        ("CACHE_P2P_PREVIOUS_SECRET", previous),
        ("CACHE_BOOTSTRAP_PEERS", &bootstrap.join(",")),
    ];
    let flags = ["--p2p-listen", "/ip4/127.0.0.1/tcp/0"];
    Node::start_with(upstream, &flags, &env).await
}

/// One node asks a question that nobody has asked yet, and then all others have the answer.
///
/// Nobody's token goes along: what is filed under a token is filed anew under a new secret.
async fn share(nodes: &[Node], asking: usize, number: u64) {
    let path = format!("/repos/octo-org/octo-repo-{number:03}");
    let acked = nodes[asking].count("broadcast.acked").await;
    let first = nodes[asking].send(Ask::get(&path)).await;
    assert_eq!(first.cache_status(), "ghmesh; fwd=uri-miss");
    nodes[asking].until("broadcast.acked", acked + 3).await;
    for (at, node) in nodes.iter().enumerate() {
        if at != asking {
            let answer = node.send(Ask::get(&path)).await;
            assert_eq!(answer.cache_status(), "ghmesh; hit; detail=peer");
        }
    }
}
