//! The bound of what is remembered.

use super::*;

fn peer(name: &[u8]) -> PeerId {
    PeerId::from_bytes(name).unwrap()
}

#[test]
fn everything_is_counted_and_few_peers_are_remembered() {
    let record = Record::default();
    let peers = 2 * MAX_PEERS as u64 + 1;
    for name in 0..peers {
        record.count(peer(&name.to_be_bytes()), Misconduct::Forged);
        assert!(record.lock().by_peer.len() <= MAX_PEERS);
    }
    assert_eq!(record.counts().total(), peers);
}

#[test]
fn names_without_end_make_few_lines_in_the_log() {
    let mut counts = Counts::default();
    let names = 0..100 * MAX_PEERS as u64;
    let lines = names
        .map(|name| counts.add(peer(&name.to_be_bytes()), Misconduct::Forged))
        .filter(|count| count.is_power_of_two())
        .count();
    assert!(lines <= MAX_PEERS + 16, "{lines}");
}

#[test]
fn a_peer_is_counted_by_itself() {
    let mut counts = Counts::default();
    let [one, other] = [b"a", b"b"].map(|name| peer(name));
    assert_eq!(counts.add(one, Misconduct::Forged), 1);
    assert_eq!(counts.add(one, Misconduct::OtherSecret), 2);
    assert_eq!(counts.add(other, Misconduct::Forged), 1);
}

#[test]
fn each_reason_has_a_counter() {
    let record = Record::default();
    for misconduct in [
        Misconduct::Malformed,
        Misconduct::OtherVersion,
        Misconduct::OtherSecret,
        Misconduct::Forged,
    ] {
        record.count(peer(b"a"), misconduct);
    }
    let one_of_each = Unopened {
        malformed: 1,
        other_version: 1,
        other_secret: 1,
        forged: 1,
    };
    assert_eq!(record.counts(), one_of_each);
}
