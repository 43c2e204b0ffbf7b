//! Bootstrap peers that are given by name.
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions only"
)]

use std::net::Ipv4Addr;

use cache_core::Transport;
use cache_net::{Multiaddr, P2p, TargetState};

use crate::dns::Zone;
use crate::fleet::*;

/// Hosts on addresses of their own, all on one port, as the pods of a service are.
async fn service(ips: &[Ipv4Addr]) -> (Vec<std::sync::Arc<P2p>>, u16) {
    let port = {
        let free = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        free.local_addr().unwrap().port()
    };
    let mut hosts = Vec::new();
    for ip in ips {
        let mut config = member();
        config.listen = vec![format!("/ip4/{ip}/tcp/{port}").parse().unwrap()];
        hosts.push(start(config).await);
    }
    (hosts, port)
}

const IPS: [Ipv4Addr; 3] = [
    Ipv4Addr::new(127, 0, 0, 11),
    Ipv4Addr::new(127, 0, 0, 12),
    Ipv4Addr::new(127, 0, 0, 13),
];

#[tokio::test]
async fn all_addresses_of_a_name_are_connected() {
    let (hosts, port) = service(&IPS).await;
    let zone = Zone::default();
    zone.addresses(&IPS);
    let mut config = member();
    config.name_servers = vec![zone.serve().await];
    let name: Multiaddr = format!("/dns4/fleet.test/tcp/{port}").parse().unwrap();
    config.bootstrap = vec![name.clone()];

    let host = start(config).await;

    for other in &hosts {
        connected(&host, other).await;
    }
    let report = host.discovery().await.bootstrap.remove(0);
    assert_eq!(report.address, name);
    assert_eq!(report.targets.len(), 3);
    let connected =
        |target: &cache_net::TargetReport| matches!(target.state, TargetState::Connected(_));
    assert!(report.targets.iter().all(connected), "{report:?}");
}

#[tokio::test]
async fn a_name_that_stands_for_nobody_yet_is_asked_again() {
    let (hosts, port) = service(&IPS[..1]).await;
    let zone = Zone::default();
    let mut config = member();
    config.name_servers = vec![zone.serve().await];
    config.bootstrap = vec![format!("/dns4/fleet.test/tcp/{port}").parse().unwrap()];
    let host = start(config).await;
    let told = soon("it is told", async {
        loop {
            if let Some(told) = host.discovery().await.bootstrap.remove(0).unresolved {
                break told;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(
        told,
        "its host name cannot be resolved: there is no such name"
    );

    zone.addresses(&IPS[..1]);

    connected(&host, &hosts[0]).await;
}

#[tokio::test]
async fn what_is_listed_under_a_dnsaddr_is_connected() {
    let (hosts, port) = service(&IPS[..2]).await;
    let zone = Zone::default();
    let listed = |n: usize| {
        let peer = hosts[n].local_peer();
        format!("dnsaddr=/ip4/{}/tcp/{port}/p2p/{peer}", IPS[n])
    };
    zone.texts(&[listed(0), listed(1), "v=spf1 -all".to_owned()]);
    let mut config = member();
    config.name_servers = vec![zone.serve().await];
    config.bootstrap = vec!["/dnsaddr/fleet.test".parse().unwrap()];

    let host = start(config).await;

    connected(&host, &hosts[0]).await;
    connected(&host, &hosts[1]).await;
}
