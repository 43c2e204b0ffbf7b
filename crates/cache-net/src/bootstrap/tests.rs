//! When a peer is dialled again, and which one.

use super::*;

const REDIAL: Redial = Redial {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(30),
};

fn bootstrap(addresses: &[&str], now: Instant) -> Bootstrap {
    let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
    Bootstrap::new(addresses, REDIAL, 7, now).unwrap()
}

fn unreachable() -> Trouble {
    Trouble::Unreachable("nobody listens there".to_owned())
}

/// Dials the only target that is due.
fn dial(bootstrap: &mut Bootstrap, now: Instant) -> ConnectionId {
    let due = bootstrap.due(now);
    assert_eq!(due.len(), 1);
    due[0].connection_id()
}

#[tokio::test(start_paused = true)]
async fn pauses_double_up_to_the_longest() {
    let mut now = Instant::now();
    let mut bootstrap = bootstrap(&["/ip4/192.0.2.1/tcp/4001"], now);

    let mut pauses = Vec::new();
    for _ in 0..10 {
        let connection = dial(&mut bootstrap, now);
        bootstrap.failed(connection, unreachable(), now);
        let next = bootstrap.next_dial().unwrap();
        pauses.push(next - now);
        now = next;
    }

    for (n, pause) in (0..).zip(&pauses) {
        let whole = (REDIAL.first * 2_u32.pow(n)).min(REDIAL.longest);
        assert!(whole / 2 <= *pause && *pause <= whole, "{n}: {pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dial_under_way_is_not_repeated() {
    let now = Instant::now();
    let mut bootstrap = bootstrap(&["/ip4/192.0.2.1/tcp/4001"], now);

    dial(&mut bootstrap, now);

    assert_eq!(bootstrap.next_dial(), None);
    assert!(bootstrap.due(now).is_empty());
}

/// A target whose pauses have grown to the longest, and the time at which it is due again.
fn often_failed() -> (Bootstrap, Instant) {
    let mut now = Instant::now();
    let mut bootstrap = bootstrap(&["/ip4/192.0.2.1/tcp/4001"], now);
    for _ in 0..10 {
        let connection = dial(&mut bootstrap, now);
        bootstrap.failed(connection, unreachable(), now);
        now = bootstrap.next_dial().unwrap();
    }
    (bootstrap, now)
}

#[tokio::test(start_paused = true)]
async fn a_peer_lost_after_a_while_is_dialled_again_soon() {
    let (mut bootstrap, now) = often_failed();
    let peer = PeerId::random();
    let connection = dial(&mut bootstrap, now);
    bootstrap.connected(connection, peer, now);
    assert_eq!(bootstrap.next_dial(), None);

    let later = now + REDIAL.longest;
    bootstrap.lost(peer, later);

    assert!(bootstrap.next_dial().unwrap() - later <= REDIAL.first);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_hangs_up_at_once_is_not_dialled_again_soon() {
    let (mut bootstrap, now) = often_failed();
    let peer = PeerId::random();
    let connection = dial(&mut bootstrap, now);

    bootstrap.connected(connection, peer, now);
    bootstrap.lost(peer, now);

    assert!(bootstrap.next_dial().unwrap() - now >= REDIAL.longest / 2);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_came_to_us_is_not_dialled() {
    let now = Instant::now();
    let peer = PeerId::random();
    let mut bootstrap = bootstrap(&[&format!("/ip4/192.0.2.1/tcp/4001/p2p/{peer}")], now);

    bootstrap.connected(ConnectionId::new_unchecked(1000), peer, now);

    assert_eq!(bootstrap.next_dial(), None);
}

#[tokio::test(start_paused = true)]
async fn our_own_address_is_left_out() {
    let now = Instant::now();
    let mut bootstrap = bootstrap(&["/ip4/192.0.2.1/tcp/4001"], now);

    let connection = dial(&mut bootstrap, now);
    bootstrap.failed(connection, Trouble::Ourselves, now);

    assert_eq!(bootstrap.next_dial(), None);
}

#[tokio::test(start_paused = true)]
async fn a_host_name_that_was_ourselves_is_tried_again() {
    let now = Instant::now();
    let mut bootstrap = bootstrap(&["/dns4/fleet.example/tcp/4001"], now);

    let connection = dial(&mut bootstrap, now);
    bootstrap.failed(connection, Trouble::Ourselves, now);

    assert!(bootstrap.next_dial().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_address_given_twice_is_dialled_once() {
    let now = Instant::now();
    let mut bootstrap = bootstrap(&["/ip4/192.0.2.1/tcp/4001", "/ip4/192.0.2.1/tcp/4001"], now);

    assert_eq!(bootstrap.due(now).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn addresses_that_can_never_be_dialled_are_refused() {
    for bad in [
        "/ip4/192.0.2.1",
        "/ip4/192.0.2.1/udp/4001/quic-v1",
        "/ip4/192.0.2.1/tcp/0",
        "/ip4/0.0.0.0/tcp/4001",
        "/ip4/192.0.2.1/tcp/4001/ws",
        "/tcp/4001",
    ] {
        let addresses = vec![bad.parse().unwrap()];
        let refused = Bootstrap::new(addresses, REDIAL, 7, Instant::now());
        assert!(
            matches!(refused, Err(StartError::BootstrapAddress(_))),
            "{bad}"
        );
    }
}
