//! Broadcasts that are published, and passed on.

use futures::FutureExt;
use libp2p::PeerId;
use libp2p::gossipsub::{Event, Message, MessageAcceptance, MessageId};
use tokio::time::{Instant, timeout};

use super::{Publication, SwarmTask};
use crate::gossip::{SETTLED, frame, is_in_mesh, publish, published_len};
use crate::identity::name;
use crate::rates::Way;

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
        let published = self.try_publish(&payload);
        let counter = match published {
            true => &self.counters.published,
            false => &self.counters.not_published,
        };
        counter.one();
        let reached = match published {
            true => self.settled(),
            false => Vec::new(),
        };
        // Who wanted it may have given up.
        let _ = answer.send(reached);
    }

    fn try_publish(&mut self, payload: &[u8]) -> bool {
        if !self.intake.admits_published(published_len(payload)) {
            tracing::debug!("too much is published, a frame goes to each peer instead");
            return false;
        }
        match publish(&mut self.swarm.behaviour_mut().gossip, payload) {
            Ok(()) => {
                self.counters.bytes_sent.add(payload.len());
                true
            }
            Err(error) => {
                tracing::debug!(%error, "a frame is not published");
                false
            }
        }
    }

    /// Who has what is published from us, or from others: not who has only just subscribed, of whom
    /// nobody knows yet.
    fn settled(&self) -> Vec<PeerId> {
        let gossip = &self.swarm.behaviour().gossip;
        let settled = self
            .subscribed
            .iter()
            .filter(|(peer, since)| is_in_mesh(gossip, peer) || since.elapsed() >= SETTLED);
        settled.map(|(peer, _)| *peer).collect()
    }

    pub(super) fn on_gossip(&mut self, event: Event) {
        match event {
            Event::Message {
                propagation_source,
                message_id,
                message,
            } => self.hear(propagation_source, message_id, message),
            Event::Subscribed { peer_id, .. } => {
                self.subscribed.insert(peer_id, Instant::now());
            }
            Event::Unsubscribed { peer_id, .. } => {
                self.subscribed.remove(&peer_id);
            }
            Event::GossipsubNotSupported { .. } | Event::SlowPeer { .. } => {}
        }
    }

    fn hear(&mut self, from: PeerId, id: MessageId, message: Message) {
        self.counters.gossip_received.one();
        let way = Way::Published(message.data.len());
        let Some(replied) = self.intake.offer(&from, way, frame(message)) else {
            self.judged(&Judged {
                id,
                from,
                taken: false,
            });
            return;
        };
        let deadline = self.limits.deadline;
        let judgement = async move {
            let taken = matches!(timeout(deadline, replied).await, Ok(Ok(_)));
            Judged { id, from, taken }
        };
        self.awaited.push(judgement.boxed());
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
