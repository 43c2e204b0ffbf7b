//! Who is connected, by how many connections.

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;

use super::*;

fn dialled(address: &str) -> ConnectedPoint {
    ConnectedPoint::Dialer {
        address: address.parse().unwrap(),
        role_override: Endpoint::Dialer,
        port_use: PortUse::New,
    }
}

fn accepted(address: &str) -> ConnectedPoint {
    ConnectedPoint::Listener {
        local_addr: "/ip4/192.0.2.9/tcp/4001".parse().unwrap(),
        send_back_addr: address.parse().unwrap(),
    }
}

fn id(id: usize) -> ConnectionId {
    ConnectionId::new_unchecked(id)
}

fn roster() -> Roster {
    Roster::new(Limits {
        in_flight_per_peer: 1,
        ..Limits::default()
    })
}

/// A roster with one peer that is connected twice.
fn twice_connected() -> (Roster, libp2p::PeerId) {
    let roster = roster();
    let peer = libp2p::PeerId::random();
    let [first, second] = [
        dialled("/ip4/192.0.2.1/tcp/4001"),
        accepted("/ip4/192.0.2.1/tcp/50000"),
    ];
    assert!(roster.connected(peer, id(1), &first, Source::Bootstrap));
    assert!(!roster.connected(peer, id(2), &second, Source::Inbound));
    (roster, peer)
}

#[tokio::test]
async fn a_peer_with_two_connections_is_listed_once() {
    let (roster, peer) = twice_connected();

    let infos = roster.infos();

    assert_eq!(infos.len(), 1);
    assert_eq!(infos[0].id, name(&peer));
    assert_eq!(infos[0].direction, Direction::Outbound);
    assert_eq!(
        infos[0].addresses,
        ["/ip4/192.0.2.1/tcp/4001", "/ip4/192.0.2.1/tcp/50000"]
    );
}

#[tokio::test]
async fn the_loss_of_one_of_two_connections_keeps_the_peer() {
    let (roster, peer) = twice_connected();

    assert!(!roster.disconnected(&peer, id(1)));

    assert_eq!(roster.infos()[0].direction, Direction::Inbound);
    assert!(roster.route(&name(&peer)).is_some());
}

#[tokio::test]
async fn the_loss_of_the_last_connection_ends_the_wait_for_a_slot() {
    let (roster, peer) = twice_connected();
    let slots = roster.route(&name(&peer)).unwrap().slots;
    let taken = slots.take(1).await.unwrap();
    let waiting = tokio::spawn(async move { slots.take(1).await.is_err() });

    roster.disconnected(&peer, id(1));
    assert!(roster.disconnected(&peer, id(2)));

    assert!(waiting.await.unwrap());
    assert!(roster.infos().is_empty());
    drop(taken);
}

#[tokio::test]
async fn a_measured_round_trip_is_shown() {
    let (roster, peer) = twice_connected();

    roster.measured(&peer, Duration::from_millis(3));

    assert_eq!(roster.infos()[0].latency, Some(Duration::from_millis(3)));
}

#[tokio::test]
async fn a_peer_that_lets_a_frame_time_out_is_suspect_until_it_is_heard() {
    let (roster, peer) = twice_connected();
    assert!(!roster.is_suspect(&name(&peer)));
    let heard: [&dyn Fn() -> bool; 2] = [&|| roster.heard(&peer), &|| {
        !roster.connected(
            peer,
            id(3),
            &dialled("/ip4/192.0.2.1/tcp/4001"),
            Source::Bootstrap,
        )
    }];
    assert!(!roster.heard(&libp2p::PeerId::random()));

    for hear in heard {
        roster.timed_out(&name(&peer));
        assert!(roster.is_suspect(&name(&peer)));
        assert!(hear());
        assert!(!roster.is_suspect(&name(&peer)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_and_no_frames_stays_suspect_and_is_tried_now_and_then() {
    let (roster, peer) = twice_connected();
    let peer_name = name(&peer);
    roster.timed_out(&peer_name);

    let mut trials = 0;
    for _ in 0..1000 {
        roster.measured(&peer, Duration::from_millis(3));
        trials += u32::from(roster.standing(&peer_name) == Standing::OnTrial);
        tokio::time::advance(Duration::from_secs(1)).await;
    }

    assert!(roster.is_suspect(&peer_name));
    assert!((3..=10).contains(&trials), "{trials} in 1000 seconds");
    roster.heard(&peer);
    assert_eq!(roster.standing(&peer_name), Standing::Good);
}

#[tokio::test]
async fn who_has_come_from_where_is_told_of_those_that_we_have_not_dialled() {
    let (roster, _dialled) = twice_connected();
    let peer = libp2p::PeerId::random();
    let endpoint = accepted("/ip4/192.0.2.7/tcp/50000");
    roster.connected(peer, id(9), &endpoint, Source::Inbound);

    assert_eq!(roster.came_from(), [(peer, [192, 0, 2, 7].into())]);
}

#[tokio::test]
async fn the_loss_of_one_of_two_connections_leaves_a_peer_suspect() {
    let (roster, peer) = twice_connected();
    roster.timed_out(&name(&peer));

    roster.disconnected(&peer, id(1));

    assert!(roster.is_suspect(&name(&peer)));
}

#[tokio::test(start_paused = true)]
async fn of_two_connections_the_one_through_a_relay_is_superfluous() {
    let roster = roster();
    let peer = libp2p::PeerId::random();
    let through = dialled("/ip4/192.0.2.1/tcp/4001/p2p-circuit");
    roster.connected(peer, id(1), &through, Source::Kademlia);
    roster.connected(
        peer,
        id(2),
        &dialled("/ip4/192.0.2.2/tcp/4001"),
        Source::Kademlia,
    );
    let settled = Duration::from_secs(1);
    let smaller = PeerId::from_bytes(&[]).unwrap();

    assert_eq!(roster.duplicates(&smaller, settled), []);
    tokio::time::advance(settled).await;
    assert_eq!(roster.duplicates(&smaller, settled), [id(1)]);
    // The other side leaves it to us.
    let greater = PeerId::from_bytes(&[0xff; 38]).unwrap();
    assert_eq!(roster.duplicates(&greater, settled), []);
}

#[tokio::test(start_paused = true)]
async fn those_are_parted_with_who_were_used_longest_ago() {
    let roster = roster();
    let peers: Vec<_> = (1..=5).map(|_| libp2p::PeerId::random()).collect();
    for (n, peer) in peers.iter().enumerate() {
        let endpoint = accepted("/ip4/192.0.2.1/tcp/50000");
        roster.connected(*peer, id(n), &endpoint, Source::Inbound);
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let settled = Duration::from_secs(1);
    assert_eq!(roster.least_useful(3, settled, |_| false), []);
    tokio::time::advance(settled).await;
    roster.used(&name(&peers[0]));
    let busy = roster.route(&name(&peers[2])).unwrap();
    let _under_way = busy.slots.try_take(1).unwrap();

    let parted = roster.least_useful(3, settled, |peer| *peer == peers[1]);

    // The first was used since, the second is needed, with the third a frame is under way.
    assert_eq!(parted, [peers[3], peers[4]]);
    assert_eq!(roster.least_useful(5, settled, |_| false), []);
}

#[tokio::test]
async fn a_neighbour_that_comes_to_us_does_not_show_that_the_internet_can() {
    let roster = roster();
    let neighbour = accepted("/ip4/192.168.1.7/tcp/50000");
    roster.connected(libp2p::PeerId::random(), id(1), &neighbour, Source::Inbound);
    let (near, far) = ("/ip4/192.168.1.2/tcp/1", "/ip4/198.51.100.1/tcp/1");

    assert!(roster.is_reached_from_beyond(&near.parse().unwrap()));
    assert!(!roster.is_reached_from_beyond(&far.parse().unwrap()));

    let stranger = accepted("/ip4/203.0.113.1/tcp/50000");
    roster.connected(libp2p::PeerId::random(), id(2), &stranger, Source::Inbound);
    assert!(roster.is_reached_from_beyond(&far.parse().unwrap()));
}
