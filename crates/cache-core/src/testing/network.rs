//! A network in memory, with latency, loss and partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use crate::peer::{Direction, PeerId, PeerInfo};
use crate::transport::{
    Delivery, FrameKind, Inbound, MAX_FRAME, Replier, Transport, TransportError,
};

/// How long a sender waits for a frame that was lost.
const DEADLINE: Duration = Duration::from_secs(5);

/// Frames that wait at a member to be accepted. Further ones are declined.
const INBOX: usize = 1024;

/// A network that exists in memory alone. Every member reaches every other one, until told
/// otherwise.
///
/// ```
/// use std::time::Duration;
/// use cache_core::testing::{MemoryNetwork, VirtualClock};
/// use cache_core::{Cache, Key, Lifetime};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let network = MemoryNetwork::new(42).with_latency(Duration::from_millis(5)..=Duration::from_millis(20));
/// let [a, b] = ["a", "b"].map(|name| Cache::builder().transport(network.join(name)).build());
///
/// let key = Key::public(["greeting"]);
/// a.put(key, "hello".into(), Lifetime::fresh_for(Duration::from_secs(60)));
/// tokio::time::sleep(Duration::from_secs(1)).await; // no second passes: time is virtual
/// assert_eq!(b.get(&key).await.unwrap().value(), "hello");
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryNetwork {
    net: Arc<Mutex<Net>>,
}

struct Net {
    seed: u64,
    rng: StdRng,
    latency: RangeInclusive<Duration>,
    loss: f64,
    /// Members that can be reached by nobody outside their side.
    cut_off: BTreeSet<PeerId>,
    /// Members that hear nothing and say nothing, and look as if they did.
    frozen: BTreeSet<PeerId>,
    members: BTreeMap<PeerId, Member>,
}

struct Member {
    inbox: mpsc::Sender<Inbound>,
    since: Instant,
}

/// What happens to one frame on its way.
enum Fate {
    Arrives(Duration, mpsc::Sender<Inbound>),
    Lost,
}

impl MemoryNetwork {
    /// A network without latency or loss. What it does by chance follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            net: Arc::new(Mutex::new(Net {
                seed,
                rng: StdRng::seed_from_u64(seed),
                latency: Duration::ZERO..=Duration::ZERO,
                loss: 0.0,
                cut_off: BTreeSet::new(),
                frozen: BTreeSet::new(),
                members: BTreeMap::new(),
            })),
        }
    }

    /// Each frame takes as long as this, one way.
    #[must_use]
    pub fn with_latency(self, latency: RangeInclusive<Duration>) -> Self {
        self.net().latency = latency;
        self
    }

    /// Each frame is lost with this probability, 0 to 1.
    #[must_use]
    pub fn with_loss(self, loss: f64) -> Self {
        self.net().loss = loss.clamp(0.0, 1.0);
        self
    }

    /// Adds a member. A name that has been taken before is the same member, started again.
    ///
    /// # Panics
    ///
    /// If the name is longer than [`PeerId::MAX_LEN`] bytes.
    #[expect(clippy::expect_used, reason = "a name in a test is a literal")]
    pub fn join(&self, name: &str) -> MemoryTransport {
        let local = PeerId::from_bytes(name.as_bytes()).expect("the name is short");
        let (inbox, queue) = mpsc::channel(INBOX);
        let since = Instant::now();
        self.net().members.insert(local, Member { inbox, since });
        MemoryTransport {
            local,
            network: self.clone(),
            queue: AsyncMutex::new(queue),
            closed: CancellationToken::new(),
        }
    }

    /// Cuts the network in two: these members on one side, all others on the other.
    pub fn partition(&self, side: impl IntoIterator<Item = PeerId>) {
        self.net().cut_off = side.into_iter().collect();
    }

    /// Undoes [`partition`](Self::partition).
    pub fn heal(&self) {
        self.net().cut_off.clear();
    }

    /// Lets a member hear nothing from now on, as a process that was stopped does. The others go on
    /// seeing it.
    pub fn freeze(&self, member: PeerId) {
        self.net().frozen.insert(member);
    }

    /// Undoes [`freeze`](Self::freeze). What was sent meanwhile is lost.
    pub fn thaw(&self, member: PeerId) {
        self.net().frozen.remove(&member);
    }

    fn net(&self) -> MutexGuard<'_, Net> {
        // A test that has panicked has failed already.
        self.net.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries a frame there and the reply back, within the deadline.
    async fn carry(
        &self,
        from: PeerId,
        to: PeerId,
        kind: FrameKind,
        frame: Bytes,
    ) -> Result<Bytes, TransportError> {
        if frame.len() > MAX_FRAME {
            return Err(TransportError::TooLarge {
                size: frame.len(),
                limit: MAX_FRAME,
            });
        }
        let exchange = async {
            let inbox = self.travel(from, to).await?;
            let (reply, replied) = Replier::new();
            let inbound = Inbound {
                from,
                kind,
                frame,
                reply,
            };
            inbox.try_send(inbound).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => TransportError::Busy,
                mpsc::error::TrySendError::Closed(_) => TransportError::Unreachable(to),
            })?;
            let reply = replied.await.map_err(|_| TransportError::Declined)?;
            self.travel(to, from).await?;
            Ok(reply)
        };
        time::timeout(DEADLINE, exchange)
            .await
            .unwrap_or(Err(TransportError::Timeout))
    }

    /// Takes one frame's time, and tells where it has come in. A lost frame never comes in.
    async fn travel(
        &self,
        from: PeerId,
        to: PeerId,
    ) -> Result<mpsc::Sender<Inbound>, TransportError> {
        let fate = self.net().fate(from, to)?;
        match fate {
            Fate::Arrives(latency, inbox) => {
                time::sleep(latency).await;
                Ok(inbox)
            }
            Fate::Lost => future::pending().await,
        }
    }
}

impl fmt::Debug for MemoryNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let net = self.net();
        f.debug_struct("MemoryNetwork")
            .field("seed", &net.seed)
            .field("members", &net.members.keys())
            .finish_non_exhaustive()
    }
}

impl Net {
    fn connected(&self, a: PeerId, b: PeerId) -> bool {
        a != b && self.cut_off.contains(&a) == self.cut_off.contains(&b)
    }

    fn peers_of(&self, local: PeerId) -> impl Iterator<Item = (PeerId, &Member)> {
        let members = self.members.iter().map(|(id, member)| (*id, member));
        members.filter(move |(id, member)| self.connected(local, *id) && !member.inbox.is_closed())
    }

    /// What a frame and its reply take together, usually.
    fn round_trip(&self) -> Duration {
        *self.latency.start() + *self.latency.end()
    }

    fn fate(&mut self, from: PeerId, to: PeerId) -> Result<Fate, TransportError> {
        let member = self
            .members
            .get(&to)
            .filter(|member| self.connected(from, to) && !member.inbox.is_closed())
            .ok_or(TransportError::Unreachable(to))?;
        let inbox = member.inbox.clone();
        let is_frozen = self.frozen.contains(&to) || self.frozen.contains(&from);
        if is_frozen || self.rng.random_bool(self.loss) {
            return Ok(Fate::Lost);
        }
        let latency = self.rng.random_range(self.latency.clone());
        Ok(Fate::Arrives(latency, inbox))
    }
}

/// One member's end of a [`MemoryNetwork`]. Dropping or closing it takes the member off the
/// network, as a crash does.
pub struct MemoryTransport {
    local: PeerId,
    network: MemoryNetwork,
    queue: AsyncMutex<mpsc::Receiver<Inbound>>,
    closed: CancellationToken,
}

#[async_trait]
impl Transport for MemoryTransport {
    fn local_peer(&self) -> PeerId {
        self.local
    }

    fn peers(&self) -> Vec<PeerInfo> {
        let net = self.network.net();
        let peers = net.peers_of(self.local);
        peers
            .map(|(id, member)| PeerInfo {
                age: member.since.elapsed(),
                latency: Some(net.round_trip()),
                ..PeerInfo::new(id, Direction::Outbound)
            })
            .collect()
    }

    async fn request(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        self.network
            .carry(self.local, to, FrameKind::Request, frame)
            .await
    }

    async fn broadcast(&self, frame: Bytes) -> Result<Delivery, TransportError> {
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

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransport")
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
