//! Switched off and on, stopped, dropped, counted.

use gh_client::testing::{Asker, StandIn};
use http::Method;
use tokio::net::TcpStream;

use super::{OCTOCAT, get, get_anonymously, get_with, request, send};

#[tokio::test]
async fn offline_nothing_is_answered_and_online_everything_again() {
    let github = StandIn::start().await.unwrap();
    github.offline();
    for _ in 0..3 {
        let asked = request(&github, "GET", "/user", &[OCTOCAT], "");
        assert!(send(asked).await.is_err());
    }
    assert_eq!(github.calls().total(), 0);

    github.online();
    assert_eq!(get(&github, "/user").await.status, 200);
}

#[tokio::test]
async fn what_was_written_and_touched_can_be_taken_back() {
    let github = StandIn::start().await.unwrap();
    let repo = "/repos/octocat/hello-world";
    let before = get(&github, repo).await.body;
    let new = request(
        &github,
        "POST",
        "/repos/octocat/hello-world/issues",
        &[OCTOCAT],
        r#"{"title":"New"}"#,
    );
    assert_eq!(send(new).await.unwrap().status, 201);
    github.touch(repo);
    github.add_private("octocat/secret", &[StandIn::TOKEN]);
    assert_ne!(get(&github, repo).await.body, before);

    github.restore();
    assert_eq!(get(&github, repo).await.body, before);
    assert_eq!(get(&github, "/repos/octocat/secret").await.status, 404);
}

#[tokio::test]
async fn going_offline_cuts_the_connections_that_are_open() {
    let github = StandIn::start().await.unwrap();
    let address = github.url().strip_prefix("http://").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    get(&github, "/user").await;
    github.offline();

    stream.readable().await.unwrap();
    let end = stream.try_read(&mut [0]);
    assert!(!matches!(end, Ok(1..)));
}

#[tokio::test]
async fn a_stopped_or_dropped_one_refuses_connections() {
    let github = StandIn::start().await.unwrap();
    let address = github.url().strip_prefix("http://").unwrap().to_owned();
    github.stop().await;
    assert!(TcpStream::connect(&address).await.is_err());

    let github = StandIn::start().await.unwrap();
    let address = github.url().strip_prefix("http://").unwrap().to_owned();
    drop(github);
    while TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn calls_are_told_apart_by_path_caller_status_and_method() {
    let github = StandIn::start().await.unwrap();
    get(&github, "/orgs/octo-org/repos?page=1").await;
    get(&github, "/orgs/octo-org/repos?page=2").await;
    get(&github, "/orgs/octo-org").await;
    get_anonymously(&github, "/nothing").await;
    get_with(&github, "/user", &[("authorization", "Bearer wrong")]).await;

    let calls = github.calls();
    assert_eq!(calls.total(), 5);
    assert_eq!(calls.clone().of("/orgs/octo-org/repos").total(), 2);
    assert_eq!(calls.clone().of("/orgs/octo-org/repos?page=2").total(), 1);
    assert_eq!(calls.clone().of("/orgs/*").distinct(), 3);
    assert_eq!(calls.clone().by(StandIn::TOKEN).status(200).total(), 3);
    assert_eq!(calls.clone().anonymous().status(404).total(), 1);
    assert_eq!(calls.clone().method(&Method::POST).total(), 0);
    let last = calls.recent().last().unwrap();
    assert_eq!((last.path(), &last.by), ("/user", &Asker::Unknown));

    github.reset_calls();
    assert_eq!(github.calls().total(), 0);
}

#[tokio::test]
async fn a_revoked_token_is_a_wrong_one() {
    let github = StandIn::start().await.unwrap();
    assert!(github.revoke_token(StandIn::TOKEN));
    assert_eq!(get(&github, "/user").await.status, 401);
}
