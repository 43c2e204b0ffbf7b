//! Broadcasts that are published, and passed on.

use cache_core::{FrameKind, Inbound, Replier};
use futures::FutureExt;
use libp2p::PeerId;
use libp2p::gossipsub::{Event, Message, MessageAcceptance, MessageId};
use tokio::time::timeout;

use super::{Answered, Publication, SwarmTask};
use crate::gossip::{frame, publish};
use crate::identity::name;
use crate::rates::Kind;

/// A published frame that waits for the layer above.
pub(crate) struct Judged {
    id: MessageId,
    from: PeerId,
    taken: bool,
}

impl SwarmTask {
    pub(super) fn publish(&mut self, publication: Publication) {
        let Publication {
            frame: payload,
            answer,
        } = publication;
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        let published = publish(gossip, &payload);
        let published =
            published.inspect_err(|error| tracing::debug!(%error, "a frame is not published"));
        match &published {
            Ok(_) => {
                self.counters.published.one();
                self.counters.bytes_sent.add(payload.len());
            }
            Err(_) => self.counters.not_published.one(),
        }
        // Who wanted it may have given up.
        let _ = answer.send(published.unwrap_or_default());
    }

    pub(super) fn on_gossip(&mut self, event: Event) {
        if let Event::Message {
            propagation_source,
            message_id,
            message,
        } = event
        {
            self.hear(propagation_source, message_id, message);
        }
    }

    fn hear(&mut self, from: PeerId, id: MessageId, message: Message) {
        self.roster.heard(&from);
        self.counters.gossip_received.one();
        self.counters.bytes_received.add(message.data.len());
        let dropped = |id| Judged {
            id,
            from,
            taken: false,
        };
        if !self.rates.admits(&from, Kind::Broadcast) {
            self.counters.too_many.one();
            tracing::debug!(%from, "passes on more than a peer may, dropped one more frame");
            self.judged(&dropped(id));
            return;
        }
        let Some(payload) = frame(message) else {
            self.judged(&dropped(id));
            return;
        };
        let (reply, replied) = Replier::new();
        let inbound = Inbound {
            from: name(&from),
            kind: FrameKind::Broadcast,
            frame: payload,
            reply,
        };
        if self.inbound.try_send(inbound).is_err() {
            self.counters.no_room.one();
            tracing::debug!(%from, "too much waits to be accepted, dropped one more frame");
            self.judged(&dropped(id));
            return;
        }
        let deadline = self.limits.deadline;
        let judgement = async move {
            let taken = matches!(timeout(deadline, replied).await, Ok(Ok(_)));
            Answered::Gossip(Judged { id, from, taken })
        };
        self.replies.push(judgement.boxed());
    }

    /// Has a frame passed on that was taken. One that was not is dropped; where it was a
    /// [reported](cache_core::Transport::report) one, whoever passed it on is answerable as well.
    pub(super) fn judged(&mut self, judged: &Judged) {
        let acceptance = if judged.taken {
            self.counters.passed_on.one();
            MessageAcceptance::Accept
        } else if self.shunned.contains(&name(&judged.from)) {
            MessageAcceptance::Reject
        } else {
            MessageAcceptance::Ignore
        };
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        // It can only have been forgotten meanwhile.
        let _ = gossip.report_message_validation_result(&judged.id, &judged.from, acceptance);
    }
}
