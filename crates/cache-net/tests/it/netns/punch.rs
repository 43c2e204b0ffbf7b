//! Two hosts, each behind a NAT of its own, who can both reach a third and nobody else.

use std::net::Ipv4Addr;
use std::time::Duration;

use cache_core::Transport;
use cache_net::P2p;

use super::lab::{Host, Lab};
use super::switch::{Switch, Weather};
use super::{lab, member};
use crate::fleet::{echo, frame, sees, soon, until};

/// Both are behind NATs; the relay is the host that everybody is told of.
const ONE: usize = Switch::PORTS - 2;
const OTHER: usize = Switch::PORTS - 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_behind_two_nats_meet_at_a_relay_and_go_on_without_it() {
    let test = "netns::punch::hosts_behind_two_nats_meet_at_a_relay_and_go_on_without_it";
    let weather = Weather {
        delay: Duration::from_millis(20),
        loss: 0.0,
        seed: 0,
    };
    let Some(lab) = lab(test, weather, 2) else {
        return;
    };
    let relay = start(&lab, 0, Lab::ADDRESSES[0]).await;
    let one = start(&lab, ONE, Lab::inside(ONE)).await;
    let other = start(&lab, OTHER, Lab::inside(OTHER)).await;
    let (a, b) = (&one.transport, &other.transport);
    echo(b);

    until("both see each other", || sees(a, b) && sees(b, a)).await;
    until("one direct connection is left, and no other", || {
        is_direct(a, b) && is_direct(b, a)
    })
    .await;

    // The relay's plug is pulled, and what they have does not go through it.
    lab.switch.pull(0);
    let answer = soon("an answer", a.request(b.local_peer(), frame(100_000))).await;
    assert!(answer.unwrap() == frame(100_000));

    [relay, one, other].into_iter().for_each(Host::end);
    lab.end();
}

async fn start(lab: &Lab, number: usize, address: Ipv4Addr) -> Host {
    let mut config = member(address);
    config.relay = true;
    if number == 0 {
        config.external = config.listen.clone();
    }
    lab.start(number, config).await
}

/// Whether what connects one host to another goes through nobody else.
fn is_direct(one: &P2p, other: &P2p) -> bool {
    let peers = one.peers();
    let peer = peers.iter().find(|peer| peer.id == other.local_peer());
    peer.is_some_and(|peer| {
        let mut addresses = peer.addresses.iter();
        addresses.all(|at| at.starts_with("/ip4/") && !at.contains("/p2p-circuit"))
    })
}
