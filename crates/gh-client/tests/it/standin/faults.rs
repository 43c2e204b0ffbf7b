//! What goes wrong when it is told to.

use std::error::Error;
use std::io;
use std::time::Duration;

use gh_client::testing::{Canned, Fault, StandIn};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{OCTOCAT, get, request, send};

const REPO: &str = "/repos/octo-org/octo-repo-000";

/// What arrives on a connection until it ends, and how it ended.
async fn raw(github: &StandIn, path: &str) -> (Vec<u8>, io::Result<()>) {
    let address = github.url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let asked = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nuser-agent: tests\r\n\r\n");
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut arrived = Vec::new();
    let end = stream.read_to_end(&mut arrived).await.map(drop);
    (arrived, end)
}

/// The head of an answer, and its body as it was transferred.
fn split(answer: &[u8]) -> (String, &[u8]) {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.unwrap() + 4);
    (String::from_utf8(head.to_vec()).unwrap(), body)
}

#[tokio::test]
async fn a_fault_with_a_count_is_over_after_it() {
    let github = StandIn::start().await.unwrap();
    github.fault(REPO, Fault::status(502).times(2));

    assert_eq!(get(&github, "/user").await.status, 200);
    let failed = get(&github, REPO).await;
    assert_eq!(
        (failed.status.as_u16(), failed.json()),
        (502, json!({ "message": "Server Error" }))
    );
    assert_eq!(get(&github, REPO).await.status, 502);
    assert_eq!(get(&github, REPO).await.status, 200);
    assert_eq!(github.calls().of(REPO).status(502).total(), 2);
    assert_eq!(github.calls().of(REPO).charged().total(), 1);
}

#[tokio::test]
async fn a_fault_without_a_count_stays_until_it_is_healed() {
    let github = StandIn::start().await.unwrap();
    github.fault("/repos/*", Fault::status(500));

    for _ in 0..3 {
        assert_eq!(get(&github, REPO).await.status, 500);
    }
    github.heal("/repos/*");
    assert_eq!(get(&github, REPO).await.status, 200);
}

#[tokio::test]
async fn a_fault_for_a_query_leaves_other_queries_alone() {
    let github = StandIn::start().await.unwrap();
    github.fault("/orgs/octo-org/repos?page=2", Fault::status(503));

    assert_eq!(
        get(&github, "/orgs/octo-org/repos?page=2").await.status,
        503
    );
    assert_eq!(
        get(&github, "/orgs/octo-org/repos?page=1").await.status,
        200
    );
    assert_eq!(get(&github, "/orgs/octo-org/repos").await.status, 200);
}

#[tokio::test]
async fn the_secondary_limit_says_how_long_to_wait() {
    let github = StandIn::start().await.unwrap();
    github.fault("*", Fault::secondary_limit(17).times(1));
    let refused = get(&github, REPO).await;

    assert_eq!(refused.status, 403);
    assert_eq!(refused.header("retry-after"), "17");
    let message = refused.json()["message"].to_string();
    assert!(message.contains("secondary rate limit"));
}

#[tokio::test]
async fn a_declared_body_breaks_off_half_way() {
    let github = StandIn::start().await.unwrap();
    github.fault(REPO, Fault::cut_body());
    let (answer, _) = raw(&github, REPO).await;
    let (head, body) = split(&answer);

    let declared = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let declared: usize = declared.unwrap().parse().unwrap();
    assert_eq!(body.len(), declared / 2);
    assert!(
        send(request(&github, "GET", REPO, &[OCTOCAT], ""))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_chunked_body_breaks_off_half_way() {
    let github = StandIn::start().await.unwrap();
    github.fault(REPO, Fault::cut_chunked());
    let (answer, _) = raw(&github, REPO).await;
    let (head, body) = split(&answer);

    assert!(head.contains("transfer-encoding: chunked"));
    assert!(body.len() > 1000);
    assert!(!body.ends_with(b"0\r\n\r\n"));
    assert!(
        send(request(&github, "GET", REPO, &[OCTOCAT], ""))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let github = StandIn::start().await.unwrap();
    github.fault(REPO, Fault::reset());
    let (answer, end) = raw(&github, REPO).await;

    assert!(answer.is_empty());
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let call = github.calls().recent().next().cloned().unwrap();
    assert_eq!(call.status, None);
}

#[tokio::test]
async fn a_slow_body_arrives_whole() {
    let github = StandIn::start().await.unwrap();
    let quick = get(&github, REPO).await;
    github.fault(REPO, Fault::slow_body(Duration::from_millis(1)));

    assert_eq!(get(&github, REPO).await.body, quick.body);
}

#[tokio::test]
async fn a_late_answer_is_counted_when_it_was_asked_for() {
    let github = StandIn::start().await.unwrap();
    github.fault(REPO, Fault::latency(Duration::from_secs(3600)));
    github.fault("/user", Fault::silence());

    for path in [REPO, "/user"] {
        let waiting = send(request(&github, "GET", path, &[OCTOCAT], ""));
        let counted = async {
            while github.calls().of(path).total() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = waiting => panic!("{path} was answered"),
            () = counted => {}
        }
    }
}

#[tokio::test]
async fn a_canned_answer_is_sent_as_it_is() {
    let github = StandIn::start().await.unwrap();
    let canned = Canned::new(302)
        .header("location", "https://objects.example/x")
        .header("set-cookie", "a=1")
        .header("set-cookie", "b=2")
        .body("elsewhere");
    github.serve("/repos/o/r/tarball/main", canned);
    let answer = get(&github, "/repos/o/r/tarball/main").await;

    assert_eq!(answer.status, 302);
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(answer.body, "elsewhere");
    assert!(!answer.headers.contains_key("x-ratelimit-used"));
}

#[tokio::test]
async fn fifty_megabytes_are_sent_piece_by_piece() -> Result<(), Box<dyn Error>> {
    const LEN: u64 = 50 * 1024 * 1024;
    let github = StandIn::start().await?;
    github.serve("/download", Canned::new(200).generated(LEN));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut answer = client
        .request(request(&github, "GET", "/download", &[], ""))
        .await?;

    assert_eq!(answer.headers()["content-length"], LEN.to_string());
    let mut arrived = 0;
    while let Some(frame) = answer.frame().await {
        arrived += frame?.into_data().map_or(0, |data| data.len() as u64);
    }
    assert_eq!(arrived, LEN);
    Ok(())
}
