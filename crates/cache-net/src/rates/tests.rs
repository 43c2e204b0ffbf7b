//! Who may send one more frame.

use std::time::Duration;

use governor::clock::FakeRelativeClock;

use super::*;

const REQUEST: Way = Way::Direct(FrameKind::Request);
const BROADCAST: Way = Way::Direct(FrameKind::Broadcast);

fn rates() -> (Rates<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    let limits = Limits {
        requests_per_second: 10,
        broadcasts_per_second: 5,
        published_bytes_per_second: 1000,
        ..Limits::default()
    };
    (Rates::with_clock(&limits, &clock), clock)
}

/// How many of `tries` frames are taken.
fn taken(rates: &Rates<FakeRelativeClock>, from: &PeerId, way: Way, tries: usize) -> usize {
    (0..tries).filter(|_| rates.admits(from, way)).count()
}

#[test]
fn a_peer_may_send_what_a_second_allows_and_more_as_time_goes_by() {
    let (rates, clock) = rates();
    let peer = PeerId::random();

    assert_eq!(taken(&rates, &peer, REQUEST, 100), 10);
    clock.advance(Duration::from_millis(300));
    assert_eq!(taken(&rates, &peer, REQUEST, 100), 3);
}

#[test]
fn neither_another_peer_nor_another_kind_pays_for_it() {
    let (rates, _) = rates();
    let [wild, calm] = [PeerId::random(), PeerId::random()];

    taken(&rates, &wild, REQUEST, 100);

    assert_eq!(taken(&rates, &calm, REQUEST, 10), 10);
    assert_eq!(taken(&rates, &wild, BROADCAST, 10), 5);
}

#[test]
fn what_one_peer_passes_on_beyond_its_bound_leaves_the_others_what_there_is_for_all() {
    let (rates, _) = rates();
    let [wild, calm] = [PeerId::random(), PeerId::random()];

    assert_eq!(taken(&rates, &wild, Way::Published(100), 100), 5);
    assert_eq!(taken(&rates, &calm, Way::Published(100), 5), 5);
    assert_eq!(taken(&rates, &PeerId::random(), Way::Published(100), 5), 0);
}

#[test]
fn who_has_sent_nothing_for_a_second_is_forgotten() {
    let (rates, clock) = rates();
    for _ in 0..100 {
        rates.admits(&PeerId::random(), REQUEST);
    }

    clock.advance(Duration::from_secs(2));
    rates.sweep();

    assert!(rates.requests.is_empty());
}
