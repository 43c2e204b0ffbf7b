//! When a connection is told that it is known.

use futures::task::noop_waker_ref;
use libp2p::core::ConnectedPoint;
use libp2p::swarm::behaviour::ConnectionEstablished;

use super::*;
use crate::config::Limits;
use crate::inbound;
use crate::intake::Intake;
use crate::metrics::Counters;
use crate::roster::Roster;
use crate::shunned::Shunned;

pub(super) fn behaviour() -> Behaviour {
    let limits = Limits::default();
    let counters = Arc::<Counters>::default();
    let shunned = Arc::new(Shunned::new(limits.shunned_for));
    let (inbound, _) = inbound::queue(&limits);
    let roster = Arc::new(Roster::new(limits));
    let intake = Arc::new(Intake::new(limits, inbound, roster, Arc::clone(&counters)));
    let codec = Codec::new(&limits, Arc::clone(&counters));
    let asking = Asking::new(codec.clone(), Arc::clone(&shunned), counters);
    let answering = Answering::new(codec, intake, shunned, limits.deadline);
    Behaviour::new(Arc::new(asking), Arc::new(answering), 1)
}

#[test]
fn a_connection_is_told_once_that_it_is_known() {
    let mut behaviour = behaviour();
    let mut cx = Context::from_waker(noop_waker_ref());
    let (id, peer) = (ConnectionId::new_unchecked(7), PeerId::random());
    let endpoint = ConnectedPoint::Listener {
        local_addr: Multiaddr::empty(),
        send_back_addr: Multiaddr::empty(),
    };
    assert!(behaviour.poll(&mut cx).is_pending());

    behaviour.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
        peer_id: peer,
        connection_id: id,
        endpoint: &endpoint,
        failed_addresses: &[],
        other_established: 0,
    }));

    let told = behaviour.poll(&mut cx);
    assert!(matches!(
        told,
        Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::One(to), .. })
            if peer_id == peer && to == id
    ));
    assert!(behaviour.poll(&mut cx).is_pending());
}
