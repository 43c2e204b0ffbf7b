//! What a node tells about itself: the JSON of `/-/stats` and `/-/peers`.

use cache_core::stats::{BroadcastStats, DiskStats, ReceivedStats};
use gh_client::RateLimit;
use serde::{Deserialize, Serialize};

use cache_core::PeerInfo;

/// The counters of one node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NodeStats {
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
    /// `null` where nothing is kept on disk.
    pub(crate) disk: Option<DiskStats>,
    pub(crate) connected_peers: u64,
    pub(crate) bootstrap_peers_configured: u64,
    /// `null` where sharing is off.
    pub(crate) peer_id: Option<String>,
    pub(crate) listen_addrs: Vec<String>,
    pub(crate) broadcast: BroadcastStats,
    pub(crate) received: ReceivedStats,
    pub(crate) rate_limits: Vec<RateLimit>,
    pub(crate) uptime_seconds: u64,
    pub(crate) version: String,
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
}

impl From<PeerInfo> for Peer {
    fn from(peer: PeerInfo) -> Self {
        Self {
            peer_id: peer.id.to_string(),
            addresses: peer.addresses,
            latency_ms: peer.latency.map(|latency| latency.as_secs_f64() * 1000.0),
            age_seconds: peer.age.as_secs(),
            direction: peer.direction.to_string(),
        }
    }
}
