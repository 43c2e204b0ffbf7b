//! When a peer is dialled again, and which one.

use super::*;

const REDIAL: Redial = Redial {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(30),
};

fn bootstrap(addresses: &[&str], now: Instant) -> Bootstrap {
    let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
    Bootstrap::new(addresses, REDIAL, 7, Port::New, now).unwrap()
}

fn unreachable() -> Trouble {
    Trouble::Unreachable("nobody listens there".to_owned())
}

/// Dials the only target that is due.
fn dial(bootstrap: &mut Bootstrap, now: Instant) -> ConnectionId {
    let due = bootstrap.due(Need::Great, now);
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
        bootstrap.failed(connection, &unreachable(), now);
        let next = bootstrap.next_due().unwrap();
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

    assert_eq!(bootstrap.next_due(), None);
    assert!(bootstrap.due(Need::Great, now).is_empty());
}

/// A target whose pauses have grown to the longest, and the time at which it is due again.
fn often_failed() -> (Bootstrap, Instant) {
    let mut now = Instant::now();
    let mut bootstrap = bootstrap(&["/ip4/192.0.2.1/tcp/4001"], now);
    for _ in 0..10 {
        let connection = dial(&mut bootstrap, now);
        bootstrap.failed(connection, &unreachable(), now);
        now = bootstrap.next_due().unwrap();
    }
    (bootstrap, now)
}

#[tokio::test(start_paused = true)]
async fn a_peer_lost_after_a_while_is_dialled_again_soon() {
    let (mut bootstrap, now) = often_failed();
    let peer = PeerId::random();
    let connection = dial(&mut bootstrap, now);
    bootstrap.connected(connection, peer, now);
    assert_eq!(bootstrap.next_due(), None);

    let later = now + REDIAL.longest;
    bootstrap.lost(peer, Need::Great, later);

    assert!(bootstrap.next_due().unwrap() - later <= REDIAL.first);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_hangs_up_at_once_is_not_dialled_again_soon() {
    let (mut bootstrap, now) = often_failed();
    let peer = PeerId::random();
    let connection = dial(&mut bootstrap, now);

    bootstrap.connected(connection, peer, now);
    bootstrap.lost(peer, Need::Great, now);

    assert!(bootstrap.next_due().unwrap() - now >= REDIAL.longest / 2);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_came_to_us_is_not_dialled() {
    let now = Instant::now();
    let peer = PeerId::random();
    let mut bootstrap = bootstrap(&[&format!("/ip4/192.0.2.1/tcp/4001/p2p/{peer}")], now);

    bootstrap.connected(ConnectionId::new_unchecked(1000), peer, now);

    assert_eq!(bootstrap.next_due(), None);
}

#[tokio::test(start_paused = true)]
async fn our_own_address_is_left_out() {
    let now = Instant::now();
    let mut bootstrap = bootstrap(&["/ip4/192.0.2.1/tcp/4001"], now);

    let connection = dial(&mut bootstrap, now);
    bootstrap.failed(connection, &Trouble::Ourselves, now);

    assert_eq!(bootstrap.next_due(), None);
}

fn addresses(texts: &[&str]) -> Vec<Multiaddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

const NAME: &str = "/dns4/fleet.example/tcp/4001";
const ONE: &str = "/ip4/192.0.2.1/tcp/4001";
const OTHER: &str = "/ip4/192.0.2.2/tcp/4001";

#[tokio::test(start_paused = true)]
async fn everything_that_a_name_stands_for_is_dialled() {
    let now = Instant::now();
    let mut bootstrap = bootstrap(&[NAME], now);

    assert!(bootstrap.due(Need::Great, now).is_empty());
    assert_eq!(bootstrap.unresolved(now), [(0, NAME.parse().unwrap())]);
    assert_eq!(bootstrap.unresolved(now), []);
    bootstrap.resolved(0, Ok(addresses(&[ONE, OTHER])), now);

    assert_eq!(bootstrap.due(Need::Great, now).len(), 2);
    assert_eq!(bootstrap.next_due(), Some(now + RESOLVE_AGAIN));
}

#[tokio::test(start_paused = true)]
async fn what_a_name_stands_for_no_more_is_dialled_no_more_but_stays_connected() {
    let now = Instant::now();
    let mut bootstrap = bootstrap(&[NAME], now);
    bootstrap.unresolved(now);
    bootstrap.resolved(0, Ok(addresses(&[ONE, OTHER])), now);
    let dials = bootstrap.due(Need::Great, now);
    let peer = PeerId::random();
    bootstrap.connected(dials[0].connection_id(), peer, now);
    bootstrap.failed(dials[1].connection_id(), &unreachable(), now);

    let later = now + RESOLVE_AGAIN;
    assert_eq!(bootstrap.unresolved(later).len(), 1);
    bootstrap.resolved(0, Ok(addresses(&["/ip4/192.0.2.3/tcp/4001"])), later);

    assert!(bootstrap.is_of(peer));
    assert_eq!(bootstrap.due(Need::Great, later + REDIAL.longest).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_cannot_be_resolved_is_tried_again_and_keeps_what_it_had() {
    let now = Instant::now();
    let mut bootstrap = bootstrap(&[NAME], now);
    bootstrap.unresolved(now);
    bootstrap.resolved(0, Ok(addresses(&[ONE])), now);
    let later = now + RESOLVE_AGAIN;
    bootstrap.unresolved(later);

    bootstrap.resolved(0, Err(NameError::Nothing), later);

    assert!(bootstrap.report()[0].unresolved.is_some());
    assert_eq!(bootstrap.report()[0].targets.len(), 1);
    assert_eq!(bootstrap.unresolved(later + REDIAL.first).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn where_there_are_enough_peers_a_dial_is_put_off_but_not_for_ever() {
    let now = Instant::now();
    let mut bootstrap = bootstrap(&[ONE], now);

    assert!(bootstrap.due(Need::Little, now).is_empty());

    let next = bootstrap.next_due().unwrap();
    assert!(next > now + REDIAL.longest);
    assert_eq!(bootstrap.due(Need::Little, next).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_address_given_twice_is_dialled_once() {
    let now = Instant::now();
    let mut bootstrap = bootstrap(&["/ip4/192.0.2.1/tcp/4001", "/ip4/192.0.2.1/tcp/4001"], now);

    assert_eq!(bootstrap.due(Need::Great, now).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn addresses_that_can_never_be_dialled_are_refused() {
    for bad in [
        "/ip4/192.0.2.1",
        "/ip4/192.0.2.1/udp/4001/quic-v1",
        "/ip4/192.0.2.1/tcp/0",
        "/ip4/0.0.0.0/tcp/4001",
        "/ip4/192.0.2.1/tcp/4001/ws",
        "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWBoGfrbHsyyZjJKBSViEhJ6gn5Lr9Wk4vsTZQgKZD337U/p2p-circuit",
        "/tcp/4001",
        "/dnsaddr/fleet.example/tcp/4001",
    ] {
        let addresses = vec![bad.parse().unwrap()];
        let refused = Bootstrap::new(addresses, REDIAL, 7, Port::New, Instant::now());
        assert!(
            matches!(refused, Err(StartError::BootstrapAddress(_))),
            "{bad}"
        );
    }
}
