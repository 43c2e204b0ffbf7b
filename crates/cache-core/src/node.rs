//! The background half of a cache: it tells the peers what is new here, and hears what is new there.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::entry::Entry;
use crate::key::Key;
use crate::peer::PeerId;
use crate::replica::{Received, Replica};
use crate::transport::{Inbound, Replier, Transport};
use crate::wire::{Message, Put, WireError};

/// Pushes under way at one time. Further ones wait in the outbox, where newer versions replace
/// them.
const MAX_PUSHES: usize = 64;

/// A backstop: transports end every broadcast by a deadline of their own.
const PUSH_DEADLINE: Duration = Duration::from_secs(30);

/// How often dead entries are looked for. They are never served; this only frees their memory.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Peers that we remember having complained about. At the bound the list starts anew, and a
/// complaint may be logged twice.
const MAX_COMPLAINTS: usize = 1024;

/// Pushes what is in the outbox to all peers; ends when it is asked to and everything is out.
pub(crate) async fn publish(
    replica: Arc<Replica>,
    transport: Arc<dyn Transport>,
    closing: CancellationToken,
) {
    let mut pushes = FuturesUnordered::new();
    loop {
        let idle = pushes.is_empty() && replica.outbox.is_empty();
        tokio::select! {
            (key, entry) = replica.outbox.pop(), if pushes.len() < MAX_PUSHES => {
                pushes.push(push(&replica, &*transport, key, entry));
            }
            Some(()) = pushes.next() => {}
            () = closing.cancelled(), if idle => return,
        }
    }
}

async fn push(replica: &Replica, transport: &dyn Transport, key: Key, entry: Entry) {
    // Who connects later catches up by other means; sealing for nobody would be wasted.
    let peers = transport.peers().len() as u64;
    if peers == 0 {
        return;
    }
    let frame = match Message::Put(Put { key, entry }).encode() {
        Ok(frame) => frame,
        Err(error) => {
            tracing::debug!(%key, %error, "kept on this node alone");
            return;
        }
    };
    let counters = &replica.counters;
    match time::timeout(PUSH_DEADLINE, transport.broadcast(frame)).await {
        Ok(Ok(delivery)) => {
            counters.acked.add(delivery.acked.len() as u64);
            counters.failed.add(delivery.failed.len() as u64);
            if !delivery.failed.is_empty() {
                tracing::debug!(%key, failed = ?delivery.failed, "not confirmed by every peer");
            }
        }
        Ok(Err(error)) => {
            counters.failed.add(peers);
            tracing::debug!(%key, %error, "not pushed");
        }
        Err(_) => {
            counters.failed.add(peers);
            tracing::warn!(%key, "the transport did not end a broadcast by its deadline");
        }
    }
}

/// Takes in what peers send, until the transport closes.
pub(crate) async fn receive(replica: Arc<Replica>, transport: Arc<dyn Transport>) {
    let mut complaints = Complaints::default();
    while let Some(inbound) = transport.accept().await {
        take_in(&replica, inbound, &mut complaints);
    }
}

fn take_in(replica: &Replica, inbound: Inbound, complaints: &mut Complaints) {
    let Inbound {
        from, frame, reply, ..
    } = inbound;
    match Message::decode(&frame) {
        Ok(Message::Put(put)) => {
            let key = put.key;
            if replica.receive(put) == Received::FromTheFuture {
                complaints.about(from, "its clock runs ahead of ours; check both clocks");
            } else {
                tracing::trace!(%key, %from, "received");
            }
            acknowledge(reply);
        }
        Ok(Message::Ack) => {}
        // From a later release of the same protocol: seen, and of no use to us.
        Err(WireError::UnknownKind(_)) => acknowledge(reply),
        Err(error) => {
            replica.counters.rejected.add(1);
            complaints.about(from, &error.to_string());
        }
    }
}

fn acknowledge(reply: Replier) {
    if reply.is_awaited() {
        reply.send(Message::Ack.encode().unwrap_or_else(|_| Bytes::new()));
    }
}

/// Drops what has died, from time to time.
pub(crate) async fn sweep(replica: Arc<Replica>) {
    let mut interval = time::interval(SWEEP_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        replica.store.sweep(replica.now());
    }
}

/// Says once what is wrong with a peer's frames, not with each frame.
#[derive(Default)]
struct Complaints(HashSet<PeerId>);

impl Complaints {
    fn about(&mut self, peer: PeerId, why: &str) {
        if self.0.len() >= MAX_COMPLAINTS {
            self.0.clear();
        }
        if self.0.insert(peer) {
            tracing::warn!(%peer, "refused a frame: {why}");
        }
    }
}

#[cfg(test)]
mod tests;
