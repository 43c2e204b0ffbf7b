//! What goes through a node unchanged, and what does not go through at all.

use std::time::Duration;

use e2e::client::{Answer, Ask};
use e2e::process::Node;
use gh_client::testing::{Canned, Fault, StandIn};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time;

use crate::{TOKEN, github};

async fn node(github: &StandIn) -> Node {
    Node::start(github.url(), &["--p2p", "false"]).await
}

fn ask(path: &str) -> Ask {
    Ask::get(path).token(TOKEN)
}

/// What GitHub answers, and what it answers through a node, twice; nothing of it is stored.
async fn compare(github: &StandIn, ask: Ask) -> Answer {
    let node = node(github).await;
    let direct = ask.send(github.url()).await;
    for _ in 0..2 {
        let calls = github.calls().total();
        let answer = node.send(ask.clone()).await;
        assert_eq!(github.calls().total(), calls + 1, "GitHub was asked");
        assert_eq!(answer.status, direct.status);
        assert_eq!(answer.complete, direct.complete);
        assert!(
            answer.body == direct.body,
            "{} of {} bytes",
            answer.body.len(),
            direct.body.len()
        );
        assert_eq!(answer.header("content-type"), direct.header("content-type"));
        assert_eq!(
            answer.header("content-length"),
            direct.header("content-length")
        );
        assert_eq!(answer.header("via"), "1.1 ghmesh");
    }
    assert_eq!(node.count("entries").await, 0);
    direct
}

/// Where a body breaks off, the client gets what has arrived and no proper end; nothing is stored.
async fn breaks_off(fault: Fault) {
    let github = github().await;
    let node = node(&github).await;
    let path = "/repos/octo-org/octo-repo-000";
    let whole = ask(path).send(github.url()).await.body;
    github.fault(path, fault);
    for _ in 0..2 {
        let answer = node.send(ask(path)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(!answer.complete && !answer.body.is_empty());
        assert!(whole.starts_with(&answer.body) && answer.body.len() < whole.len());
    }
    assert_eq!(node.count("entries").await, 0);
    github.heal(path);
    assert_eq!(node.send(ask(path)).await.body, whole);
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_off_for_the_client_too() {
    breaks_off(Fault::cut_body()).await;
}

#[tokio::test]
async fn a_chunked_body_that_breaks_off_breaks_off_for_the_client_too() {
    breaks_off(Fault::cut_chunked()).await;
}

#[tokio::test]
async fn a_server_error_is_passed_on() {
    let github = github().await;
    let node = node(&github).await;
    github.fault("/user", Fault::status(500));
    let direct = ask("/user").send(github.url()).await;
    for _ in 0..2 {
        let answer = node.send(ask("/user")).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.body, direct.body);
    }
    // What fails for a moment is tried again, and nobody hears of it.
    github.heal("/user");
    github.fault("/user", Fault::status(502).times(2));
    assert_eq!(node.send(ask("/user")).await.status, StatusCode::OK);
    assert_eq!(node.count("entries").await, 1);
}

#[tokio::test]
async fn a_download_of_50_megabytes_goes_through() {
    let github = github().await;
    let size = 50 * 1024 * 1024;
    github.serve("/archive", Canned::new(200).generated(size));
    let direct = compare(&github, ask("/archive")).await;
    assert_eq!(direct.body.len() as u64, size);
}

#[tokio::test]
async fn a_post_is_passed_on_and_never_cached() {
    let github = github().await;
    let node = node(&github).await;
    let post = Ask::post(
        "/repos/octo-org/octo-repo-000/issues",
        r#"{"title":"A bug"}"#,
    )
    .token(TOKEN)
    .header("content-type", "application/json");
    for _ in 0..2 {
        let answer = node.send(post.clone()).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(answer.cache_status(), "ghmesh; fwd=method");
        let issue: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(issue["title"], "A bug");
    }
    assert_eq!(github.calls().method(&http::Method::POST).total(), 2);
    assert_eq!(
        (node.count("entries").await, node.count("bypassed").await),
        (0, 2)
    );
}

#[tokio::test]
async fn a_missing_page_is_not_remembered() {
    let github = github().await;
    let direct = compare(&github, ask("/repos/octo-org/no-such-repo")).await;
    assert_eq!(direct.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn fifty_clients_at_once_make_one_call() {
    let github = github().await;
    github.latency(Duration::from_millis(200));
    let node = node(&github).await;
    let clients = (0..50).map(|_| {
        let (origin, ask) = (node.http().to_owned(), ask("/user"));
        tokio::spawn(async move { ask.send(&origin).await.status })
    });
    let clients: Vec<_> = clients.collect();
    for client in clients {
        assert_eq!(client.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(github.calls().total(), 1);
    let stats = node.stats().await;
    assert_eq!(stats["requests"], 50);
    assert_eq!(stats["misses"], 1);
    assert_eq!(
        stats["hits"].as_u64().unwrap() + stats["coalesced"].as_u64().unwrap(),
        49
    );
    assert_eq!(
        (
            stats["api_calls_made"].clone(),
            stats["api_calls_saved"].clone()
        ),
        (1.into(), 49.into())
    );
}

#[tokio::test]
async fn a_page_leads_to_the_next_through_the_node() {
    let github = github().await;
    let node = node(&github).await;
    let page = node.send(ask("/orgs/octo-org/repos?per_page=10")).await;
    let next = page
        .header("link")
        .split(['<', '>'])
        .nth(1)
        .unwrap()
        .to_owned();
    assert!(next.starts_with(node.http()), "{next}");
    let path = next.trim_start_matches(node.http());
    assert_eq!(node.send(ask(path)).await.status, StatusCode::OK);
    assert_eq!(github.calls().total(), 2);
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_is_said_to_be_so() {
    let github = github().await;
    let node = node(&github).await;
    assert_eq!(node.send(ask("/user")).await.status, StatusCode::OK);
    github.offline();
    let known = node.send(ask("/user")).await;
    assert_eq!(known.cache_status(), "ghmesh; hit");
    let unknown = node.send(ask("/orgs/octo-org")).await;
    assert_eq!(unknown.status, StatusCode::BAD_GATEWAY);
    assert_eq!(unknown.cache_status(), "ghmesh; fwd=uri-miss");
    let message = String::from_utf8(unknown.body).unwrap();
    assert!(
        message.contains("cannot reach") && message.contains(github.url()),
        "{message}"
    );
}

#[tokio::test]
async fn a_stale_answer_is_revalidated_for_free_and_served_where_github_is_down() {
    let github = github().await;
    let flags = ["--p2p", "false", "--default-ttl", "0"];
    let node = Node::start(github.url(), &flags).await;
    let path = "/orgs/octo-org/repos";
    assert_eq!(
        node.send(ask(path)).await.cache_status(),
        "ghmesh; fwd=uri-miss"
    );
    let revalidated = node.send(ask(path)).await;
    assert_eq!(
        revalidated.cache_status(),
        "ghmesh; hit; detail=revalidated"
    );
    assert_eq!(github.calls().status(304).total(), 1);
    assert_eq!(node.count("api_calls_made").await, 1);
    github.offline();
    assert_eq!(
        node.send(ask(path)).await.cache_status(),
        "ghmesh; hit; detail=stale"
    );
}

#[tokio::test]
async fn a_node_that_points_at_itself_says_so() {
    let github = github().await;
    let node = node(&github).await;
    let behind = Node::start(node.http(), &["--p2p", "false"]).await;
    let answer = behind.send(ask("/user")).await;
    assert_eq!(answer.status, StatusCode::LOOP_DETECTED);
}

#[tokio::test]
async fn a_web_page_elsewhere_cannot_use_the_node() {
    let github = github().await;
    let node = node(&github).await;
    let rebound = node.send(ask("/user").header("host", "evil.example")).await;
    assert_eq!(rebound.status, StatusCode::FORBIDDEN);
    let foreign = Ask::get("/-/stats").header("sec-fetch-site", "cross-site");
    assert_eq!(node.send(foreign).await.status, StatusCode::FORBIDDEN);
    assert_eq!(github.calls().total(), 0);
}

#[tokio::test]
async fn an_upload_may_come_bit_by_bit_and_by_an_enterprise_servers_path() {
    let github = github().await;
    let node = node(&github).await;
    let origin = node.http().trim_start_matches("http://");
    let mut client = TcpStream::connect(origin).await.unwrap();
    let body = r#"{"title":"A bug"}"#;
    let head = format!(
        "POST /api/v3/repos/octo-org/octo-repo-000/issues HTTP/1.1\r\nHost: {origin}\r\n\
         User-Agent: e2e\r\nConnection: close\r\nAuthorization: token {TOKEN}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).await.unwrap();
    for byte in body.as_bytes().chunks(4) {
        client.write_all(byte).await.unwrap();
        time::sleep(Duration::from_millis(50)).await;
    }
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
}

#[tokio::test]
async fn a_token_is_added_only_where_it_was_asked_for() {
    let github = github().await;
    let env = [("GH_TOKEN", TOKEN)];
    let node = Node::start_with(github.url(), &["--p2p", "false"], &env).await;
    assert_eq!(
        node.send(Ask::get("/user")).await.status,
        StatusCode::UNAUTHORIZED
    );
    let flags = ["--p2p", "false", "--inject-token"];
    let node = Node::start_with(github.url(), &flags, &env).await;
    assert_eq!(node.send(Ask::get("/user")).await.status, StatusCode::OK);
}
