//! One frame to everybody: to each peer, which confirms it, or published.

use std::time::Duration;

use bytes::Bytes;
use cache_core::{Delivery, FrameKind, PeerId, TransportError};
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::P2p;
use crate::identity::name;
use crate::suspicion::Standing;
use crate::swarm_task::{Command, Publication};

/// How long a broadcast leaves a peer alone before it tries it a second time.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

impl P2p {
    /// [`broadcast`](cache_core::Transport::broadcast), all of it within one deadline.
    pub(super) async fn broadcast_to_all(&self, frame: Bytes) -> Result<Delivery, TransportError> {
        self.check_size(&frame)?;
        if self.asking.is_closed() {
            return Err(TransportError::Closed);
        }
        let mut peers = self.roster.names();
        let is_crowd = peers.len() > self.limits.acknowledging_peers || self.roster.apart() > 0;
        let deadline = self.deadline();
        // What is large is kept and repeated by nobody for others.
        let published = match is_crowd && frame.len() <= self.limits.published_frame {
            true => self.publish(frame.clone(), deadline).await,
            false => Vec::new(),
        };
        // Who has just come hears of nothing that was published before.
        peers.retain(|peer| !published.contains(peer));
        let delivery = self.deliver_to_each(peers, &frame, deadline).await;
        Ok(Delivery {
            published,
            ..delivery
        })
    }

    /// Sends a broadcast to one peer when there is a slot for it.
    async fn send_in_turn(
        &self,
        to: PeerId,
        frame: &[u8],
        standing: Standing,
    ) -> Result<Bytes, TransportError> {
        let route = self.roster.route(&to);
        let route = route.ok_or(TransportError::Unreachable(to))?;
        let slot = route.slots.take(frame.len()).await;
        let slot = slot.map_err(|_| TransportError::Unreachable(to))?;
        // Others waited in vain meanwhile: their slots are what became free.
        if standing == Standing::Good && self.roster.is_suspect(&to) {
            return Err(TransportError::Unreachable(to));
        }
        self.send(route.peer, FrameKind::Broadcast, frame, slot)
            .await
    }

    /// Has one peer confirm a broadcast, at the second try at the latest. A suspect peer gets none,
    /// or now and then one, on trial.
    async fn deliver(&self, to: PeerId, frame: &[u8]) -> Result<(), TransportError> {
        let standing = self.roster.standing(&to);
        if standing == Standing::PassedOver {
            return Err(TransportError::Unreachable(to));
        }
        let first = self.send_in_turn(to, frame, standing);
        let Err(error) = first.await else {
            return Ok(());
        };
        if self.roster.is_suspect(&to) {
            return Err(error);
        }
        tracing::debug!(peer = %to, %error, "a broadcast is not confirmed, trying again");
        sleep(RETRY_PAUSE).await;
        let again = self.send_in_turn(to, frame, Standing::Good);
        again.await.map(drop)
    }

    /// Publishes a frame; tells which of the connected peers have it from us or from others.
    async fn publish(&self, frame: Bytes, deadline: Instant) -> Vec<PeerId> {
        let publication = |answer| Command::Publish(Publication { frame, answer });
        let published = self.ask_by(deadline, publication).await;
        let published = published.unwrap_or_default();
        published.iter().map(name).collect()
    }

    /// Has each of these peers confirm a frame.
    async fn deliver_to_each(
        &self,
        peers: Vec<PeerId>,
        frame: &Bytes,
        deadline: Instant,
    ) -> Delivery {
        // Each peer for itself: one that is silent delays nobody else's frame. But it delays the
        // end, and with it a caller who sends the next frame only then, so that it does so once:
        // suspect peers are passed over.
        let outcomes = peers.into_iter().map(async |peer| {
            let delivered = self.deliver(peer, frame);
            (peer, self.end_by(deadline, peer, delivered).await)
        });
        let mut delivery = Delivery::default();
        for (peer, outcome) in join_all(outcomes).await {
            self.counters.delivered(&outcome);
            match outcome {
                Ok(()) => delivery.acked.push(peer),
                Err(_) => delivery.failed.push(peer),
            }
        }
        delivery
    }
}
