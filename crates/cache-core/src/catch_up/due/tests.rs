//! When a round is due, and with whom.

use tokio::time;

use super::*;

fn peer(n: u32) -> PeerId {
    PeerId::from_bytes(&n.to_le_bytes()).unwrap()
}

fn peers(n: u32) -> BTreeSet<PeerId> {
    (1..=n).map(peer).collect()
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
        let mut met = BTreeSet::new();
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
    assert_eq!(rounds(&due, Round::Unanswered), [peer(1)]);
    assert!(rounds(&due, Round::Done).is_empty());
    due.heard(&peer(1));
    assert_eq!(rounds(&due, Round::Done), [peer(1)]);
    due.heard(&peer(1));
    assert!(rounds(&due, Round::Done).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_finds_to_differ_is_looked_into_once_in_a_turn() {
    let due = caught_up(1);
    due.differs(&peer(1));
    assert!(rounds(&due, Round::Done).is_empty());
    time::sleep(TURN).await;
    due.differs(&peer(1));
    assert_eq!(rounds(&due, Round::Done), [peer(1)]);
}
