//! The bound of what is remembered.

use super::*;

#[test]
fn everything_is_counted_and_few_peers_are_remembered() {
    let unopened = Unopened::default();
    let peers = 2 * MAX_PEERS as u64 + 1;
    for peer in 0..peers {
        unopened.count(PeerId::from_bytes(&peer.to_be_bytes()).unwrap());
        assert!(unopened.by_peer.lock().unwrap().len() <= MAX_PEERS);
    }
    assert_eq!(unopened.total(), peers);
}

#[test]
fn a_peer_is_counted_by_itself() {
    let unopened = Unopened::default();
    let [one, other] = [b"a", b"b"].map(|name| PeerId::from_bytes(name).unwrap());
    assert_eq!(unopened.count_of(one), 1);
    assert_eq!(unopened.count_of(one), 2);
    assert_eq!(unopened.count_of(other), 1);
}
