//! What stands in for the relay where it is not built in.

use std::time::Duration;

use libp2p::PeerId;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;

use crate::handshake::Handshake;

/// There is none.
pub(crate) type Behaviour = libp2p::swarm::dummy::Behaviour;

type Connections = Boxed<(PeerId, StreamMuxerBox)>;

/// The same connections; says so where relays were `wanted`.
pub(crate) fn over(
    transport: Connections,
    _: &Handshake,
    _: PeerId,
    wanted: bool,
    _: Duration,
) -> (Connections, Option<Behaviour>) {
    if wanted {
        tracing::warn!("this program is built without relays (feature `relay`)");
    }
    (transport, None)
}

/// Of no use to us.
pub(crate) fn is_offered_by(_: &[libp2p::StreamProtocol]) -> bool {
    false
}
