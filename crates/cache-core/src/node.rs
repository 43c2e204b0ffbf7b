//! The background half of a cache: it tells the peers what is new here, and hears what is new there.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::time::{self, MissedTickBehavior};

use crate::acquire::Fleet;
use crate::aside::Aside;
use crate::catch_up::Answers;
use crate::outbox::News;
use crate::peer::PeerId;
use crate::presence;
use crate::renewal::Untrue;
use crate::replica::{Received, Replica};
use crate::tasks::Tasks;
use crate::transport::{FrameKind, Inbound, Misconduct, Replier, Transport};
use crate::wire::{Announcement, LONG, Message, Put, WireError};

/// Pushes under way at one time. Further ones wait in the outbox, where newer versions replace
/// them.
const MAX_PUSHES: usize = 64;

/// To so many peers everything is pushed, however long it is.
const FEW: u64 = 16;

/// A backstop: transports end every broadcast by a deadline of their own.
const PUSH_DEADLINE: Duration = Duration::from_secs(30);

/// How often what is over is looked for. It is never served; this only frees its room.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// The least time between two sweeps, however much is invalidated.
const SWEEP_PAUSE: Duration = Duration::from_secs(5);

/// Peers that we remember having complained about. At the bound the list starts anew, and a
/// complaint may be logged twice.
const MAX_COMPLAINTS: usize = 1024;

/// Pushes what is in the outbox to all peers, until that is closed and everything is out.
pub(crate) async fn publish(replica: Arc<Replica>, transport: Arc<dyn Transport>) {
    let mut pushes = FuturesUnordered::new();
    let mut bytes_under_way = 0;
    let mut is_open = true;
    while is_open || !pushes.is_empty() {
        // Alone, one may be larger than all of them together.
        let room = match bytes_under_way {
            0 => usize::MAX,
            bytes => replica.max_pushed_bytes.saturating_sub(bytes),
        };
        let may_begin = is_open && pushes.len() < MAX_PUSHES;
        tokio::select! {
            biased;
            news = replica.outbox.pop(room), if may_begin => match news {
                Some(news) => {
                    let bytes = news.weight();
                    bytes_under_way += bytes;
                    pushes.push(push(&replica, &*transport, news).map(move |()| bytes));
                }
                None => is_open = false,
            },
            Some(bytes) = pushes.next() => bytes_under_way -= bytes,
        }
    }
}

async fn push(replica: &Replica, transport: &dyn Transport, news: News) {
    // Who connects later catches up by other means; sealing for nobody would be wasted.
    let peers = transport.peers().len() as u64;
    if peers == 0 {
        return;
    }
    let frame = match tell(news, peers).encode() {
        Ok(frame) => frame,
        Err(error) => {
            tracing::debug!(%error, "kept on this node alone");
            return;
        }
    };
    let counters = &replica.counters;
    match time::timeout(PUSH_DEADLINE, transport.broadcast(frame)).await {
        Ok(Ok(delivery)) => {
            counters.acked.add(delivery.acked.len() as u64);
            counters.failed.add(delivery.failed.len() as u64);
            delivery
                .failed
                .iter()
                .for_each(|peer| replica.due.owe(peer));
            if !delivery.failed.is_empty() {
                tracing::debug!(failed = ?delivery.failed, "not confirmed by every peer");
            }
        }
        Ok(Err(error)) => {
            counters.failed.add(peers);
            tracing::debug!(%error, "not pushed");
        }
        Err(_) => {
            counters.failed.add(peers);
            tracing::warn!("the transport did not end a broadcast by its deadline");
        }
    }
}

/// How so many peers are told. What is long each of many gets when it needs it, from whoever has it
/// by then; or when it catches up, with one of them.
fn tell(news: News, peers: u64) -> Message {
    let message = news.into_message();
    if peers <= FEW {
        return message;
    }
    let (key, stored_at, holder) = match &message {
        Message::Put(Put { key, entry }) if entry.value().len() > LONG && entry.fits_a_frame() => {
            (*key, entry.stored_at(), entry.origin())
        }
        Message::Renew(renewal) if renewal.head.len() > LONG => {
            (renewal.key, renewal.stored_at, renewal.origin)
        }
        _ => return message,
    };
    Message::Announce(Announcement {
        key,
        stored_at,
        holder,
    })
}

/// Takes in what peers send, until the transport closes.
pub(crate) async fn receive(
    replica: Arc<Replica>,
    transport: Arc<dyn Transport>,
    answers: Answers,
    fleet: Arc<Fleet>,
) {
    let mut complaints = Complaints::default();
    while let Some(inbound) = transport.accept().await {
        take_in(
            &replica,
            &*transport,
            inbound,
            &answers,
            &fleet,
            &mut complaints,
        );
    }
}

fn take_in(
    replica: &Replica,
    transport: &dyn Transport,
    inbound: Inbound,
    answers: &Answers,
    fleet: &Arc<Fleet>,
    complaints: &mut Complaints,
) {
    let Inbound {
        from,
        kind,
        frame,
        reply,
    } = inbound;
    fleet.heard(from);
    replica.due.heard(&from);
    let received = match Message::decode(&frame) {
        Ok(Message::Put(put)) => replica.receive(put),
        Ok(Message::Renew(renewal)) => match replica.receive_renewal(&renewal) {
            Ok(received) => received,
            Err(Untrue) => {
                replica.counters.rejected.add(1);
                complaints.about(from, "a renewal is not of what it says");
                return transport.report(from, Misconduct::Undecodable);
            }
        },
        Ok(Message::Announce(it)) => replica.hear_of(it.key, it.stored_at, it.holder),
        Ok(Message::Invalidate(tombstone)) => replica.receive_tombstone(tombstone),
        Ok(Message::Ask(question)) => return answers.answer(from, question, reply),
        Ok(Message::Acquire(question)) => return fleet.answer(from, question, reply),
        Ok(Message::Settle(settle)) => {
            fleet.settle(from, settle);
            return acknowledge(reply);
        }
        Ok(Message::Report(report)) => {
            replica.members.receive(&report, from, replica.now());
            return match kind {
                FrameKind::Request => presence::answer(replica, transport, reply),
                FrameKind::Broadcast => acknowledge(reply),
            };
        }
        // Replies come back to those who have asked, not here.
        Ok(Message::Ack | Message::Reply(_) | Message::Grant(_)) => return,
        // From a later release of the same protocol: seen, and of no use to us.
        Err(WireError::UnknownKind(_)) => Received::Ignored,
        Err(error) => {
            replica.counters.rejected.add(1);
            complaints.about(from, &error.to_string());
            return transport.report(from, misconduct(&error));
        }
    };
    if received == Received::FromTheFuture {
        complaints.about(from, "its clock runs ahead of ours; check both clocks");
    }
    acknowledge(reply);
}

/// What a frame that is no message says of who sent it.
fn misconduct(error: &WireError) -> Misconduct {
    match error {
        WireError::Version { .. } => Misconduct::OtherVersion,
        _ => Misconduct::Undecodable,
    }
}

fn acknowledge(reply: Replier) {
    if reply.is_awaited() {
        reply.send(Message::Ack.encode().unwrap_or_else(|_| Bytes::new()));
    }
}

/// Drops what is over, from time to time, and soon after an invalidation.
pub(crate) async fn sweep(replica: Arc<Replica>, tasks: Arc<Tasks>) {
    let mut interval = time::interval(SWEEP_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = interval.tick() => {}
            () = replica.overdue.notified() => {}
        }
        let sweeping = Arc::clone(&replica);
        if replica.aside != Aside::OnThreads {
            sweeping.sweep();
        } else if let Err(error) = tasks.spawn_blocking(move || sweeping.sweep()).await {
            tracing::error!(%error, "a sweep failed; the next one is due in a minute");
        }
        time::sleep(SWEEP_PAUSE).await;
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
