//! What peers send, on its way to whoever accepts it.

use std::sync::Arc;

use bytes::Bytes;
use cache_core::{FrameKind, Inbound, Replier};
use libp2p::PeerId;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::config::Limits;
use crate::frames::Reply;
use crate::identity::name;
use crate::inbound;
use crate::metrics::Counters;
use crate::rates::{Rates, Way};
use crate::roster::Roster;

/// Takes a peer's frames or refuses them, and bounds what they are answered with.
pub(crate) struct Intake {
    limits: Limits,
    rates: Rates,
    inbound: inbound::Sender,
    roster: Arc<Roster>,
    counters: Arc<Counters>,
}

impl Intake {
    pub(crate) fn new(
        limits: Limits,
        inbound: inbound::Sender,
        roster: Arc<Roster>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            limits,
            rates: Rates::new(&limits),
            inbound,
            roster,
            counters,
        }
    }

    /// Whether so many bytes more may be published now.
    pub(crate) fn admits_published(&self, bytes: usize) -> bool {
        self.rates.admits_published(bytes)
    }

    /// Queues a frame for whoever accepts; `None` where the peer sends too many, or too much waits.
    pub(crate) fn offer(
        &self,
        from: &PeerId,
        way: Way,
        frame: Bytes,
    ) -> Option<oneshot::Receiver<Bytes>> {
        self.counters.bytes_received.add(frame.len());
        // Where not, we are leaving.
        if !self.roster.heard(from) {
            return None;
        }
        if !self.rates.admits(from, way) {
            self.counters.too_many.one();
            tracing::debug!(%from, ?way, "sends more than a peer may, refused one more frame");
            return None;
        }
        let (reply, replied) = Replier::new();
        let inbound = Inbound {
            from: name(from),
            kind: match way {
                Way::Direct(kind) => kind,
                Way::Published(_) => FrameKind::Broadcast,
            },
            frame,
            reply,
        };
        if self.inbound.try_send(inbound).is_err() {
            self.counters.no_room.one();
            tracing::debug!(%from, "too much waits to be accepted, refused one more frame");
            return None;
        }
        Some(replied)
    }

    /// Has a frame answered, within the deadline.
    pub(crate) async fn answer(&self, from: &PeerId, kind: FrameKind, frame: Bytes) -> Reply {
        if kind == FrameKind::Request {
            self.roster.used(&name(from));
        }
        let Some(replied) = self.offer(from, Way::Direct(kind), frame) else {
            return Reply::Busy;
        };
        match timeout(self.limits.deadline, replied).await {
            Ok(Ok(answer)) => self.within_bounds(from, answer),
            Ok(Err(_)) | Err(_) => Reply::Declined,
        }
    }

    /// The same answer, unless it is too long, or too many that the peer has not read wait for it
    /// already.
    fn within_bounds(&self, to: &PeerId, answer: Bytes) -> Reply {
        let (size, limit) = (answer.len(), self.limits.frame);
        if size > limit {
            tracing::warn!("a reply of {size} bytes is over the limit of {limit}");
            return Reply::Declined;
        }
        let Some(route) = self.roster.route(&name(to)) else {
            return Reply::Declined;
        };
        let Some(answer) = route.slots.reply(answer) else {
            self.counters.no_room.one();
            tracing::debug!(%to, "does not read its answers, refused one more");
            return Reply::Busy;
        };
        self.counters.bytes_sent.add(size);
        Reply::Answered(answer)
    }

    /// Forgets those who have sent nothing lately.
    pub(crate) fn sweep(&self) {
        self.rates.sweep();
    }
}
