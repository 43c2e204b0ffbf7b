//! Fleets in which nobody is connected to everybody, and frames that reach everybody all the same.
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions only"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cache_core::{FrameKind, PeerId, Transport};
use cache_net::{P2p, Redial};
use futures::future::join_all;
use tokio::time::Instant;

use crate::fleet::*;

/// Which frames each host has taken.
#[derive(Clone, Default)]
pub(crate) struct Taken(Arc<Mutex<BTreeMap<PeerId, Vec<Bytes>>>>);

impl Taken {
    /// Has a host take every frame that comes, and send back those that ask for an answer.
    pub(crate) fn by(&self, host: &Arc<P2p>) {
        let (taken, host) = (self.clone(), Arc::clone(host));
        tokio::spawn(async move {
            while let Some(inbound) = host.accept().await {
                let reply = match inbound.kind {
                    FrameKind::Request => inbound.frame.clone(),
                    FrameKind::Broadcast => Bytes::new(),
                };
                let mut taken = taken.0.lock().unwrap();
                taken
                    .entry(host.local_peer())
                    .or_default()
                    .push(inbound.frame);
                drop(taken);
                inbound.reply.send(reply);
            }
        });
    }

    pub(crate) fn count(&self, host: &P2p, frame: &Bytes) -> usize {
        let taken = self.0.lock().unwrap();
        let taken = taken.get(&host.local_peer());
        taken.map_or(0, |all| all.iter().filter(|one| *one == frame).count())
    }
}

/// How many of the hosts can be reached from the first one, over any number of others.
fn in_one_mesh(hosts: &[Arc<P2p>]) -> usize {
    let neighbours: BTreeMap<_, _> = hosts
        .iter()
        .map(|host| (host.local_peer(), names(host)))
        .collect();
    let mut reached = BTreeSet::new();
    let mut next = vec![hosts[0].local_peer()];
    while let Some(host) = next.pop() {
        if neighbours.contains_key(&host) && reached.insert(host) {
            next.extend(&neighbours[&host]);
        }
    }
    reached.len()
}

fn most_connections(hosts: &[Arc<P2p>]) -> usize {
    hosts.iter().map(|host| host.peers().len()).max().unwrap()
}

/// Has each of `senders` broadcast a frame of its own, until every host has each of them.
async fn reaches_all(hosts: &[Arc<P2p>], senders: &[Arc<P2p>], taken: &Taken) {
    for sender in senders {
        let frame = Bytes::from(rand::random::<[u8; 16]>().to_vec());
        let delivery = sender.broadcast(frame.clone()).await.unwrap();
        assert!(delivery.failed.is_empty(), "{delivery:?}");
        let others = || {
            hosts
                .iter()
                .filter(|host| host.local_peer() != sender.local_peer())
        };
        until("everybody has it", || {
            others().all(|host| taken.count(host, &frame) > 0)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_hosts_that_know_one_are_one_mesh_with_or_without_it() {
    let (taken, started) = (Taken::default(), Instant::now());
    let with = |hosts: &[&P2p]| {
        let mut config = member_knowing(hosts);
        config.redial = Redial::default();
        config
    };
    let first = start(with(&[])).await;
    let others = join_all((1..50).map(|_| start(with(&[&first])))).await;
    let mut hosts = [vec![first.clone()], others].concat();
    for host in &hosts {
        taken.by(host);
    }

    until("one mesh", || {
        assert!(most_connections(&hosts) <= 32);
        in_one_mesh(&hosts) == 50 && hosts.iter().all(|host| host.peers().len() >= 8)
    })
    .await;
    println!("one mesh of 50 after {:?}", started.elapsed());
    reaches_all(&hosts, &hosts[..5], &taken).await;
    println!("five broadcasts after {:?}", started.elapsed());

    first.close().await;
    hosts.remove(0);
    until("it is gone", || {
        hosts.iter().all(|host| !sees(host, &first))
    })
    .await;
    assert_eq!(in_one_mesh(&hosts), 49);
    reaches_all(&hosts, &hosts[..3], &taken).await;

    let newcomer = start(with(&[&hosts[17]])).await;
    taken.by(&newcomer);
    hosts.push(newcomer.clone());
    until("the newcomer has joined", || newcomer.peers().len() >= 8).await;
    reaches_all(&hosts, &[newcomer, hosts[30].clone()], &taken).await;
    assert!(most_connections(&hosts) <= 32);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bootstrap_peer_that_dies_without_a_word_is_missed_by_nobody() {
    let apart = tokio::runtime::Runtime::new().unwrap();
    let first = apart.spawn(start(member())).await.unwrap();
    let taken = Taken::default();
    let hosts = join_all((0..6).map(|_| start(member_knowing(&[&first])))).await;
    for host in &hosts {
        taken.by(host);
    }
    until("all are connected", || {
        hosts.iter().all(|host| host.peers().len() == 6)
    })
    .await;

    // Its sockets close under it, and it says no goodbye.
    apart.shutdown_background();

    until("it is gone", || {
        hosts.iter().all(|host| !sees(host, &first))
    })
    .await;
    let newcomer = start(member_knowing(&[&hosts[3]])).await;
    taken.by(&newcomer);
    until("the newcomer knows all", || newcomer.peers().len() == 6).await;
    let all = [hosts, vec![newcomer.clone()]].concat();
    reaches_all(&all, &[newcomer, all[0].clone()], &taken).await;
}
