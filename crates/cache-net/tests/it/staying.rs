//! Fleets that change: who is found again, who is parted with, and what reaches whom meanwhile.
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions only"
)]

use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use cache_core::{Transport, TransportError};
use cache_net::{MdnsState, P2p, Protocol, Source, TargetState};
use tokio::net::{TcpListener, TcpStream};

use crate::fleet::*;
use crate::hostile::{multiaddr, socket_address};

#[tokio::test]
async fn members_that_were_told_of_the_same_one_find_each_other() {
    let first = start(member()).await;
    let second = start(member_knowing(&[&first])).await;
    let third = start(member_knowing(&[&first])).await;

    connected(&second, &third).await;

    let source = |host: &P2p, of: &P2p| {
        let of = of.local_peer();
        host.sources().into_iter().find(|(peer, _)| *peer == of)
    };
    assert_eq!(source(&second, &first).unwrap().1, Source::Bootstrap);
    assert_eq!(source(&first, &second).unwrap().1, Source::Inbound);
    let found = [source(&second, &third), source(&third, &second)];
    assert!(
        found
            .iter()
            .flatten()
            .any(|(_, how)| *how == Source::Kademlia)
    );
}

#[tokio::test]
async fn who_was_known_at_the_last_stop_is_found_though_the_bootstrap_peer_is_gone() {
    let bootstrap = start(member()).await;
    let friend = start(member_knowing(&[&bootstrap])).await;
    let first_life = start(member_knowing(&[&bootstrap])).await;
    connected(&first_life, &friend).await;
    soon("it is remembered", async {
        let named =
            Protocol::P2p(libp2p::PeerId::from_bytes(friend.local_peer().as_bytes()).unwrap());
        while !first_life
            .known_peers()
            .await
            .iter()
            .any(|one| one.iter().any(|part| part == named))
        {
            tokio::task::yield_now().await;
        }
    })
    .await;

    let mut config = member();
    config.known = first_life.known_peers().await;
    config.bootstrap = vec![address(&bootstrap)];
    first_life.close().await;
    bootstrap.close().await;
    let second_life = start(config).await;

    connected(&second_life, &friend).await;
    let report = second_life.discovery().await;
    assert!(
        report
            .found
            .iter()
            .any(|found| found.source == Source::Known && found.connected > 0)
    );
    soon("the failure is told", async {
        loop {
            let report = second_life.discovery().await.bootstrap.remove(0);
            if matches!(report.targets[0].state, TargetState::Failed { .. }) {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn asking_for_peers_on_the_local_network_never_keeps_a_host_from_starting() {
    let mut config = member();
    config.mdns = true;

    let host = start(config).await;

    assert_ne!(host.discovery().await.mdns, MdnsState::Off);
    let other = start(member_knowing(&[&host])).await;
    connected(&host, &other).await;
}

#[tokio::test]
async fn of_two_connections_to_one_peer_one_is_closed() {
    let mut config = member();
    let first_life = start(config.clone()).await;
    config.listen = vec![address(&first_life)];
    first_life.close().await;
    let mut other = member();
    other.bootstrap = config.listen.clone();
    let other = start(other).await;
    config.bootstrap = vec![address(&other)];
    let host = start(config).await;
    connected(&host, &other).await;
    echo(&other);

    until("one is left", || {
        host.peers()[0].addresses.len() == 1 && other.peers()[0].addresses.len() == 1
    })
    .await;
    let answer = host.request(other.local_peer(), frame(1)).await;

    assert_eq!(answer.unwrap(), frame(1));
}

#[tokio::test]
async fn a_frame_under_way_on_a_connection_that_breaks_is_sent_again_on_another_one() {
    let answerer = start(member()).await;
    let there = socket_address(&address(&answerer));
    let ways = [(); 2].map(|()| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let mut config = member();
    for way in &ways {
        way.set_nonblocking(true).unwrap();
        let place = multiaddr(way.local_addr().unwrap());
        config.bootstrap.push(place);
    }
    let [first, second] = ways.map(|way| TcpListener::from_std(way).unwrap());
    let pass = |way: TcpListener| {
        tokio::spawn(async move {
            let (mut near, _) = way.accept().await.unwrap();
            let mut far = TcpStream::connect(there).await.unwrap();
            tokio::io::copy_bidirectional(&mut near, &mut far).await
        })
    };
    let passing = pass(first);
    let asker = start(config).await;
    connected(&asker, &answerer).await;
    pass(second);
    let connections = |host: &P2p| host.peers()[0].addresses.len();
    until("there are two", || {
        connections(&asker) == 2 && connections(&answerer) == 2
    })
    .await;

    let asked = asker.request(answerer.local_peer(), frame(1));
    let answered = async {
        let first = answerer.accept().await.unwrap();
        passing.abort();
        let second = answerer.accept().await.unwrap();
        drop(first);
        second.reply.send(Bytes::from_static(b"answer"));
    };
    let (answer, ()) = soon("answer", async { tokio::join!(asked, answered) }).await;

    assert_eq!(answer.unwrap(), "answer");
}

#[tokio::test]
async fn a_member_that_everybody_starts_with_makes_room_for_newcomers() {
    let mut config = member();
    config.limits.connections = 6;
    config.limits.wanted_peers = 2;
    let popular = start(config).await;

    let mut others = Vec::new();
    for _ in 0..10 {
        let other = start(member_knowing(&[&popular])).await;
        until("it has joined", || !other.peers().is_empty()).await;
        others.push(other);
        assert!(popular.peers().len() <= 6);
    }

    until("there is room again", || popular.peers().len() <= 4).await;
    until("all have found each other", || {
        others.iter().all(|other| other.peers().len() >= 9)
    })
    .await;
}

#[tokio::test]
async fn who_is_asked_without_being_connected_is_for_the_next_time() {
    let first = start(member()).await;
    let wanting_one = || {
        let mut config = member_knowing(&[&first]);
        config.limits.wanted_peers = 1;
        config
    };
    let second = start(wanting_one()).await;
    connected(&first, &second).await;
    let third = start(wanting_one()).await;
    connected(&first, &third).await;
    echo(&third);
    until("they have heard of each other", || {
        second.metrics().apart > 0
    })
    .await;
    assert!(!sees(&second, &third));

    let to = third.local_peer();
    assert_eq!(
        second.request(to, frame(1)).await,
        Err(TransportError::Unreachable(to))
    );

    connected(&second, &third).await;
    assert_eq!(second.request(to, frame(1)).await.unwrap(), frame(1));
}

#[tokio::test]
async fn what_happens_is_counted() {
    let (first, second) = pair().await;
    echo(&second);

    first
        .request(second.local_peer(), frame(100))
        .await
        .unwrap();
    let nobody = cache_core::PeerId::LOCAL;
    first.request(nobody, frame(1)).await.unwrap_err();

    let metrics = first.metrics();
    assert_eq!(metrics.peers, 1);
    assert_eq!(
        (metrics.requests.answered, metrics.requests.unreachable),
        (1, 1)
    );
    assert_eq!((metrics.bytes.sent, metrics.bytes.received), (100, 100));
    assert_eq!(second.metrics().dials.succeeded, 1);
}

/// Has a host send back every frame, and tell of each that is a broadcast.
fn telling(host: &Arc<P2p>) -> tokio::sync::mpsc::Receiver<Bytes> {
    let (tell, told) = tokio::sync::mpsc::channel(1024);
    let host = Arc::clone(host);
    tokio::spawn(async move {
        while let Some(inbound) = host.accept().await {
            let _ = tell.try_send(inbound.frame);
            inbound.reply.send(Bytes::new());
        }
    });
    told
}

#[tokio::test]
async fn broadcasts_reach_all_while_the_fleet_grows_beyond_what_acknowledges_and_shrinks_again() {
    let with = |hosts: &[&P2p]| {
        let mut config = member_knowing(hosts);
        config.limits.acknowledging_peers = 2;
        config
    };
    let first = start(with(&[])).await;
    let mut others = Vec::new();
    let mut told = Vec::new();
    for _ in 0..5 {
        let other = start(with(&[&first])).await;
        told.push(telling(&other));
        others.push(other);
        until("all are connected", || first.peers().len() == others.len()).await;
        reaches(&first, &mut told).await;
    }
    assert!(first.metrics().gossip.published > 0);

    while others.len() > 2 {
        others.pop().unwrap().close().await;
        told.pop();
        until("it is gone", || first.peers().len() == others.len()).await;
        reaches(&first, &mut told).await;
    }
    until("nobody else is known", || first.metrics().apart == 0).await;
    let delivery = first.broadcast(frame(1)).await.unwrap();
    assert_eq!(delivery.acked.len(), 2);
}

/// Has a frame reach everybody. Who has just come may not be subscribed yet.
async fn reaches(sender: &P2p, told: &mut [tokio::sync::mpsc::Receiver<Bytes>]) {
    let frame = Bytes::from(rand::random::<[u8; 16]>().to_vec());
    let delivery = sender.broadcast(frame.clone()).await.unwrap();
    assert_eq!(delivery.failed, []);
    assert_eq!(delivery.acked.len() + delivery.published.len(), told.len());
    for one in told {
        soon("the frame", async {
            while one.recv().await.unwrap() != frame {}
        })
        .await;
    }
}
