//! A member's end of a network in memory.

use std::fmt;
use std::future;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::MemoryNetwork;
use super::net::Fate;
use crate::peer::{PeerId, PeerInfo};
use crate::transport::{
    Delivery, FrameKind, Inbound, MAX_FRAME, Replier, Transport, TransportError,
};

/// How long a sender waits for a frame that was lost.
const DEADLINE: Duration = Duration::from_secs(5);

/// One member's end of a [`MemoryNetwork`]. Dropping or closing it takes the member off the
/// network, as a crash does.
pub struct MemoryTransport {
    pub(super) local: PeerId,
    pub(super) network: MemoryNetwork,
    pub(super) queue: AsyncMutex<mpsc::Receiver<Inbound>>,
    pub(super) closed: CancellationToken,
}

#[async_trait]
impl Transport for MemoryTransport {
    fn local_peer(&self) -> PeerId {
        self.local
    }

    fn peers(&self) -> Vec<PeerInfo> {
        let mut net = self.network.net();
        let round_trip = net.round_trip();
        let peers = net.peers_of(self.local).into_iter();
        peers
            .map(|(id, since, direction)| PeerInfo {
                age: since.elapsed(),
                latency: Some(round_trip),
                ..PeerInfo::new(id, direction)
            })
            .collect()
    }

    async fn request(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        self.network
            .carry(self.local, to, FrameKind::Request, frame)
            .await
    }

    async fn broadcast(&self, frame: Bytes) -> Result<Delivery, TransportError> {
        let published = self.network.net().publish(self.local);
        if let Some(number) = published {
            check_length(&frame)?;
            self.network.pass_on(number, self.local, None, &frame);
            return Ok(Delivery::default());
        }
        let peers: Vec<_> = self.peers().into_iter().map(|peer| peer.id).collect();
        let sent = peers.into_iter().map(|to| {
            let frame = frame.clone();
            async move {
                let kind = FrameKind::Broadcast;
                (to, self.network.carry(self.local, to, kind, frame).await)
            }
        });
        let mut delivery = Delivery::default();
        for (peer, outcome) in join_all(sent).await {
            match outcome {
                Ok(_) => delivery.acked.push(peer),
                Err(_) => delivery.failed.push(peer),
            }
        }
        Ok(delivery)
    }

    async fn accept(&self) -> Option<Inbound> {
        let next = async { self.queue.lock().await.recv().await };
        self.closed.run_until_cancelled(next).await.flatten()
    }

    async fn close(&self) {
        // Whoever accepts holds the queue, and lets go of it now.
        self.closed.cancel();
        self.queue.lock().await.close();
    }
}

impl MemoryNetwork {
    /// Asks a member from outside the network, as a test does that wants to know what it knows:
    /// whoever is connected, at once, and not counted as traffic.
    pub async fn ask(&self, member: PeerId, frame: Bytes) -> Option<Bytes> {
        let inbox = self.net().inbox(member)?;
        let (reply, replied) = Replier::new();
        let inbound = Inbound {
            from: PeerId::LOCAL,
            kind: FrameKind::Request,
            frame,
            reply,
        };
        inbox.try_send(inbound).ok()?;
        replied.await.ok()
    }

    /// Carries a frame there and the reply back, within the deadline.
    async fn carry(
        &self,
        from: PeerId,
        to: PeerId,
        kind: FrameKind,
        frame: Bytes,
    ) -> Result<Bytes, TransportError> {
        check_length(&frame)?;
        let exchange = async {
            let fate = self.net().send(from, to, frame.len())?;
            let Fate::Arrives(latency, again, inbox) = fate else {
                return future::pending().await;
            };
            let inbound = |frame, reply| Inbound {
                from,
                kind,
                frame,
                reply,
            };
            if let Some(latency) = again {
                let (reply, _) = Replier::new();
                let (inbox, inbound) = (inbox.clone(), inbound(frame.clone(), reply));
                tokio::spawn(async move {
                    time::sleep(latency).await;
                    // A full inbox loses what nobody has sent.
                    let _ = inbox.try_send(inbound);
                });
            }
            let (reply, replied) = Replier::new();
            time::sleep(latency).await;
            inbox
                .try_send(inbound(frame, reply))
                .map_err(|error| match error {
                    mpsc::error::TrySendError::Full(_) => TransportError::Busy,
                    mpsc::error::TrySendError::Closed(_) => TransportError::Unreachable(to),
                })?;
            let reply = replied.await.map_err(|_| TransportError::Declined)?;
            let fate = self.net().send(to, from, reply.len())?;
            match fate {
                Fate::Arrives(latency, ..) => time::sleep(latency).await,
                Fate::Lost => future::pending().await,
            }
            Ok(reply)
        };
        time::timeout(DEADLINE, exchange)
            .await
            .unwrap_or(Err(TransportError::Timeout))
    }

    /// Has a member tell its neighbours, but the one who has told it, a frame of that number.
    fn pass_on(&self, number: u64, by: PeerId, but: Option<PeerId>, frame: &Bytes) {
        let neighbours = self.net().peers_of(by).into_iter().map(|(id, ..)| id);
        for to in neighbours.filter(|to| Some(*to) != but) {
            let (network, frame) = (self.clone(), frame.clone());
            tokio::spawn(async move {
                let told = network.tell(number, by, to, frame.clone());
                // Who has not taken it by then, or was told before, does not pass it on.
                if time::timeout(DEADLINE, told).await == Ok(true) {
                    network.pass_on(number, to, Some(by), &frame);
                }
            });
        }
    }

    /// Tells one member a frame of that number; tells whether it was news, and was taken.
    async fn tell(&self, number: u64, from: PeerId, to: PeerId, frame: Bytes) -> bool {
        let fate = self.net().send(from, to, frame.len());
        let Ok(Fate::Arrives(latency, _, inbox)) = fate else {
            return false;
        };
        time::sleep(latency).await;
        if !self.net().is_first(number, to) {
            return false;
        }
        let (reply, replied) = Replier::new();
        let inbound = Inbound {
            from,
            kind: FrameKind::Broadcast,
            frame,
            reply,
        };
        inbox.try_send(inbound).is_ok() && replied.await.is_ok()
    }
}

fn check_length(frame: &Bytes) -> Result<(), TransportError> {
    if frame.len() <= MAX_FRAME {
        return Ok(());
    }
    Err(TransportError::TooLarge {
        size: frame.len(),
        limit: MAX_FRAME,
    })
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransport")
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}
