//! Members that nobody can dial, reached through one that everybody can: libp2p's relay, and from
//! there a direct connection where their routers allow one (DCUtR).
//!
//! What goes through a relay is end to end between the two: the relay holds the fleet's secret and
//! still sees nothing of a connection but its bytes.

use std::num::NonZeroU32;
use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{PeerId, Transport, dcutr, relay, yamux};

use crate::handshake::Handshake;
use crate::prompt_close::PromptClose;

/// Members that are reached through this one, and connections through it. One more is refused.
const MOST: usize = 256;

/// Connections through this one that lead to or come from one member.
const MOST_PER_PEER: usize = 32;

/// A connection through a relay is closed after so long or so much, and made again: libp2p's own
/// 128 KiB are less than a frame.
const LONGEST: Duration = Duration::from_secs(60 * 60);
const MOST_BYTES: u64 = 1024 * 1024 * 1024;

/// What one member may ask for in a minute, of each kind. One more is refused.
const MOST_IN_A_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);
const MINUTE: Duration = Duration::from_secs(60);

/// What is offered to others, what we use of others', and the way from there to a direct one.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    server: relay::Behaviour,
    client: relay::client::Behaviour,
    direct: dcutr::Behaviour,
}

type Connections = Boxed<(PeerId, StreamMuxerBox)>;

/// Has connections go through relays, too, where that is `wanted`.
pub(crate) fn over(
    transport: Connections,
    handshake: &Handshake,
    local: PeerId,
    wanted: bool,
    timeout: Duration,
) -> (Connections, Option<Behaviour>) {
    if !wanted {
        return (transport, None);
    }
    let (relayed, client) = relay::client::new(local);
    let relayed = relayed
        .upgrade(Version::V1Lazy)
        .authenticate(handshake.clone())
        .multiplex(yamux::Config::default())
        .timeout(timeout)
        .map(|(peer, muxer), _| (peer, PromptClose::boxed(muxer)));
    let both = relayed
        .or_transport(transport)
        .map(|either, _| either.into_inner())
        .boxed();
    let limits = relay::Config {
        max_reservations: MOST,
        max_circuits: MOST,
        max_circuits_per_peer: MOST_PER_PEER,
        max_circuit_duration: LONGEST,
        max_circuit_bytes: MOST_BYTES,
        // libp2p's own are for each address as well, and a fleet behind one NAT has only one.
        reservation_rate_limiters: Vec::new(),
        circuit_src_rate_limiters: Vec::new(),
        ..relay::Config::default()
    }
    .reservation_rate_per_peer(MOST_IN_A_MINUTE, MINUTE)
    .circuit_src_per_peer(MOST_IN_A_MINUTE, MINUTE);
    let behaviour = Behaviour {
        server: relay::Behaviour::new(local, limits),
        client,
        direct: dcutr::Behaviour::new(local),
    };
    (both, Some(behaviour))
}

/// Whether a peer that speaks this lets others be reached through it.
pub(crate) fn is_offered_by(protocols: &[libp2p::StreamProtocol]) -> bool {
    protocols.contains(&relay::HOP_PROTOCOL_NAME)
}
