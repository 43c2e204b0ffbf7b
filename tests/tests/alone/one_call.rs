//! One call for the whole fleet, whoever asks at once, comes late, freezes or dies.

use std::array::from_fn;
use std::time::Duration;

use e2e::client::{Answer, Ask};
use e2e::eventually;
use e2e::process::{Node, SECRET, fleet};
use futures::future::join_all;
use gh_client::testing::{StandIn, Token};
use http::StatusCode;

use crate::MACHINE;

/// A token that the stand-in knows.
const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";

/// How long a call takes in the middle of which something happens to a member.
const CALL: Duration = Duration::from_secs(3);

/// So many are asked meanwhile.
const QUESTIONS: usize = 30;

async fn github() -> StandIn {
    let github = StandIn::start().await.unwrap();
    github.add_token(Token::new(TOKEN).login("octocat").limit(100_000));
    github
}

/// Something that nobody has asked for before.
fn path(number: usize) -> String {
    format!("/repos/octo-org/octo-repo-000?n={number}")
}

fn question(number: usize) -> Ask {
    Ask::get(&path(number)).token(TOKEN)
}

async fn ask_all(node: &Node, questions: usize) -> Vec<Answer> {
    join_all((0..questions).map(|number| node.send(question(number)))).await
}

/// How often each of the first questions has reached GitHub.
fn calls(github: &StandIn, questions: usize) -> Vec<u64> {
    let calls = |number| github.calls().of(&path(number)).total();
    (0..questions).map(calls).collect()
}

fn assert_all_answered(answers: &[Answer]) {
    for answer in answers {
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.body, answers[0].body);
    }
}

#[tokio::test]
async fn fifty_clients_of_each_of_five_members_cause_one_call_for_each_url() {
    const URLS: usize = 100;
    const CLIENTS: usize = 50;
    let _alone = MACHINE.lock().await;
    let github = github().await;
    let nodes = fleet(github.url(), 5).await;

    let client = async |node: &Node, client: usize| {
        let mut answers = Vec::new();
        for number in 0..URLS {
            // Each begins two further on than the one before it.
            let number = (client * URLS / CLIENTS + number) % URLS;
            answers.push(node.send(question(number)).await);
        }
        answers
    };
    let clients = nodes
        .iter()
        .flat_map(|node| (0..CLIENTS).map(|number| client(node, number)));
    let answers: Vec<_> = join_all(clients).await.into_iter().flatten().collect();

    assert_eq!(answers.len(), 5 * CLIENTS * URLS);
    assert_all_answered(&answers);
    assert_eq!(calls(&github, URLS), [1; URLS]);
}

#[tokio::test]
async fn who_joins_late_has_all_that_the_others_have_from_its_first_lookup_on() {
    const ENTRIES: usize = 1000;
    let _alone = MACHINE.lock().await;
    let github = github().await;
    let nodes = fleet(github.url(), 5).await;
    for number in 0..ENTRIES {
        let answer = nodes[number % 5].send(question(number)).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    for node in &nodes {
        node.until("entries", ENTRIES as u64).await;
    }
    github.offline();

    let late = Node::join(github.url(), SECRET, &nodes.iter().collect::<Vec<_>>()).await;
    eventually("somebody is connected", async || {
        late.count("connected_peers").await > 0
    })
    .await;
    // The oldest, which is the last to be caught up on.
    for number in 0..ENTRIES {
        let answer = late.send(question(number)).await;
        assert_eq!(
            answer.cache_status(),
            "ghmesh; hit; detail=peer",
            "{number}"
        );
    }

    assert_eq!(late.count("peer_hits").await, ENTRIES as u64);
    assert_eq!(github.calls().total(), ENTRIES as u64);
}

#[tokio::test]
async fn an_owner_that_freezes_costs_nobody_an_answer() {
    let _alone = MACHINE.lock().await;
    let github = github().await;
    let nodes = fleet(github.url(), 3).await;
    github.latency(CALL);
    let frozen = async {
        eventually("all are being called for", async || {
            github.calls().total() == QUESTIONS as u64
        })
        .await;
        // A third of the keys is its own.
        nodes[2].signal("STOP").await;
        ask_all(&nodes[1], QUESTIONS).await
    };

    let (callers, others) = tokio::join!(ask_all(&nodes[0], QUESTIONS), frozen);

    assert_all_answered(&callers);
    assert_all_answered(&others);
    let calls = calls(&github, QUESTIONS);
    assert!(calls.iter().all(|calls| *calls <= 2), "{calls:?}");
    assert!(calls.contains(&1), "the others are owners, too: {calls:?}");
    nodes[2].signal("CONT").await;
    let before = github.calls().total();
    assert_all_answered(&ask_all(&nodes[2], QUESTIONS).await);
    assert_eq!(github.calls().total(), before);
}

#[tokio::test]
async fn a_caller_that_is_killed_costs_one_more_call_for_each_url_at_most() {
    let _alone = MACHINE.lock().await;
    let github = github().await;
    let mut nodes = fleet(github.url(), 3).await;
    let [survivor, other, caller] = from_fn(|_| nodes.remove(0));
    github.latency(CALL);
    let called = eventually("all are being called for", async || {
        github.calls().total() == QUESTIONS as u64
    });
    // A call outlives the clients that have caused it.
    tokio::select! {
        _ = ask_all(&caller, QUESTIONS) => panic!("answered already"),
        () = called => {}
    }
    let asked = asked_of_peers(&survivor).await;
    let killed = async {
        eventually("somebody waits for the caller", async || {
            asked_of_peers(&survivor).await >= asked + QUESTIONS as u64 / 3
        })
        .await;
        caller.signal("KILL").await;
    };

    let (first, second, ()) = tokio::join!(
        ask_all(&survivor, QUESTIONS),
        ask_all(&other, QUESTIONS),
        killed
    );

    assert_all_answered(&first);
    assert_all_answered(&second);
    let calls = calls(&github, QUESTIONS);
    assert!(calls.iter().all(|calls| *calls <= 2), "{calls:?}");
}

/// How many questions a member has had answered by others.
async fn asked_of_peers(node: &Node) -> u64 {
    let metrics = node.send(Ask::get("/-/metrics")).await.body;
    let metrics = String::from_utf8(metrics).unwrap();
    let sample = r#"ghmesh_peer_requests_total{result="answered"} "#;
    let value = metrics.lines().find_map(|line| line.strip_prefix(sample));
    value.unwrap().parse().unwrap()
}
