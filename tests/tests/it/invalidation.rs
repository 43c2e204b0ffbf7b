//! `ghmesh invalidate` and `POST /-/invalidate`: what is dropped, where, and what is refused.

use e2e::client::Ask;
use e2e::process::{Node, fleet, output};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{TOKEN, github};

fn repository(number: u32) -> Ask {
    Ask::get(&format!("/repos/octo-org/octo-repo-{number:03}")).token(TOKEN)
}

/// Two members, both of which have three repositories.
async fn two_that_share(upstream: &str) -> Vec<Node> {
    let nodes = fleet(upstream, 2).await;
    for number in 0..3 {
        nodes[0].send(repository(number)).await;
    }
    nodes[1].until("entries", 3).await;
    nodes
}

#[tokio::test]
async fn a_path_is_dropped_with_what_is_below_it_on_every_member() {
    let github = github().await;
    let nodes = two_that_share(github.url()).await;
    let args = ["invalidate", "/repos/octo-org/Octo-Repo-001", "--node"];
    let dropped = output(&[&args[..], &[nodes[0].http()]].concat()).await;
    let said = String::from_utf8(dropped.stdout).unwrap();
    assert!(said.starts_with("1 dropped on this node"), "{said}");

    nodes[1].until("entries", 2).await;
    for (number, status) in [
        (0, "ghmesh; hit; detail=peer"),
        (1, "ghmesh; fwd=uri-miss"),
        (2, "ghmesh; hit; detail=peer"),
    ] {
        let answer = nodes[1].send(repository(number)).await;
        assert_eq!(answer.cache_status(), status, "repository {number}");
    }
}

#[tokio::test]
async fn everything_is_dropped_on_every_member() {
    let github = github().await;
    let nodes = two_that_share(github.url()).await;
    let answer = nodes[1]
        .send(Ask::post("/-/invalidate", r#"{"all": true}"#))
        .await;
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer, json!({"invalidated": 3}));
    for node in &nodes {
        node.until("entries", 0).await;
    }
}

#[tokio::test]
async fn what_says_nothing_to_drop_is_refused_with_what_would() {
    let github = github().await;
    let node = Node::start(github.url(), &["--p2p", "false"]).await;
    node.send(repository(0)).await;
    for (body, remedy) in [
        ("", r#"{"prefix": "/repos/OWNER/REPO"}"#),
        ("all", r#"{"all": true}"#),
        (r#"{"all": false}"#, r#"{"all": true}"#),
        (r#"{"all": true, "prefix": "/repos"}"#, r#"{"all": true}"#),
        (
            r#"{"prefix": "octo-org/octo-repo-000"}"#,
            "/repos/OWNER/REPO",
        ),
        (r#"{"prefix": "/"}"#, r#"{"all": true}"#),
        (r#"{"prefix": "/repos/o/r?page=2"}"#, "a query"),
    ] {
        let answer = node.send(Ask::post("/-/invalidate", body)).await;
        let said = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(said.contains(remedy), "{body}: {said}");
    }
    let answer = node.send(Ask::get("/-/invalidate")).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), "POST");
    let said = String::from_utf8(answer.body).unwrap();
    assert!(said.contains(r#"{"all": true}"#), "{said}");
    let page =
        Ask::post("/-/invalidate", r#"{"all": true}"#).header("origin", "https://evil.example");
    assert_eq!(node.send(page).await.status, StatusCode::FORBIDDEN);
    assert_eq!(node.count("entries").await, 1, "nothing was dropped");
}

#[tokio::test]
async fn the_command_line_names_the_remedy() {
    for (args, code, remedy) in [
        (&["invalidate"][..], 2, "--all"),
        (&["invalidate", "/"], 2, "--all"),
        (
            &["invalidate", "octo-org/octo-repo-000"],
            2,
            "/repos/OWNER/REPO",
        ),
        (&["invalidate", "/repos", "--all"], 2, "--all"),
        (
            &["invalidate", "--all", "--node", "127.0.0.1:1"],
            1,
            "ghmesh serve",
        ),
    ] {
        let refused = output(args).await;
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(remedy), "{args:?}: {said}");
    }
}
