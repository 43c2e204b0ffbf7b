//! Whether the fleet is found: a member for a moment, that asks what came of each way.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cache_core::Cache;
use cache_crypto::{Keyring, Sealed};
use cache_net::{Discovery, Multiaddr, Protocol};
use tokio::time::{self, Instant};

use super::check::Check;
use crate::config::{ConfigError, Net, Secrets};
use crate::known_peers::KnownPeers;
use crate::node;
use crate::report::{self, BootstrapPeer, Found};

/// How long peers are waited for. A dial ends within five seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is asked what has become of the dials.
const POLL: Duration = Duration::from_millis(50);

/// Joins the fleet, and tells what came of each bootstrap peer and of each other way to find peers.
pub(crate) async fn checks(secrets: &Secrets, net: &Net, dir: Option<&Path>) -> Vec<Check> {
    match discover(secrets, net, dir).await {
        Ok((discovery, known)) => told(discovery, known, net),
        Err(error) => vec![Check::fail(
            "peers",
            error,
            "correct the setting that is named",
        )],
    }
}

/// What came of each way, and how many peers are remembered from the last stop.
async fn discover(
    secrets: &Secrets,
    net: &Net,
    dir: Option<&Path>,
) -> Result<(Discovery, usize), ConfigError> {
    let keyring: Arc<Keyring> = Arc::new(node::keyring(secrets)?);
    let known = dir.map(|dir| KnownPeers::in_dir(dir, Arc::clone(&keyring) as _).load());
    let known = known.unwrap_or_default();
    let remembered = known.len();
    let network = node::start_network(&visitor(net), known, &keyring).await?;
    let network = Arc::new(Sealed::new(network, keyring));
    // It answers the others as a member does that has nothing, and takes leave of them.
    let cache = Cache::builder().transport(Arc::clone(&network)).build();
    let deadline = Instant::now() + PATIENCE;
    let discovery = loop {
        let discovery = network.transport().discovery().await;
        if is_settled(&discovery, net) || Instant::now() >= deadline {
            break discovery;
        }
        time::sleep(POLL).await;
    };
    cache.close().await;
    Ok((discovery, remembered))
}

/// The same network for one who does not stay: any free port, so that a running node keeps its own,
/// and a fresh identity, so that nobody takes it for that node.
fn visitor(net: &Net) -> Net {
    let listen = net.listen.iter().map(|address| {
        let parts = address.iter().map(|part| match part {
            Protocol::Tcp(_) => Protocol::Tcp(0),
            part => part,
        });
        parts.collect::<Multiaddr>()
    });
    Net {
        listen: listen.collect(),
        bootstrap: net.bootstrap.clone(),
        // Nobody reaches us there.
        external: Vec::new(),
        identity_file: None,
        mdns: net.mdns,
        relay: net.relay,
    }
}

/// Whether nothing more is to be expected of what was configured.
fn is_settled(discovery: &Discovery, net: &Net) -> bool {
    let (bootstrap, others) = report::discovered(discovery.clone());
    let decided = |peer: &BootstrapPeer| peer.connected || peer.problem.is_some();
    let known = others.found.iter().find(|found| found.source == "known");
    let is_known_decided = known.is_none_or(|found| found.connected + found.failing >= found.peers);
    // On the local network somebody may always turn up.
    !net.mdns && is_known_decided && bootstrap.iter().all(decided)
}

fn told(discovery: Discovery, remembered: usize, net: &Net) -> Vec<Check> {
    let (bootstrap, others) = report::discovered(discovery);
    let mut checks: Vec<Check> = bootstrap.iter().map(one).collect();
    if net.bootstrap.is_empty() && remembered == 0 && !net.mdns {
        checks.push(Check::warn(
            "bootstrap",
            "none: this node waits to be found",
            "give it another node's address as --bootstrap (CACHE_BOOTSTRAP_PEERS), unless the \
             others know this one's",
        ));
    }
    let found = |source: &str| others.found.iter().find(|found| found.source == source);
    if remembered > 0 {
        checks.push(known(remembered, found("known")));
    }
    if net.mdns {
        checks.push(mdns(others.mdns_problem.as_deref(), found("mdns")));
    }
    if let Some(found) = found("kademlia") {
        checks.push(Check::pass("kademlia", in_words(found)));
    }
    checks
}

fn one(peer: &BootstrapPeer) -> Check {
    let address = &peer.address;
    if peer.connected {
        return Check::pass("bootstrap", format_args!("{address}: connected"));
    }
    let why = peer.problem.as_deref();
    let why = why.unwrap_or("it does not answer in time");
    let remedy = if why.contains("secret") {
        "give both nodes the same secret: compare the fingerprints that `ghmesh doctor` shows on \
         each"
    } else {
        "see that a node runs there, that its --p2p-listen is that address, and that no firewall \
         is between; else correct --bootstrap (CACHE_BOOTSTRAP_PEERS)"
    };
    Check::fail("bootstrap", format_args!("{address}: {why}"), remedy)
}

/// Peers of the last stop may be gone for good, which is nobody's fault.
fn known(remembered: usize, found: Option<&Found>) -> Check {
    match found {
        Some(found) if found.connected > 0 => Check::pass("known-peers", in_words(found)),
        _ => Check::warn(
            "known-peers",
            format_args!("{remembered} addresses of the last stop, none of which is connected"),
            "nothing, where those peers have ended or are connected in another way",
        ),
    }
}

fn mdns(problem: Option<&str>, found: Option<&Found>) -> Check {
    match (problem, found) {
        (Some(why), _) => Check::warn(
            "mdns",
            why,
            "see that this network lets multicast through, or leave out --mdns",
        ),
        (None, Some(found)) => Check::pass("mdns", in_words(found)),
        (None, None) => Check::warn(
            "mdns",
            "nobody on the local network answers",
            "start another node with --mdns, and see that this network lets multicast through",
        ),
    }
}

fn in_words(found: &Found) -> String {
    let Found {
        peers,
        connected,
        failing,
        ..
    } = found;
    format!("{peers} found, {connected} of them connected, {failing} failing")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Status;

    fn peer(connected: bool, problem: Option<&str>) -> BootstrapPeer {
        BootstrapPeer {
            address: "/dns4/runner-1/tcp/9100".to_owned(),
            connected,
            problem: problem.map(str::to_owned),
        }
    }

    #[test]
    fn a_visitor_takes_neither_the_port_nor_the_name_of_the_node() {
        let net = Net {
            listen: vec!["/ip4/0.0.0.0/tcp/9100".parse().unwrap()],
            bootstrap: vec!["/ip4/192.0.2.1/tcp/9100".parse().unwrap()],
            external: vec!["/ip4/192.0.2.2/tcp/9100".parse().unwrap()],
            identity_file: Some("identity".into()),
            mdns: false,
            relay: true,
        };
        let visitor = visitor(&net);
        assert_eq!(visitor.listen[0].to_string(), "/ip4/0.0.0.0/tcp/0");
        assert_eq!(visitor.bootstrap, net.bootstrap);
        assert!(visitor.external.is_empty() && visitor.identity_file.is_none());
        assert!(visitor.relay);
    }

    #[test]
    fn each_way_of_not_reaching_a_peer_has_its_remedy() {
        assert_eq!(one(&peer(true, None)).status(), Status::Pass);
        let other = one(&peer(false, Some("it has another secret")));
        assert_eq!(other.status(), Status::Fail);
        assert!(other.remedy().unwrap().contains("the same secret"));
        let silent = one(&peer(false, None));
        assert_eq!(silent.status(), Status::Fail);
        assert!(silent.remedy().unwrap().contains("firewall"));
    }

    #[test]
    fn peers_that_are_gone_since_the_last_stop_fail_nobody() {
        assert_eq!(known(2, None).status(), Status::Warn);
    }
}
