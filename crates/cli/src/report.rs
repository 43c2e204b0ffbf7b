//! What a node tells about itself: the JSON of `/-/stats` and `/-/peers`.

use cache_core::members::{Counts, FleetStats, MemberStats};
use cache_core::stats::{BroadcastStats, DiskStats, ReceivedStats};
use cache_core::{PeerInfo, Stats};
use cache_net::{BootstrapReport, MdnsState, Source, TargetState};
use gh_client::RateLimit;
use serde::{Deserialize, Serialize};

/// How one node stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NodeStats {
    #[serde(flatten)]
    pub(crate) counters: Counters,
    /// `null` where nothing is kept on disk.
    pub(crate) disk: Option<DiskStats>,
    pub(crate) connected_peers: u64,
    pub(crate) bootstrap_peers_configured: u64,
    #[serde(default)]
    pub(crate) bootstrap: Vec<BootstrapPeer>,
    #[serde(default)]
    pub(crate) discovery: Discovery,
    /// `null` where sharing is off.
    pub(crate) peer_id: Option<String>,
    pub(crate) listen_addrs: Vec<String>,
    pub(crate) received: Received,
    pub(crate) rate_limits: Vec<RateLimit>,
    pub(crate) uptime_seconds: u64,
    pub(crate) version: String,
    /// Where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fleet: Option<Fleet>,
}

/// What a node has counted and holds, or several nodes together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Counters {
    pub(crate) requests: u64,
    pub(crate) hits: u64,
    pub(crate) peer_hits: u64,
    pub(crate) misses: u64,
    pub(crate) hit_rate: f64,
    pub(crate) revalidated: u64,
    pub(crate) stale_served: u64,
    pub(crate) coalesced: u64,
    pub(crate) bypassed: u64,
    pub(crate) api_calls_made: u64,
    pub(crate) api_calls_saved: u64,
    pub(crate) expirations: u64,
    pub(crate) evictions: u64,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) broadcast: BroadcastStats,
}

/// How all members stand, as far as one of them knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fleet {
    /// What all have counted together, those that are gone included.
    pub(crate) totals: Counters,
    /// The one that was asked first.
    pub(crate) members: Vec<Member>,
    /// How many runs of members have ended since the one that was asked was started.
    pub(crate) past_members: u64,
    /// What those had counted.
    pub(crate) past: Counters,
}

/// One member of a fleet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) peer_id: String,
    /// Whether it is the one that was asked.
    pub(crate) is_local: bool,
    /// Whether it is connected to the one that was asked.
    pub(crate) is_connected: bool,
    pub(crate) version: String,
    /// In seconds since the Unix epoch.
    pub(crate) started_at: u64,
    /// How long ago it reported.
    pub(crate) age_seconds: u64,
    pub(crate) connected_peers: u64,
    #[serde(flatten)]
    pub(crate) counters: Counters,
}

/// What has come from peers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Received {
    /// Of what opens.
    #[serde(flatten)]
    pub(crate) opened: ReceivedStats,
    #[serde(default)]
    pub(crate) unopened: Unopened,
}

/// What does not open, by what it looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unopened {
    /// It was never sealed.
    pub(crate) malformed: u64,
    /// One side has to be upgraded.
    pub(crate) other_version: u64,
    /// The peer is ahead in a change of secrets, or behind.
    pub(crate) other_secret: u64,
    /// Nobody in good order sends it.
    pub(crate) forged: u64,
}

impl Unopened {
    /// The counts that are not zero, in words; nothing where there are none.
    pub(crate) fn in_words(&self) -> String {
        let counts = [
            (self.other_secret, "of another secret"),
            (self.other_version, "of another version"),
            (self.malformed, "never sealed"),
            (self.forged, "forged or altered"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<_> = counts
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        words.join(", ")
    }

    pub(crate) const fn total(&self) -> u64 {
        self.malformed + self.other_version + self.other_secret + self.forged
    }
}

impl From<cache_crypto::Unopened> for Unopened {
    fn from(counts: cache_crypto::Unopened) -> Self {
        Self {
            malformed: counts.malformed,
            other_version: counts.other_version,
            other_secret: counts.other_secret,
            forged: counts.forged,
        }
    }
}

/// One peer of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Peer {
    pub(crate) peer_id: String,
    pub(crate) addresses: Vec<String>,
    /// The last measured round trip; `null` until there is one.
    pub(crate) latency_ms: Option<f64>,
    pub(crate) age_seconds: u64,
    /// `inbound` or `outbound`.
    pub(crate) direction: String,
    /// How the node came by it: `bootstrap`, `known`, `mdns`, `kademlia` or `inbound`.
    #[serde(default)]
    pub(crate) source: Option<String>,
}

/// What became of one address of the bootstrap list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BootstrapPeer {
    pub(crate) address: String,
    /// Whether one of the peers there is connected.
    pub(crate) connected: bool,
    /// What went wrong last, where none is.
    pub(crate) problem: Option<String>,
}

/// What came of the other ways in which peers are found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Discovery {
    /// `off`, `searching`, or `failed`.
    pub(crate) mdns: String,
    /// Why peers are not looked for on the local network, although they should be.
    pub(crate) mdns_problem: Option<String>,
    /// Each source that has brought somebody.
    pub(crate) found: Vec<Found>,
    /// Addresses of our own that the others are told, beside those that we listen on.
    pub(crate) external: Vec<String>,
}

/// What one source has brought.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    /// `bootstrap`, `known`, `mdns`, `kademlia` or `inbound`.
    pub(crate) source: String,
    pub(crate) peers: u64,
    pub(crate) connected: u64,
    /// Those that were dialled in vain the last time.
    pub(crate) failing: u64,
}

/// What came of each bootstrap peer, and of each other way.
pub(crate) fn discovered(report: cache_net::Discovery) -> (Vec<BootstrapPeer>, Discovery) {
    let bootstrap = report.bootstrap.into_iter();
    let (mdns, mdns_problem) = match report.mdns {
        MdnsState::Searching => ("searching", None),
        MdnsState::Failed(why) => ("failed", Some(why)),
        _ => ("off", None),
    };
    let found = report.found.into_iter().map(|found| Found {
        source: found.source.to_string(),
        peers: found.peers as u64,
        connected: found.connected as u64,
        failing: found.failing as u64,
    });
    let discovery = Discovery {
        mdns: mdns.to_owned(),
        mdns_problem,
        found: found.collect(),
        external: report.external.iter().map(ToString::to_string).collect(),
    };
    (bootstrap.map(BootstrapPeer::from).collect(), discovery)
}

impl Counters {
    /// The cache's counters, and the client's.
    pub(crate) fn new(cache: &Stats, bypassed: u64, api_calls_made: u64) -> Self {
        Self {
            requests: cache.requests().saturating_add(bypassed),
            hits: cache.hits,
            peer_hits: cache.peer_hits,
            misses: cache.misses,
            hit_rate: cache.hit_rate(),
            revalidated: cache.revalidated,
            stale_served: cache.stale_served,
            coalesced: cache.coalesced,
            bypassed,
            api_calls_made,
            api_calls_saved: cache.saved(),
            expirations: cache.expirations,
            evictions: cache.evictions,
            entries: cache.entries,
            bytes: cache.bytes,
            broadcast: cache.broadcast,
        }
    }
}

impl From<&Counts> for Counters {
    fn from(counts: &Counts) -> Self {
        let of_client = |name| counts.application.get(name).copied().unwrap_or_default();
        let (bypassed, api_calls_made) = (of_client("bypassed"), of_client("api_calls_made"));
        Self::new(&counts.cache, bypassed, api_calls_made)
    }
}

impl From<FleetStats> for Fleet {
    fn from(fleet: FleetStats) -> Self {
        Self {
            totals: Counters::from(&fleet.totals()),
            members: fleet.members.iter().map(Member::from).collect(),
            past_members: fleet.past_members,
            past: Counters::from(&fleet.past),
        }
    }
}

impl From<&MemberStats> for Member {
    fn from(member: &MemberStats) -> Self {
        Self {
            peer_id: member.peer.to_string(),
            is_local: member.is_local,
            is_connected: member.is_connected,
            version: member.version.clone(),
            started_at: member.started_at.as_millis() / 1000,
            age_seconds: member.age.as_secs(),
            connected_peers: member.counts.cache.connected_peers,
            counters: Counters::from(&member.counts),
        }
    }
}

impl Peer {
    pub(crate) fn new(peer: PeerInfo, source: Option<Source>) -> Self {
        Self {
            peer_id: peer.id.to_string(),
            addresses: peer.addresses,
            latency_ms: peer.latency.map(|latency| latency.as_secs_f64() * 1000.0),
            age_seconds: peer.age.as_secs(),
            direction: peer.direction.to_string(),
            source: source.map(|source| source.to_string()),
        }
    }
}

impl From<BootstrapReport> for BootstrapPeer {
    fn from(report: BootstrapReport) -> Self {
        let states = || report.targets.iter().map(|target| &target.state);
        let failure = states().find_map(|state| match state {
            TargetState::Failed { why, .. } => Some(why.clone()),
            TargetState::Ourselves => Some("it is this node's own address".to_owned()),
            _ => None,
        });
        let connected = states().any(|state| matches!(state, TargetState::Connected(_)));
        Self {
            address: report.address.to_string(),
            connected,
            problem: report.unresolved.or(failure).filter(|_| !connected),
        }
    }
}
