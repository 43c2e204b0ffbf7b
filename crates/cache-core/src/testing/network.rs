//! A network in memory, with latency, loss, partitions, and whatever else befalls frames.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio_util::sync::CancellationToken;

use crate::peer::PeerId;

use net::Net;

mod net;
mod transport;

pub use net::Traffic;
pub use transport::MemoryTransport;

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
///
/// Frames overtake each other wherever their latencies differ. What befalls those that are sent can
/// be changed while members are at it, and [`traffic`](Self::traffic) tells how many there were.
#[derive(Clone)]
pub struct MemoryNetwork {
    net: Arc<Mutex<Net>>,
}

impl MemoryNetwork {
    /// A network without latency or loss. What it does by chance follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            net: Arc::new(Mutex::new(Net::new(seed))),
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
        self.set_loss(loss);
        self
    }

    /// Each member is connected to `2 × rings` others only, and [gossips](Self::with_gossip), as in a
    /// fleet too large for each to know all. Members stand in so many rings, each in another order,
    /// and are connected to their neighbours.
    #[must_use]
    pub fn with_rings(self, rings: usize) -> Self {
        self.net().rings = Some(rings);
        self.with_gossip()
    }

    /// Each member passes on what it has been told and has acknowledged: a broadcast is told to those
    /// that are connected, and by each of them, when it comes in first, to those that it is connected
    /// to, but the one that it came from. Nobody's word of having got it comes back.
    #[must_use]
    pub fn with_gossip(self) -> Self {
        self.net().gossips = true;
        self
    }

    /// All members are connected to the one of this name and to nobody else: as if nobody could be
    /// dialled but that one. A broadcast reaches the neighbours only, without [gossip](Self::with_gossip).
    ///
    /// # Panics
    ///
    /// If the name is longer than [`PeerId::MAX_LEN`] bytes.
    #[must_use]
    pub fn with_hub(self, name: &str) -> Self {
        self.net().hub = Some(named(name));
        self
    }

    /// From now on each frame is lost with this probability, 0 to 1.
    pub fn set_loss(&self, loss: f64) {
        self.net().loss = loss.clamp(0.0, 1.0);
    }

    /// From now on each frame comes in twice with this probability, 0 to 1. The second one's answer
    /// is lost.
    pub fn set_duplication(&self, duplication: f64) {
        self.net().duplication = duplication.clamp(0.0, 1.0);
    }

    /// From now on each frame takes up to so much longer with this probability, 0 to 1, and is
    /// overtaken by others meanwhile.
    pub fn set_stragglers(&self, stragglers: f64, by: Duration) {
        self.net().stragglers = (stragglers.clamp(0.0, 1.0), by);
    }

    /// From now on each frame from or to this member takes so much longer.
    pub fn slow_down(&self, member: PeerId, by: Duration) {
        self.net().slow.insert(member, by);
    }

    /// Adds a member. A name that has been taken before is the same member, started again.
    ///
    /// # Panics
    ///
    /// If the name is longer than [`PeerId::MAX_LEN`] bytes.
    pub fn join(&self, name: &str) -> MemoryTransport {
        let local = named(name);
        let (inbox, queue) = mpsc::channel(INBOX);
        self.net().add(local, inbox);
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

    /// Cuts the connection of two members, who go on seeing the others.
    pub fn sever(&self, a: PeerId, b: PeerId) {
        self.net().severed.insert((a.min(b), a.max(b)));
    }

    /// Loses whatever one member sends to another from now on, replies included, but not what comes
    /// back. They go on seeing each other.
    pub fn mute(&self, from: PeerId, to: PeerId) {
        self.net().muted.insert((from, to));
    }

    /// Undoes [`partition`](Self::partition), [`sever`](Self::sever) and [`mute`](Self::mute). Who
    /// did not see each other have a new connection.
    pub fn heal(&self) {
        self.net().heal();
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

    /// What all members have sent so far, answers included, whether or not it came in.
    pub fn traffic(&self) -> Traffic {
        self.net().sent.values().copied().sum()
    }

    /// What one member has sent so far.
    pub fn sent_by(&self, member: PeerId) -> Traffic {
        self.net().sent.get(&member).copied().unwrap_or_default()
    }

    fn net(&self) -> MutexGuard<'_, Net> {
        // A test that has panicked has failed already.
        self.net.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::expect_used, reason = "a name in a test is a literal")]
fn named(name: &str) -> PeerId {
    PeerId::from_bytes(name.as_bytes()).expect("the name is short")
}

impl fmt::Debug for MemoryNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.net().fmt(f)
    }
}

#[cfg(test)]
mod tests;
