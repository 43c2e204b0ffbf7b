//! Being a member: telling the others that one is there and how one stands, and saying goodbye.
//!
//! ```text
//! a peer comes into sight ──► Report to it ──► its Report
//! every 30 s, and rung for ──► Report to all
//! on leaving ──► Report to all, the last one
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, FuturesUnordered};
use futures::{FutureExt, StreamExt};
use tokio::time::{self, Instant, MissedTickBehavior};

use crate::peer::PeerId;
use crate::replica::Replica;
use crate::transport::{Replier, Transport};
use crate::wire::Message;

/// How often the list of peers is looked at for new ones.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Looks between two reports to all.
const LOOKS_PER_REPORT: u64 = 30;

/// The least time between two reports to all that are rung for.
const PAUSE: Duration = Duration::from_millis(200);

/// Reports under way at one time. What comes on top waits for the next report to all.
const MAX_UNDER_WAY: usize = 256;

/// Members that are asked at one time how they stand, and for how long all of them together.
const MAX_ASKED: usize = 64;
const ASK_DEADLINE: Duration = Duration::from_secs(1);

/// How long to wait for the peers to confirm a goodbye. It is sent at once; who is silent finds out
/// for himself.
const GOODBYE_DEADLINE: Duration = Duration::from_secs(1);

/// A backstop: transports end everything by a deadline of their own.
const DEADLINE: Duration = Duration::from_secs(30);

/// Reports to the peers until the cache is closed.
pub(crate) async fn run(replica: Arc<Replica>, transport: Arc<dyn Transport>) {
    let mut interval = time::interval(LOOK_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Members that were started together do not all report at the same moment.
    let mut look = u64::from(*replica.local_peer.as_bytes().last().unwrap_or(&0));
    let mut in_sight = BTreeSet::new();
    let mut under_way = FuturesUnordered::<BoxFuture<'_, ()>>::new();
    let mut not_before = Instant::now();
    loop {
        let rung = async {
            time::sleep_until(not_before).await;
            replica.members.bell.rung().await;
        };
        tokio::select! {
            _ = interval.tick() => {
                look += 1;
                let connected = transport.peers();
                replica.members.see(&connected);
                let connected = connected.iter().map(|peer| peer.id).collect();
                let before = std::mem::replace(&mut in_sight, connected);
                if look % LOOKS_PER_REPORT == 0 {
                    report_to_all(&replica, &*transport, &mut under_way);
                }
                for &new in in_sight.difference(&before) {
                    if under_way.len() < MAX_UNDER_WAY {
                        under_way.push(ask(&replica, &*transport, new).boxed());
                    }
                }
            }
            () = rung => {
                not_before = Instant::now() + PAUSE;
                report_to_all(&replica, &*transport, &mut under_way);
            }
            Some(()) = under_way.next() => {}
        }
    }
}

/// Answers a member that has told how it stands with how this one does.
pub(crate) fn answer(replica: &Replica, transport: &dyn Transport, to: Replier) {
    if let Some(frame) = report(replica, transport, false) {
        to.send(frame);
    }
}

/// Asks all who are connected how they stand.
pub(crate) async fn ask_all(replica: &Replica, transport: &dyn Transport) {
    let asked = stream::iter(peers(transport));
    let asked = asked.for_each_concurrent(MAX_ASKED, |peer| ask(replica, transport, peer));
    // Who is late has reported before.
    let _ = time::timeout(ASK_DEADLINE, asked).await;
}

/// Tells all that this member leaves, and how it stands at last.
pub(crate) async fn say_goodbye(replica: &Replica, transport: &dyn Transport) {
    if transport.peers().is_empty() {
        return;
    }
    if let Some(frame) = report(replica, transport, true) {
        // Whoever does not hear it, misses us after a while.
        let _ = time::timeout(GOODBYE_DEADLINE, transport.broadcast(frame)).await;
    }
}

fn report_to_all<'t>(
    replica: &Replica,
    transport: &'t dyn Transport,
    under_way: &mut FuturesUnordered<BoxFuture<'t, ()>>,
) {
    if transport.peers().is_empty() || under_way.len() >= MAX_UNDER_WAY {
        return;
    }
    if let Some(frame) = report(replica, transport, false) {
        let told = time::timeout(DEADLINE, transport.broadcast(frame));
        // Whom it does not reach, the next one does.
        under_way.push(told.map(drop).boxed());
    }
}

/// Tells one member how this one stands, and takes in its own report.
async fn ask(replica: &Replica, transport: &dyn Transport, peer: PeerId) {
    let Some(frame) = report(replica, transport, false) else {
        return;
    };
    let reply = time::timeout(DEADLINE, transport.request(peer, frame)).await;
    if let Ok(Ok(reply)) = reply
        && let Ok(Message::Report(report)) = Message::decode(&reply)
    {
        replica.members.receive(&report, peer, replica.now());
    }
}

fn report(replica: &Replica, transport: &dyn Transport, is_last: bool) -> Option<Bytes> {
    let stats = replica.stats(transport.peers().len() as u64);
    let report = replica.members.report(stats, replica.now(), is_last);
    Message::Report(report).encode().ok()
}

fn peers(transport: &dyn Transport) -> BTreeSet<PeerId> {
    transport.peers().iter().map(|peer| peer.id).collect()
}
