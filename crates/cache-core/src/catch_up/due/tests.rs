//! When a round is due, and with whom.

use tokio::time;

use super::*;

fn peer(n: u32) -> PeerId {
    PeerId::from_bytes(&n.to_le_bytes()).unwrap()
}

/// So many peers that have been in sight for long.
fn peers(n: u32) -> BTreeMap<PeerId, Duration> {
    (1..=n).map(|n| (peer(n), Duration::MAX)).collect()
}

/// Those with which rounds are begun now, and have ended.
fn rounds(due: &Due, round: Round) -> Vec<PeerId> {
    let mut begun = Vec::new();
    while let Some(peer) = due.begin() {
        begun.push(peer);
    }
    begun.iter().for_each(|peer| due.end(peer, round));
    begun
}

/// One that has caught up with so many peers just now.
fn caught_up(n: u32) -> Due {
    let due = Due::new(peer(0));
    due.see(&peers(n));
    assert_eq!(rounds(&due, Round::Done).len(), n as usize);
    due
}

#[tokio::test(start_paused = true)]
async fn one_round_is_due_in_thirty_seconds_however_many_peers_there_are() {
    for n in [1, 5, 100] {
        let due = caught_up(n);
        let mut met = std::collections::BTreeSet::new();
        let mut busiest = 0;
        let mut begun = 0;
        for _ in 0..30 * 40 {
            time::sleep(Duration::from_secs(1)).await;
            let now = rounds(&due, Round::Done);
            busiest = busiest.max(now.len());
            begun += now.len();
            met.extend(now);
        }
        assert_eq!((begun, busiest), (40, 1));
        assert!(met.len() >= 5.min(n as usize), "{}", met.len());
    }
}

#[tokio::test(start_paused = true)]
async fn with_whom_something_did_not_reach_a_round_is_due_soon_and_once() {
    let due = caught_up(100);
    time::sleep(PAUSE).await;
    for _ in 0..10 {
        due.owe(&peer(7));
    }
    assert_eq!(rounds(&due, Round::Done), [peer(7)]);
    due.owe(&peer(7));
    assert!(rounds(&due, Round::Done).is_empty());
    time::sleep(PAUSE).await;
    assert!(rounds(&due, Round::Done).contains(&peer(7)));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_asked_again_as_soon_as_it_is_heard() {
    let due = Due::new(peer(0));
    due.see(&peers(1));
    assert_eq!(due.begin(), Some(peer(1)));
    time::sleep(PAUSE).await;
    due.end(&peer(1), Round::Unanswered);
    assert!(rounds(&due, Round::Done).is_empty());
    due.heard(&peer(1));
    assert_eq!(rounds(&due, Round::Done), [peer(1)]);
    due.heard(&peer(1));
    assert!(rounds(&due, Round::Done).is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_declines_is_not_asked_again_with_each_frame_that_it_sends() {
    let due = Due::new(peer(0));
    due.see(&peers(1));
    assert_eq!(rounds(&due, Round::Unanswered), [peer(1)]);
    for _ in 0..100 {
        due.heard(&peer(1));
        assert!(rounds(&due, Round::Unanswered).is_empty());
    }
    time::sleep(PAUSE).await;
    assert_eq!(rounds(&due, Round::Done), [peer(1)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_finds_to_differ_is_looked_into_unless_it_has_just_been() {
    let due = caught_up(1);
    due.compared(&peer(1), true);
    assert!(rounds(&due, Round::Done).is_empty());
    time::sleep(PAUSE).await;
    due.compared(&peer(1), false);
    assert!(rounds(&due, Round::Done).is_empty());
    due.compared(&peer(1), true);
    assert_eq!(rounds(&due, Round::Done), [peer(1)]);
}

/// Rounds with the first peer in a minute, each of which comes to that.
async fn rounds_in_a_minute(due: &Due, round: Round) -> usize {
    let mut begun = 0;
    for _ in 0..60 {
        time::sleep(Duration::from_secs(1)).await;
        let now = rounds(due, round);
        begun += now.iter().filter(|begun| **begun == peer(1)).count();
    }
    begun
}

#[tokio::test(start_paused = true)]
async fn who_lacks_something_is_reminded_until_it_compares_and_not_for_ever() {
    // Of so many, few draw the first one within a minute.
    let due = caught_up(100);
    due.owe(&peer(1));
    let reminded = rounds_in_a_minute(&due, Round::Done).await;
    assert!((11..=13).contains(&reminded), "{reminded}");
    assert!(rounds_in_a_minute(&due, Round::Done).await <= 2);
    due.owe(&peer(1));
    due.compared(&peer(1), false);
    assert!(rounds_in_a_minute(&due, Round::Done).await <= 3);
    due.owe(&peer(1));
    assert!(rounds_in_a_minute(&due, Round::Same).await <= 3);
}

#[tokio::test(start_paused = true)]
async fn where_one_is_gone_the_others_compare_with_each_other() {
    let due = caught_up(4);
    time::sleep(PAUSE).await;
    due.see(&peers(4));
    assert!(rounds(&due, Round::Done).len() <= 1);
    time::sleep(PAUSE).await;
    due.see(&peers(3));
    assert_eq!(rounds(&due, Round::Done), [peer(1), peer(2), peer(3)]);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_away_between_two_looks_is_new() {
    let due = caught_up(1);
    time::sleep(PAUSE).await;
    due.see(&[(peer(1), PAUSE)].into());
    assert!(rounds(&due, Round::Done).len() <= 1);
    time::sleep(PAUSE).await;
    due.see(&[(peer(1), PAUSE / 2)].into());
    assert_eq!(rounds(&due, Round::Done), [peer(1)]);
}

#[tokio::test(start_paused = true)]
async fn what_one_peer_has_let_go_of_is_sought_with_all_once_in_a_turn() {
    let due = caught_up(5);
    time::sleep(PAUSE).await;
    let begin = |round| {
        due.owe(&peer(3));
        due.compared(&peer(3), false);
        assert_eq!(due.begin(), Some(peer(3)));
        due.end(&peer(3), round);
    };
    begin(Round::Sought);
    assert_eq!(rounds(&due, Round::Done).len(), 4);
    time::sleep(PAUSE).await;
    assert!(rounds(&due, Round::Done).contains(&peer(3)));
    time::sleep(PAUSE).await;
    begin(Round::Sought);
    assert!(rounds(&due, Round::Done).len() <= 1);
    time::sleep(TURN).await;
    // With the one that had it, whatever the lot says.
    assert!(rounds(&due, Round::Sought).contains(&peer(3)));
    assert!(rounds(&due, Round::Done).len() >= 3);
}
