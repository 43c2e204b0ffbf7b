//! What a connection does before the transport knows of it, and after.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::task::noop_waker_ref;
use libp2p::swarm::ConnectionId;

use super::*;
use crate::config::Limits;
use crate::frames::{Asking, Codec};
use crate::inbound;
use crate::intake::Intake;
use crate::metrics::Counters;
use crate::roster::Roster;
use crate::shunned::Shunned;

/// A connection, and our end of it.
fn connection() -> (Connection, Asking) {
    let limits = Limits::default();
    let counters = Arc::<Counters>::default();
    let shunned = Arc::new(Shunned::new(limits.shunned_for));
    let (inbound, _) = inbound::queue(&limits);
    let roster = Arc::new(Roster::new(limits));
    let intake = Arc::new(Intake::new(limits, inbound, roster, Arc::clone(&counters)));
    let codec = Codec::new(&limits, Arc::clone(&counters));
    let asking = Asking::new(codec.clone(), Arc::clone(&shunned), counters);
    let answering = Answering::new(codec, intake, shunned, limits.deadline);
    let (id, peer) = (ConnectionId::new_unchecked(1), PeerId::random());
    let openings = asking.connected(id, peer, false, 1);
    let connection = Connection::new(peer, openings, Arc::new(answering), 1);
    (connection, asking)
}

#[test]
fn nothing_is_taken_from_a_peer_before_it_is_listed() {
    let (mut connection, _asking) = connection();
    let mut cx = Context::from_waker(noop_waker_ref());
    let is_taken = Arc::new(AtomicBool::new(false));
    let taken = Arc::clone(&is_taken);
    connection.answered.push(Box::pin(async move {
        taken.store(true, Ordering::Relaxed);
    }));

    assert!(connection.poll(&mut cx).is_pending());
    assert!(!is_taken.load(Ordering::Relaxed));

    connection.on_behaviour_event(Known);
    assert!(connection.poll(&mut cx).is_pending());
    assert!(is_taken.load(Ordering::Relaxed));
}
