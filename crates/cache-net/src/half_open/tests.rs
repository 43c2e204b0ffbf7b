//! Who may begin one more handshake.

use super::*;

fn id(id: usize) -> ConnectionId {
    ConnectionId::new_unchecked(id)
}

/// Has a handshake begin; tells whether it may.
fn begins(behaviour: &mut Behaviour, connection: usize, from: &str) -> bool {
    let here = "/ip4/192.0.2.9/tcp/4001".parse().unwrap();
    let from = from.parse().unwrap();
    behaviour
        .handle_pending_inbound_connection(id(connection), &here, &from)
        .is_ok()
}

#[test]
fn one_address_does_not_use_up_what_another_may_have() {
    let mut behaviour = Behaviour::new(2);

    assert!(begins(&mut behaviour, 1, "/ip4/192.0.2.1/tcp/1"));
    assert!(begins(&mut behaviour, 2, "/ip4/192.0.2.1/tcp/2"));

    assert!(!begins(&mut behaviour, 3, "/ip4/192.0.2.1/tcp/3"));
    assert!(begins(&mut behaviour, 4, "/ip4/192.0.2.2/tcp/1"));
}

#[test]
fn the_addresses_of_one_ipv6_network_are_one() {
    let mut behaviour = Behaviour::new(1);

    assert!(begins(&mut behaviour, 1, "/ip6/2001:db8::1/tcp/1"));

    assert!(!begins(&mut behaviour, 2, "/ip6/2001:db8::ffff:1/tcp/1"));
    assert!(begins(&mut behaviour, 3, "/ip6/2001:db8:0:1::1/tcp/1"));
}

#[test]
fn a_handshake_that_has_ended_makes_room_and_leaves_nothing_behind() {
    let mut behaviour = Behaviour::new(1);
    assert!(begins(&mut behaviour, 1, "/ip4/192.0.2.1/tcp/1"));

    behaviour.end(id(1));
    behaviour.end(id(1));

    assert!(behaviour.begun.is_empty() && behaviour.by_origin.is_empty());
    assert!(begins(&mut behaviour, 2, "/ip4/192.0.2.1/tcp/2"));
}
