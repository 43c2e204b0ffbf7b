//! What a swarm of ours is made of: which of libp2p's protocols it speaks, and with what bounds.

use std::time::Duration;

use libp2p::allow_block_list::BlockedPeers;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::dns::{ResolverConfig, ResolverOpts};
use libp2p::identity::Keypair;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{self, NetworkBehaviour};
use libp2p::{
    PeerId, Swarm, Transport, allow_block_list, connection_limits, dns, gossipsub, identify, mdns,
    noise, ping, tcp, yamux,
};

use crate::config::Limits;
use crate::error::StartError;
use crate::frames;
use crate::gossip;
use crate::half_open;
use crate::handshake::Handshake;
use crate::membership::Membership;
use crate::prompt_close::PromptClose;
use crate::relay;
use crate::source::MdnsState;
use crate::walk;

/// What we tell others that we speak. It changes when two sides no longer understand each other.
pub(crate) const PROTOCOL_VERSION: &str = "/ghmesh/1";

/// How long a dial or a handshake may take, name resolution included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// libp2p forgives the first ping that fails, so that a silent peer is noticed after two intervals
/// and two timeouts: 13 seconds. With a goodbye that it does not read it is gone after 15.
const PING_INTERVAL: Duration = Duration::from_secs(3);
const PING_TIMEOUT: Duration = Duration::from_millis(3500);

/// Two that dial each other have two connections; a few more cost little, many are an attack.
const CONNECTIONS_PER_PEER: u32 = 4;

/// What we speak.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    /// Stands first: when a later behaviour refuses a connection, those before it have already
    /// counted on it (rust-libp2p#4870).
    limits: connection_limits::Behaviour,
    half_open: half_open::Behaviour,
    pub(crate) shunned: allow_block_list::Behaviour<BlockedPeers>,
    pub(crate) mdns: Toggle<mdns::tokio::Behaviour>,
    relay: Toggle<relay::Behaviour>,
    pub(crate) walk: walk::Behaviour,
    pub(crate) gossip: gossipsub::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    /// Stands last: frames are sent over a connection as soon as it has seen it.
    frames: frames::Behaviour,
}

/// A swarm that speaks it, over TCP with Noise and yamux, to members only.
pub(crate) fn swarm(
    keypair: &Keypair,
    memberships: impl IntoIterator<Item = Membership>,
    limits: &Limits,
    frames: frames::Behaviour,
    mdns: bool,
    relay: bool,
) -> Result<(Swarm<Behaviour>, MdnsState), StartError> {
    let handshake = Handshake::new(noise::Config::new(keypair)?, memberships);
    let config = swarm::Config::with_tokio_executor()
        .with_max_negotiating_inbound_streams(2 * limits.in_flight() + 16)
        // No protocol of ours needs an answer before the first frame is sent: on a new stream a
        // request is one round trip instead of two.
        .with_substream_upgrade_protocol_override(Version::V1Lazy);
    let local = keypair.public().to_peer_id();
    let (mdns, mdns_state) = local_network(mdns, local);
    let direct = transport(&handshake);
    let (transport, relay) = relay::over(direct, &handshake, local, relay, CONNECT_TIMEOUT);
    let behaviour = behaviour(keypair, limits, frames, mdns, relay)?;
    let swarm = Swarm::new(transport, behaviour, local, config);
    Ok((swarm, mdns_state))
}

/// Multicast DNS, where it is wanted and the machine lets us.
fn local_network(wanted: bool, local: PeerId) -> (Toggle<mdns::tokio::Behaviour>, MdnsState) {
    if !wanted {
        return (None.into(), MdnsState::Off);
    }
    match mdns::tokio::Behaviour::new(mdns::Config::default(), local) {
        Ok(behaviour) => (Some(behaviour).into(), MdnsState::Searching),
        Err(error) => {
            tracing::warn!(
                "cannot look for peers on the local network: {error}; name some with --bootstrap"
            );
            (None.into(), MdnsState::Failed(error.to_string()))
        }
    }
}

/// TCP with names resolved, Noise and yamux, as `SwarmBuilder` would make it. That gives up where
/// the resolver has no configuration; most fleets need no names.
fn transport(handshake: &Handshake) -> Boxed<(PeerId, StreamMuxerBox)> {
    let members_only = || {
        tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
            .upgrade(Version::V1Lazy)
            .authenticate(handshake.clone())
            .multiplex(yamux::Config::default())
            .timeout(CONNECT_TIMEOUT)
    };
    let resolving = dns::tokio::Transport::system(members_only());
    let resolving = resolving.unwrap_or_else(|error| {
        tracing::warn!(
            "cannot read how to resolve host names (/etc/resolv.conf): {error}; \
             bootstrap peers that are given by name will not be found"
        );
        let nowhere = ResolverConfig::default();
        dns::tokio::Transport::custom(members_only(), nowhere, ResolverOpts::default())
    });
    resolving
        .map(|(peer, muxer), _| (peer, PromptClose::boxed(muxer)))
        .boxed()
}

fn behaviour(
    keypair: &Keypair,
    limits: &Limits,
    frames: frames::Behaviour,
    mdns: Toggle<mdns::tokio::Behaviour>,
    relay: Option<relay::Behaviour>,
) -> Result<Behaviour, StartError> {
    let pending = Some(limits.pending_connections);
    let connections = connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(pending)
        .with_max_pending_outgoing(pending)
        .with_max_established(Some(limits.connections))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER));

    let identify = identify::Config::new(PROTOCOL_VERSION.to_owned(), keypair.public())
        .with_agent_version(concat!("cache-net/", env!("CARGO_PKG_VERSION")).to_owned())
        .with_push_listen_addr_updates(true);

    Ok(Behaviour {
        limits: connection_limits::Behaviour::new(connections),
        half_open: half_open::Behaviour::new(limits.pending_connections_per_host),
        shunned: allow_block_list::Behaviour::default(),
        frames,
        ping: ping::Behaviour::new(
            ping::Config::new()
                .with_interval(PING_INTERVAL)
                .with_timeout(PING_TIMEOUT),
        ),
        identify: identify::Behaviour::new(identify),
        gossip: gossip::behaviour(limits.published_frame)?,
        walk: walk::Behaviour::new(keypair.public().to_peer_id()),
        mdns,
        relay: relay.into(),
    })
}
