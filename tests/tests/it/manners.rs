//! github.md, "Proxy manners": what a client that knows nothing of the node may expect of it.

use std::time::Duration;

use e2e::client::Ask;
use e2e::process::Node;
use gh_client::testing::{Canned, StandIn};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time;

use crate::{TOKEN, github};

const REPO: &str = "/repos/octo-org/octo-repo-000";

async fn node(github: &StandIn) -> Node {
    Node::start(github.url(), &["--p2p", "false"]).await
}

fn ask(path: &str) -> Ask {
    Ask::get(path).token(TOKEN)
}

/// What comes back on a connection until it is closed.
async fn raw(node: &Node, request: &str) -> String {
    let origin = node.http().trim_start_matches("http://");
    let mut client = TcpStream::connect(origin).await.unwrap();
    let request = request.replace("HOST", origin);
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn duplicate_header_lines_survive_and_values_are_bytes() {
    let github = github().await;
    let canned = Canned::new(200)
        .header("x-twice", "one")
        .header("x-twice", "two")
        .header("x-name", "café")
        .body("body");
    github.serve("/meta", canned);
    let node = node(&github).await;
    for cache_status in ["ghmesh; fwd=uri-miss", "ghmesh; hit"] {
        let answer = node.send(ask("/meta")).await;
        let twice: Vec<_> = answer.headers.get_all("x-twice").iter().collect();
        assert_eq!(twice, ["one", "two"]);
        assert_eq!(answer.headers["x-name"].as_bytes(), "café".as_bytes());
        assert_eq!(answer.cache_status(), cache_status);
    }
}

#[tokio::test]
async fn hop_by_hop_headers_end_at_the_node_and_via_is_added() {
    let github = github().await;
    let canned = Canned::new(200)
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("x-kept", "1");
    github.serve("/meta", canned);
    let node = node(&github).await;
    let answer = node.send(ask("/meta")).await;
    assert_eq!((answer.header("x-hop"), answer.header("x-kept")), ("", "1"));
    assert_eq!(answer.header("via"), "1.1 ghmesh");
    let call = github.calls().recent().last().cloned().unwrap();
    assert_eq!(call.via.as_deref(), Some("1.1 ghmesh"));
}

#[tokio::test]
async fn nobody_has_the_node_drop_a_credential_and_take_it_for_good() {
    let github = github().await;
    let node = Node::start(github.url(), &["--p2p", "false", "--sharing", "fleet"]).await;
    assert_eq!(node.send(ask(REPO)).await.status, StatusCode::OK);
    for path in ["/rate_limit", REPO] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: HOST\r\nUser-Agent: e2e\r\n\
             Authorization: token bogus\r\nConnection: close, authorization\r\n\r\n"
        );
        let answer = raw(&node, &request).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{path}: {answer}");
    }
}

#[tokio::test]
async fn links_lead_through_the_port_and_on_the_socket_to_the_host_that_was_asked() {
    let github = github().await;
    let node = node(&github).await;
    let list = ask("/orgs/octo-org/repos?per_page=10");
    let by_port = list.send(node.http()).await;
    assert!(by_port.header("link").contains(node.http()));
    assert!(!by_port.header("link").contains(github.url()));
    // By the socket nothing is rewritten where upstream leads to the host that was asked itself.
    let upstream = github.url().trim_start_matches("http://");
    for (host, leads_to) in [
        ("api.github.com", "<https://api.github.com/"),
        (upstream, github.url()),
    ] {
        let by_socket = list.clone().header("host", host);
        let by_socket = by_socket.send_unix(&node.socket()).await;
        let link = by_socket.header("link");
        assert!(link.contains(leads_to), "{host}: {link}");
        assert_eq!(by_socket.body, by_port.body);
        assert_eq!(by_socket.cache_status(), "ghmesh; hit");
    }
}

#[tokio::test]
async fn the_forms_of_an_enterprise_server_lead_to_the_same_entry() {
    let github = github().await;
    let node = node(&github).await;
    node.send(ask(REPO)).await;
    let enterprise = ask(&format!("/api/v3{REPO}"));
    for answer in [
        enterprise.send(node.http()).await,
        enterprise.send_unix(&node.socket()).await,
    ] {
        assert_eq!(answer.cache_status(), "ghmesh; hit");
    }
    let query = r#"{"query":"{ viewer { login } }"}"#;
    let canned = Canned::new(200).body(r#"{"data":{"viewer":{"login":"octocat"}}}"#);
    github.serve("/graphql", canned);
    for (path, cache_status) in [
        ("/graphql", "ghmesh; fwd=uri-miss"),
        ("/api/graphql", "ghmesh; hit"),
    ] {
        let answer = Ask::post(path, query).token(TOKEN);
        let answer = answer.send_unix(&node.socket()).await;
        assert_eq!(answer.cache_status(), cache_status, "{path}");
    }
}

#[tokio::test]
async fn uploads_go_to_the_host_for_uploads() {
    let github = github().await;
    let path = "/repos/octo-org/octo-repo-000/releases/1/assets";
    github.serve(&format!("/api/uploads{path}"), Canned::new(201));
    let node = node(&github).await;
    let upload = Ask::post(path, "a file").token(TOKEN);
    let upload = upload.header("host", "uploads.github.com");
    let answer = upload.send_unix(&node.socket()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

#[tokio::test]
async fn the_socket_is_no_open_proxy() {
    let github = github().await;
    let node = node(&github).await;
    for host in ["evil.example", "169.254.169.254", "blob.core.windows.net"] {
        let elsewhere = Ask::get("/").header("host", host);
        let answer = elsewhere.send_unix(&node.socket()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{host}");
    }
    // By the port, not even GitHub's own: a browser can reach that.
    let download = Ask::get("/").header("host", "objects.githubusercontent.com");
    assert_eq!(node.send(download).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_connection_is_closed_where_the_client_wants_it_and_kept_where_not() {
    let github = github().await;
    let node = node(&github).await;
    let get = |connection| {
        format!(
            "GET {REPO} HTTP/1.1\r\nHost: HOST\r\nUser-Agent: e2e\r\n\
             Authorization: token {TOKEN}\r\nConnection: {connection}\r\n\r\n"
        )
    };
    let answers = raw(&node, &format!("{}{}", get("keep-alive"), get("close"))).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2);
    assert_eq!(github.calls().total(), 1);
}

#[tokio::test]
async fn a_client_that_waits_for_a_100_gets_it() {
    let github = github().await;
    let node = node(&github).await;
    let body = r#"{"title":"A bug"}"#;
    let request = format!(
        "POST {REPO}/issues HTTP/1.1\r\nHost: HOST\r\nUser-Agent: e2e\r\nConnection: close\r\n\
         Authorization: token {TOKEN}\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = raw(&node, &request).await;
    assert!(
        answer.starts_with("HTTP/1.1 100 Continue\r\n\r\n"),
        "{answer}"
    );
    assert!(answer.contains("HTTP/1.1 201 Created"), "{answer}");
}

/// An upstream that has heard enough once it has the head of a request, and reads no further.
async fn hasty_upstream() -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        let refusal = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(refusal).await.unwrap();
        // It does not close either.
        std::future::pending::<()>().await;
    });
    (url, serving)
}

/// The head of what arrives.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn the_body_of_a_request_is_passed_on_as_it_comes_and_an_answer_before_its_end_too() {
    let (url, upstream) = hasty_upstream().await;
    let node = Node::start(&url, &["--p2p", "false"]).await;
    let origin = node.http().trim_start_matches("http://");
    let mut client = TcpStream::connect(origin).await.unwrap();
    let request = format!(
        "POST {REPO}/issues HTTP/1.1\r\nHost: {origin}\r\nUser-Agent: e2e\r\n\
         Content-Length: 1000000\r\n\r\nthe first of many bytes"
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let answer = time::timeout(Duration::from_secs(60), head(&mut client)).await;
    let answer = answer.expect("an answer before the end of the request");
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    upstream.abort();
}

#[tokio::test]
async fn a_head_is_answered_from_gets_entry() {
    let github = github().await;
    let node = node(&github).await;
    let get = node.send(ask(REPO)).await;
    let head = node.send(Ask::head(REPO).token(TOKEN)).await;
    assert_eq!(head.cache_status(), "ghmesh; hit");
    assert_eq!(head.header("content-length"), get.body.len().to_string());
    assert!(head.body.is_empty() && head.complete);
    assert_eq!(github.calls().total(), 1);
}

#[tokio::test]
async fn a_write_is_seen_by_who_reads_next() {
    let github = github().await;
    let node = node(&github).await;
    let issues = ask(&format!("{REPO}/issues?state=open"));
    let before = node.send(issues.clone()).await;
    let new = Ask::post(&format!("{REPO}/issues"), r#"{"title":"New"}"#).token(TOKEN);
    assert_eq!(node.send(new).await.status, StatusCode::CREATED);
    let after = node.send(issues).await;
    assert_eq!(after.cache_status(), "ghmesh; fwd=uri-miss");
    assert_ne!(after.body, before.body);
}

#[tokio::test]
async fn known_things_are_answered_when_github_is_gone() {
    let github = github().await;
    let flags = ["--p2p", "false", "--default-ttl", "0"];
    let node = Node::start(github.url(), &flags).await;
    let list = ask("/orgs/octo-org/repos");
    let before = node.send(list.clone()).await;
    github.offline();
    let stale = node.send(list).await;
    assert_eq!(stale.cache_status(), "ghmesh; hit; detail=stale");
    assert_eq!(stale.body, before.body);
    let unknown = node.send(ask("/users/octocat")).await;
    assert_eq!(unknown.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn the_second_token_of_a_node_is_charged_nothing() {
    let github = github().await;
    let other = "ghs_anotherjob0000000000000000000000000a";
    github.add_token(gh_client::testing::Token::new(other));
    for sharing in ["token", "fleet"] {
        let node = Node::start(github.url(), &["--p2p", "false", "--sharing", sharing]).await;
        github.reset_calls();
        let runs = format!("{REPO}/actions/runs");
        node.send(ask(&runs)).await;
        let answer = node.send(Ask::get(&runs).token(other)).await;
        assert_eq!(answer.cache_status(), "ghmesh; hit; detail=revalidated");
        assert_eq!(github.calls().charged().total(), 1);
    }
}
