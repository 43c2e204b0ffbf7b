//! How hosts find each other, and what they know of each other then.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use cache_core::{Direction, Transport};
use cache_net::{Identity, Multiaddr, P2p, StartError};

use crate::fleet::*;

#[tokio::test]
async fn a_bootstrap_peer_that_starts_later_is_found() {
    // A port that was free a moment ago; the host that comes late takes it.
    let late = member();
    let first_life = start(late.clone()).await;
    let place = address(&first_life);
    first_life.close().await;

    let mut early = member();
    early.bootstrap.push(place.clone());
    let early = start(early).await;
    let mut late = late;
    late.listen = vec![place];
    let late = start(late).await;

    connected(&early, &late).await;
}

#[tokio::test]
async fn a_bootstrap_peer_that_comes_back_is_found_again() {
    let mut config = member();
    let first_life = start(config.clone()).await;
    config.listen = vec![address(&first_life)];
    let other = start(member_knowing(&[&first_life])).await;
    connected(&other, &first_life).await;

    first_life.close().await;
    until("gone", || other.peers().is_empty()).await;
    let second_life = start(config).await;

    connected(&other, &second_life).await;
}

#[tokio::test]
async fn a_peer_named_with_its_id_is_found() {
    let first = start(member()).await;
    let mut config = member();
    let named = format!("{}/p2p/{}", address(&first), first.local_peer());
    config.bootstrap.push(named.parse().unwrap());
    let second = start(config).await;

    connected(&first, &second).await;
}

#[tokio::test]
async fn a_host_name_is_resolved() {
    let first = start(member()).await;
    let port = address(&first).to_string().replace("/ip4/127.0.0.1", "");
    let mut config = member();
    config
        .bootstrap
        .push(format!("/dns4/localhost{port}").parse().unwrap());
    let second = start(config).await;

    connected(&first, &second).await;
}

#[tokio::test]
async fn hosts_that_know_each_other_see_each_other_once() {
    let mut config = member();
    let first_life = start(config.clone()).await;
    config.listen = vec![address(&first_life)];
    first_life.close().await;
    let second = start({
        let mut second = member();
        second.bootstrap = config.listen.clone();
        second
    })
    .await;
    config.bootstrap = vec![address(&second)];
    let first = start(config).await;
    connected(&first, &second).await;

    // Enough for both dials to have come through: a round trip on each of up to two connections.
    echo(&first);
    echo(&second);
    for _ in 0..4 {
        first.request(second.local_peer(), frame(1)).await.unwrap();
        second.request(first.local_peer(), frame(1)).await.unwrap();
    }

    assert_eq!(names(&first), [second.local_peer()]);
    assert_eq!(names(&second), [first.local_peer()]);
}

#[tokio::test]
async fn our_own_address_in_the_list_does_no_harm() {
    let identity = Identity::ephemeral();
    let mut config = member();
    let first_life = start(config.clone()).await;
    config.listen = vec![address(&first_life)];
    config.bootstrap = config.listen.clone();
    config.identity = identity.clone();
    first_life.close().await;

    let host = start(config).await;
    let other = start(member_knowing(&[&host])).await;
    connected(&host, &other).await;

    assert_eq!(names(&host), [other.local_peer()]);
    assert_eq!(host.local_peer(), identity.peer_id());
}

#[tokio::test]
async fn a_peer_is_described() {
    let (first, second) = pair().await;
    until("a round trip is measured", || {
        second.peers().iter().all(|peer| peer.latency.is_some())
    })
    .await;

    let seen = &second.peers()[0];
    assert_eq!(seen.direction, Direction::Outbound);
    assert_eq!(seen.addresses, [address(&first).to_string()]);
    assert_eq!(first.peers()[0].direction, Direction::Inbound);
}

#[tokio::test]
async fn a_port_in_use_is_passed_over() {
    let first = start(member()).await;
    let mut config = member();
    config.listen = vec![address(&first)];
    let second = start(config).await;

    assert_ne!(address(&first), address(&second));
    let third = start(member_knowing(&[&first, &second])).await;
    connected(&third, &first).await;
    connected(&third, &second).await;
}

#[tokio::test]
async fn a_port_in_use_by_another_program_is_passed_over() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut config = member();
    let wanted: Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    config.listen = vec![wanted.clone()];

    let host = start(config).await;

    assert_ne!(address(&host), wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_that_start_together_do_not_share_a_port() {
    let first_life = start(member()).await;
    let place = address(&first_life);
    first_life.close().await;

    let starting = (0..8).map(|_| {
        let mut config = member();
        config.listen = vec![place.clone()];
        tokio::spawn(start(config))
    });
    let mut places = Vec::new();
    for host in futures::future::join_all(starting).await {
        let host = host.unwrap();
        places.push((address(&host), host));
    }

    places.sort_by_key(|(place, _)| place.clone());
    places.dedup_by_key(|(place, _)| place.clone());
    assert_eq!(places.len(), 8);
}

#[tokio::test]
async fn an_unspecified_address_stands_for_every_interface() {
    let mut config = member();
    config.listen = vec!["/ip4/0.0.0.0/tcp/0".parse().unwrap()];

    let host = start(config).await;

    let places: Vec<_> = host
        .listen_addrs()
        .iter()
        .map(Multiaddr::to_string)
        .collect();
    assert!(
        places
            .iter()
            .any(|place| place.starts_with("/ip4/127.0.0.1/tcp/")),
        "{places:?}"
    );
    assert!(
        places.iter().all(|place| !place.ends_with("/tcp/0")),
        "{places:?}"
    );
}

#[tokio::test]
async fn an_address_of_another_machine_is_refused_with_a_remedy() {
    let mut config = member();
    config.listen = vec!["/ip4/203.0.113.1/tcp/0".parse().unwrap()];

    let error = P2p::start(config).await.unwrap_err();

    assert!(matches!(error, StartError::Listen { .. }), "{error}");
    let line = error.to_string();
    assert!(
        line.contains("203.0.113.1") && line.contains("of this machine"),
        "{line}"
    );
}

#[tokio::test]
async fn a_host_that_only_dials_needs_no_listener() {
    let first = start(member()).await;
    let mut config = member_knowing(&[&first]);
    config.listen.clear();
    config.limits.deadline = Duration::from_secs(60);
    let second = start(config).await;
    connected(&first, &second).await;
    echo(&second);

    let answer = first.request(second.local_peer(), frame(1)).await;

    assert_eq!(answer.unwrap(), frame(1));
}
