//! Hosts with addresses of their own, on a network that loses, delays and breaks.
//!
//! It takes Linux, root and nftables. Elsewhere the test says that it has shown nothing, unless
//! `GHMESH_REQUIRE_NETNS` is set, as in CI: then it fails, or becomes root by `sudo`.
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions only"
)]

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::{Direction, Transport};
use cache_net::{Config, Membership, P2p, Redial};
use futures::future::join_all;
use tokio::time::sleep;

use crate::fleet::{SECRET, names, soon, until};
use crate::mesh::Taken;

mod lab;
mod local;
#[cfg(feature = "relay")]
mod punch;
mod switch;

use lab::{Host, Lab};
use switch::{Switch, Weather};

/// The variable with which CI demands that the test is not skipped.
const REQUIRED: &str = "GHMESH_REQUIRE_NETNS";

/// Before a frame is sent again that was not confirmed.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the host whose plug is pulled is.
const CUT: usize = 2;

/// Where the host behind the NAT is.
const INSIDE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hosts_on_a_bad_network_account_for_every_frame() {
    let weather = Weather {
        delay: Duration::from_millis(50),
        loss: 0.1,
        seed: rand::random(),
    };
    println!("seed {}", weather.seed);
    let Some(lab) = lab(
        "netns::five_hosts_on_a_bad_network_account_for_every_frame",
        weather,
        1,
    ) else {
        return;
    };
    let hosts = start(&lab).await;
    let fleet: Vec<_> = hosts.iter().map(|host| host.transport.clone()).collect();
    let taken = Taken::default();
    for host in &fleet {
        taken.by(host);
    }

    one_mesh(&fleet).await;
    the_network_is_bad(&fleet).await;
    nobody_got_in(&fleet);
    join_all(fleet.iter().map(|host| broadcast(host, &fleet, &taken))).await;
    join_all(fleet.iter().map(|host| ask_everybody(host, &fleet))).await;

    lab.switch.pull(CUT);
    let others = without(&fleet, &fleet[CUT]);
    // Before anybody has noticed.
    let missed = join_all(others.iter().map(|host| broadcast(host, &others, &taken))).await;
    until("the cut is noticed on both sides", || {
        names(&fleet[CUT]).is_empty() && others.iter().all(|host| host.peers().len() == 3)
    })
    .await;
    assert!(missed.iter().all(|one| taken.count(&fleet[CUT], one) == 0));

    lab.switch.plug_in(CUT);
    one_mesh(&fleet).await;
    nobody_got_in(&fleet);
    join_all(fleet.iter().map(|host| broadcast(host, &fleet, &taken))).await;

    let (delivered, lost, cut) = lab.switch.packets();
    println!("{delivered} packets delivered, {lost} lost, {cut} held up by the cut");
    assert!(cut > 0);
    assert!((0.05..0.15).contains(&(lost as f64 / (delivered + lost) as f64)));
    drop(fleet);
    hosts.into_iter().for_each(Host::end);
    lab.end();
}

/// The network for a test of this name, where this machine lets us make it.
fn lab(test: &str, weather: Weather, hidden: usize) -> Option<Lab> {
    let required = is_required();
    if required && !rustix::process::geteuid().is_root() {
        run_as_root(test);
        return None;
    }
    match Lab::build(weather, hidden) {
        Ok(lab) => Some(lab),
        Err(error) => {
            let why = format!("no network namespaces here: {error}");
            assert!(!required, "{why}, and {REQUIRED} is set");
            // Not by a macro: what those print is kept from who watches as long as the test passes.
            let _ = writeln!(
                io::stderr(),
                "\n{why}: {test} has shown nothing (it takes Linux, root and \
                 `apt-get install iproute2 nftables`)"
            );
            None
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its environment, too"
)]
fn is_required() -> bool {
    std::env::var_os(REQUIRED).is_some()
}

/// Runs a test as root instead, as where CI's user may become that without a password.
fn run_as_root(test: &str) {
    let tests = std::env::current_exe().unwrap();
    let output = Command::new("sudo")
        .args(["--non-interactive", "env", &format!("{REQUIRED}=1")])
        .arg(tests)
        .args([test, "--exact", "--nocapture"])
        .output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let passed = output.status.success() && said.contains("test result: ok. 1 passed");
    assert!(passed, "as root, and {REQUIRED} is set: {output:?}");
}

/// Five hosts that were told of the first alone.
async fn start(lab: &Lab) -> Vec<Host> {
    let mut hosts = Vec::new();
    for number in 0..Switch::PORTS {
        let address = match number {
            INSIDE => Lab::inside(INSIDE),
            number => Lab::ADDRESSES[number],
        };
        hosts.push(lab.start(number, member(address)).await);
    }
    hosts
}

fn member(address: Ipv4Addr) -> Config {
    let place = |address| format!("/ip4/{address}/tcp/4001").parse().unwrap();
    let mut config = Config::new(Membership::new(SECRET));
    config.listen.push(place(address));
    config.bootstrap.push(place(Lab::ADDRESSES[0]));
    config.redial = Redial {
        first: Duration::from_millis(200),
        longest: Duration::from_secs(2),
    };
    config
}

fn without(hosts: &[Arc<P2p>], host: &Arc<P2p>) -> Vec<Arc<P2p>> {
    let others = hosts.iter().filter(|other| !Arc::ptr_eq(other, host));
    others.cloned().collect()
}

/// Waits until everybody is connected to everybody.
async fn one_mesh(hosts: &[Arc<P2p>]) {
    until("everybody sees everybody", || {
        hosts
            .iter()
            .all(|host| host.peers().len() == hosts.len() - 1)
    })
    .await;
}

/// The delay is in every round trip: what follows was not shown on a network that is better than it
/// should be.
async fn the_network_is_bad(hosts: &[Arc<P2p>]) {
    let latencies = || {
        let of = |host: &Arc<P2p>| host.peers().into_iter().map(|peer| peer.latency);
        hosts.iter().flat_map(of).collect::<Option<Vec<_>>>()
    };
    let mut pinged = None;
    until("every peer was pinged", || {
        pinged = latencies();
        pinged.is_some()
    })
    .await;
    let least = pinged.into_iter().flatten().min().unwrap();
    assert!(least >= Duration::from_millis(100), "{least:?}");
}

/// The connections of the host behind the NAT are its own.
fn nobody_got_in(hosts: &[Arc<P2p>]) {
    let inside = hosts[INSIDE].peers();
    assert!(
        inside
            .iter()
            .all(|peer| peer.direction == Direction::Outbound),
        "{inside:?}"
    );
}

/// Has a host tell the others something, again where that was not confirmed, until they all have it.
async fn broadcast(from: &P2p, hosts: &[Arc<P2p>], taken: &Taken) -> Bytes {
    let others = || {
        let others = hosts.iter();
        others.filter(|host| host.local_peer() != from.local_peer())
    };
    let mut frame = rand::random::<[u8; 16]>().to_vec();
    frame.resize(20_000, 7);
    let frame = Bytes::from(frame);
    soon("everybody has the frame", async {
        let mut confirmed = BTreeSet::new();
        loop {
            let before = names(from);
            let delivery = from.broadcast(frame.clone()).await.unwrap();
            let after = names(from);
            let told = [&delivery.acked[..], &delivery.published, &delivery.failed].concat();
            let each_once: BTreeSet<_> = told.iter().copied().collect();
            assert_eq!(each_once.len(), told.len(), "{delivery:?}");
            let mut stayed = before.iter().filter(|peer| after.contains(peer));
            assert!(stayed.all(|peer| each_once.contains(peer)), "{delivery:?}");
            for host in others() {
                let peer = host.local_peer();
                if delivery.acked.contains(&peer) {
                    assert!(taken.count(host, &frame) > 0, "confirmed and not taken");
                    confirmed.insert(peer);
                }
                // Not acknowledged, so that its arrival is what tells.
                if delivery.published.contains(&peer) && taken.count(host, &frame) > 0 {
                    confirmed.insert(peer);
                }
            }
            if confirmed.len() == hosts.len() - 1 {
                break;
            }
            sleep(PAUSE).await;
        }
    })
    .await;
    frame
}

/// Has a host ask each other one, again where there was no answer, and counts what came of it.
async fn ask_everybody(from: &P2p, hosts: &[Arc<P2p>]) {
    let others = hosts
        .iter()
        .filter(|host| host.local_peer() != from.local_peer());
    let before = outcomes(from);
    let asked = others.map(async |host| {
        let question = Bytes::from(rand::random::<[u8; 32]>().to_vec());
        let mut asked = 1;
        loop {
            match from.request(host.local_peer(), question.clone()).await {
                Ok(answer) => break assert_eq!(answer, question),
                Err(error) => println!("asked in vain: {error}"),
            }
            asked += 1;
            sleep(PAUSE).await;
        }
        asked
    });
    let asked: u64 = soon("answers", join_all(asked)).await.into_iter().sum();
    let counted = outcomes(from) - before;
    assert_eq!(counted, asked, "every request ends in one way");
}

fn outcomes(host: &P2p) -> u64 {
    let all = host.metrics().requests;
    all.answered + all.unreachable + all.timed_out + all.busy + all.declined + all.not_sent
}
