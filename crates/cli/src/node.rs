//! A node: the four crates, put together. This is the only place that knows them all.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use cache_core::Cache;
use cache_core::disk::{self, Disk};
use cache_crypto::{Keyring, Sealed};
use cache_net::{Identity, Membership, Metrics, Multiaddr, P2p, StartError};
use gh_client::{Client, PrincipalKey};
use tokio::time::Instant;

use crate::config::{self, Config, ConfigError, Net, Secrets, Sharing};
use crate::known_peers::KnownPeers;
use crate::proxy;
use crate::report::{self, Counters, NodeStats, Peer, Received, Unopened};

/// Connections of a member that is told at which address everybody can reach it.
const HUB_CONNECTIONS: u32 = 256;

/// How often the known peers are kept, beside at the stop.
const KEPT_EVERY: Duration = Duration::from_secs(2 * 60);

/// A running node, without the listeners through which clients reach it.
#[derive(Clone)]
pub(crate) struct Node {
    cache: Cache,
    client: Client,
    network: Option<Network>,
    /// Where peers are kept until the next start; `None` where nothing is kept.
    known_peers: Option<KnownPeers>,
    bootstrap_peers: u64,
    started: Instant,
}

/// The way to the peers.
type Network = Arc<Sealed<P2p>>;

impl Node {
    /// Starts a node; has to be told once that it is to [stop](Self::stop).
    pub(crate) async fn start(config: &Config) -> Result<Self, ConfigError> {
        let mut builder = Cache::builder().max_bytes(config.max_memory);
        let mut known_peers = None;
        let (builder, principal_key, network, bootstrap_peers) = match &config.sharing {
            Sharing::Off => (builder, PrincipalKey::new(rand::random()), None, 0),
            Sharing::On { secrets, net } => {
                let keyring = Arc::new(keyring(secrets)?);
                let principal_key = PrincipalKey::new(*keyring.principals().as_bytes());
                if let Some(disk) = &config.disk {
                    builder = builder.disk(open_disk(disk, Arc::clone(&keyring))?);
                }
                let kept = config.disk.as_ref();
                known_peers =
                    kept.map(|disk| KnownPeers::in_dir(&disk.dir, Arc::clone(&keyring) as _));
                let known = known_peers.as_ref().map(KnownPeers::load);
                let known = known.unwrap_or_default();
                let network = start_network(net, known, &keyring).await?;
                let network = Arc::new(Sealed::new(network, keyring));
                if let Some(known_peers) = known_peers.clone() {
                    let network = Arc::downgrade(&network);
                    tokio::spawn(known_peers.keep(KEPT_EVERY, move || known_to(network.clone())));
                }
                let peers = net.bootstrap.len() as u64;
                (
                    builder.transport(Arc::clone(&network)),
                    principal_key,
                    Some(network),
                    peers,
                )
            }
        };
        let client = Client::builder(principal_key)
            .upstream(&config.upstream)
            .default_ttl(config.default_ttl)
            .stale_for(config.stale_for)
            .ttl_rules(config.ttl_rules.iter().cloned())
            .sharing(config.shown_to)
            .pace(config.pace)
            .via(proxy::VIA);
        let client = match config.negative_ttl {
            Some(ttl) => client.negative_ttl(ttl),
            None => client,
        };
        let cache = builder.longest_lifetime(client.longest_lifetime()).build();
        let client = client
            .build(cache.clone())
            .map_err(|error| ConfigError::unusable("--upstream (GHMESH_UPSTREAM)", error))?;
        Ok(Self {
            cache,
            client,
            network,
            known_peers,
            bootstrap_peers,
            started: Instant::now(),
        })
    }

    /// The way to GitHub, cache first.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The peers that are connected now.
    pub(crate) fn peers(&self) -> Vec<Peer> {
        let sources = self.p2p().map(P2p::sources);
        let sources: HashMap<_, _> = sources.into_iter().flatten().collect();
        let peers = self.cache.peers().into_iter();
        peers
            .map(|peer| {
                let source = sources.get(&peer.id).copied();
                Peer::new(peer, source)
            })
            .collect()
    }

    fn p2p(&self) -> Option<&P2p> {
        self.network.as_ref().map(|network| network.transport())
    }

    /// What the transport counts; `None` where sharing is off.
    pub(crate) fn network_metrics(&self) -> Option<Metrics> {
        self.p2p().map(P2p::metrics)
    }

    /// The counters.
    pub(crate) async fn stats(&self) -> NodeStats {
        let cache = self.cache.stats();
        let client = self.client.stats();
        let unopened = self.network.as_ref().map(|network| network.unopened());
        let discovery = match self.p2p() {
            Some(network) => network.discovery().await,
            None => cache_net::Discovery::default(),
        };
        let (bootstrap, discovery) = report::discovered(discovery);
        NodeStats {
            counters: Counters::new(&cache, client.bypassed, client.api_calls_made),
            disk: cache.disk,
            connected_peers: cache.connected_peers,
            bootstrap_peers_configured: self.bootstrap_peers,
            bootstrap,
            discovery,
            peer_id: self.peer_id(),
            listen_addrs: self.p2p_addresses(),
            received: Received {
                opened: cache.received,
                unopened: unopened.map(Unopened::from).unwrap_or_default(),
            },
            rate_limits: client.rate_limits,
            uptime_seconds: self.started.elapsed().as_secs(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            fleet: None,
        }
    }

    /// The counters, and those of all members. They are asked for them.
    pub(crate) async fn fleet_stats(&self) -> NodeStats {
        let fleet = self.cache.ask_fleet().await.into();
        NodeStats {
            fleet: Some(fleet),
            ..self.stats().await
        }
    }

    /// Our name among the peers; none where sharing is off.
    pub(crate) fn peer_id(&self) -> Option<String> {
        let shares = self.network.is_some();
        shares.then(|| self.cache.local_peer().to_string())
    }

    /// Where peers reach us, with our name at the end of each address.
    pub(crate) fn p2p_addresses(&self) -> Vec<String> {
        let Some(network) = self.p2p() else {
            return Vec::new();
        };
        let peer = self.cache.local_peer();
        let addresses = network.listen_addrs().into_iter();
        addresses
            .map(|address| format!("{address}/p2p/{peer}"))
            .collect()
    }

    /// Tells the peers what is still queued, and goodbye.
    pub(crate) async fn stop(&self) {
        if let (Some(network), Some(known)) = (self.p2p(), &self.known_peers) {
            known.save(&network.known_peers().await);
        }
        self.cache.close().await;
    }
}

/// The store on disk, sealed under the fleet's secret.
fn open_disk(disk: &config::Disk, keyring: Arc<Keyring>) -> Result<Disk, ConfigError> {
    let options = disk::Options::new(keyring).max_bytes(disk.max_bytes);
    Disk::open(&disk.dir, options)
        .map_err(|error| ConfigError::unusable("--data-dir (CACHE_DIR)", error))
}

/// The keys of a member.
pub(crate) fn keyring(secrets: &Secrets) -> Result<Keyring, ConfigError> {
    let keyring = Keyring::new(&secrets.current)
        .map_err(|error| ConfigError::unusable("this machine", error))?;
    Ok(match &secrets.previous {
        Some(previous) => keyring.with_previous(previous),
        None => keyring,
    })
}

/// What the network knows now; `None` once there is none any more.
async fn known_to(network: Weak<Sealed<P2p>>) -> Option<Vec<Multiaddr>> {
    Some(network.upgrade()?.transport().known_peers().await)
}

/// Starts on the way to the peers.
pub(crate) async fn start_network(
    net: &Net,
    known: Vec<Multiaddr>,
    keyring: &Keyring,
) -> Result<P2p, ConfigError> {
    let mut config = cache_net::Config::new(*keyring.membership().as_bytes());
    let previous = keyring.previous_membership();
    config.previous_membership = previous.map(|key| Membership::new(*key.as_bytes()));
    if let Some(path) = &net.identity_file {
        config.identity = Identity::load_or_create(path)
            .map_err(|error| ConfigError::unusable("--identity-file", error))?;
    }
    config.listen.clone_from(&net.listen);
    config.bootstrap.clone_from(&net.bootstrap);
    config.external.clone_from(&net.external);
    config.known = known;
    config.mdns = net.mdns;
    config.relay = net.relay;
    if !net.external.is_empty() {
        // It is the one that everybody can reach: one for each member that has no other way to the
        // rest of the fleet.
        config.limits.connections = HUB_CONNECTIONS;
    }
    P2p::start(config).await.map_err(|error| {
        let setting = match error {
            StartError::BootstrapAddress(_) => "--bootstrap (CACHE_BOOTSTRAP_PEERS)",
            _ => "--p2p-listen (CACHE_LISTEN_PORT)",
        };
        ConfigError::unusable(setting, error)
    })
}
