//! A local network: a host behind a router, and one on the router itself.

use std::net::Ipv4Addr;
use std::time::Duration;

use cache_net::{Config, Source};

use super::lab::{Host, Lab};
use super::switch::{Switch, Weather};
use super::{lab, member};
use crate::fleet::{sees, until};

/// The one behind the router.
const INSIDE: usize = Switch::PORTS - 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_on_a_local_network_find_each_other_by_multicast_alone() {
    let test = "netns::local::hosts_on_a_local_network_find_each_other_by_multicast_alone";
    let weather = Weather {
        delay: Duration::ZERO,
        loss: 0.0,
        seed: 0,
    };
    let Some(lab) = lab(test, weather, 1) else {
        return;
    };
    let one = lab
        .start_on_router(told_nothing(Lab::gateway(INSIDE)))
        .await;
    let other = lab.start(INSIDE, told_nothing(Lab::inside(INSIDE))).await;
    let (a, b) = (&one.transport, &other.transport);

    until("both see each other", || sees(a, b) && sees(b, a)).await;

    let mut found = [a.discovery().await.found, b.discovery().await.found].concat();
    found.retain(|found| found.source == Source::Mdns && found.connected == 1);
    assert!(
        !found.is_empty(),
        "who has dialled has heard of the other by multicast"
    );
    [one, other].into_iter().for_each(Host::end);
    lab.end();
}

/// A member that knows nobody, and listens and asks around on its own network.
fn told_nothing(address: Ipv4Addr) -> Config {
    let mut config = member(address);
    config.bootstrap.clear();
    config.mdns = true;
    config
}
