//! Asking one member, and how long it is waited for.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use tokio::time::{self, Instant};

use crate::lease::{Acquire, Grant};
use crate::peer::PeerId;
use crate::transport::{Transport, TransportError};
use crate::wire::Message;

/// Patience with an owner is counted in these.
pub(super) const TICK: Duration = Duration::from_millis(5);

/// For so many ticks owners may give no sign of life, all together: 50 ms. Then a caller goes
/// upstream without a lease.
const LEAST_PATIENCE: u32 = 10;

/// A tick that took so much longer does not count: this process was too busy to notice an answer,
/// and so may the owner have been to give one, if it was asked for as much.
const LATE: Duration = Duration::from_millis(2);

/// The most that an owner is waited for, in ticks, though it gives signs of life, however long it
/// usually takes, and however much is asked at once: a second.
pub(super) const MOST_PATIENCE: u32 = 200;

/// The same in time, however busy this process is.
const MOST_TIME: Duration = Duration::from_secs(5);

/// For how long an owner that was silent is passed over.
const SILENCE: Duration = Duration::from_secs(5);

/// Peers whose manners are remembered. At the bound the table starts anew.
const MAX_MANNERS: usize = 1024;

/// What is left of the patience with the owners of one key, in ticks.
pub(super) struct Patience {
    left: u32,
}

impl Patience {
    pub(super) const fn new() -> Self {
        Self {
            left: LEAST_PATIENCE,
        }
    }

    /// The least that the next one is waited for: all that is left but one tick, for one more.
    pub(super) fn least(&self) -> u32 {
        self.left.saturating_sub(1).max(1)
    }

    /// Somebody was waited for in vain. What he has left unused, the next one gets.
    pub(super) fn spend(&mut self, took: Duration) {
        let used = took.div_duration_f32(TICK) as u32;
        let rest = self.left.saturating_sub(used);
        // The tick that was kept for one more, if he has not been the one.
        self.left = if self.left > 1 { rest.max(1) } else { rest };
    }

    /// Whether nobody more is asked.
    pub(super) const fn is_over(&self) -> bool {
        self.left == 0
    }
}

/// How a peer answers.
#[derive(Clone, Copy, Debug, Default)]
struct Manners {
    /// The usual time that it takes, smoothed.
    takes: Duration,
    heard_at: Option<Instant>,
    silent_until: Option<Instant>,
}

/// The questions that this member puts to others.
pub(super) struct Questions {
    transport: Arc<dyn Transport>,
    /// What is known of the peers that were asked.
    manners: DashMap<PeerId, Manners>,
    /// How many nobody has answered yet.
    open: AtomicU32,
}

/// Counts a question for as long as it is open.
struct Asking<'a>(&'a AtomicU32);

impl Questions {
    pub(super) fn new(transport: Arc<dyn Transport>) -> Self {
        Self {
            transport,
            manners: DashMap::new(),
            open: AtomicU32::new(0),
        }
    }

    /// Asks one member. `patience` is the least that it is waited for, in ticks.
    pub(super) async fn ask(
        &self,
        owner: PeerId,
        patience: u32,
        question: Acquire,
    ) -> Option<Grant> {
        let frame = Message::Acquire(question).encode().ok()?;
        let takes = self.manners.get(&owner).map(|manners| manners.takes);
        let peers = self.transport.peers();
        let peer = peers.iter().find(|peer| peer.id == owner);
        let usual = takes.max(peer.and_then(|peer| peer.latency));
        let usual = usual.unwrap_or_default();
        let usual = (4 * usual).div_duration_f32(TICK) as u32;
        let patience = usual.clamp(patience, MOST_PATIENCE);
        let _asking = Asking::begin(&self.open);
        let began = Instant::now();
        match self
            .while_it_lives(owner, patience, self.send(owner, frame))
            .await
        {
            Some(Ok(reply)) => {
                self.heard(owner);
                if let Some(mut manners) = self.manners.get_mut(&owner) {
                    let took = began.elapsed();
                    manners.takes = match manners.takes {
                        Duration::ZERO => took,
                        takes => (3 * takes + took) / 4,
                    };
                }
                match Message::decode(&reply) {
                    Ok(Message::Grant(grant)) => Some(grant),
                    // It does not know the question, being of an earlier release.
                    _ => None,
                }
            }
            Some(Err(TransportError::Declined)) => None,
            Some(Err(_)) | None => {
                self.pass_over(&owner);
                None
            }
        }
    }

    /// A member cannot be asked for now.
    pub(super) fn pass_over(&self, member: &PeerId) {
        let silent_until = Some(Instant::now() + SILENCE);
        self.manners.entry(*member).or_default().silent_until = silent_until;
    }

    /// Sends a request as soon as there is room for it among those under way, and a connection: to
    /// ask a member that is not connected has it dialled. Whoever calls sets a limit.
    pub(super) async fn send(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        let is_connected = self.transport.peers().iter().any(|peer| peer.id == to);
        loop {
            match self.transport.request(to, frame.clone()).await {
                Err(TransportError::Busy) => time::sleep(TICK).await,
                Err(TransportError::Unreachable(_)) if !is_connected => time::sleep(TICK).await,
                outcome => return outcome,
            }
        }
    }

    /// Waits for an answer of `owner`. Who asks much at once waits longer: a tick for each question
    /// that is still open. So is an owner waited for that gives signs of life, of whatever kind: one
    /// that is busy will answer, one that is frozen will not; but not for ever.
    async fn while_it_lives<T>(
        &self,
        owner: PeerId,
        patience: u32,
        answer: impl Future<Output = T>,
    ) -> Option<T> {
        let mut answer = pin!(answer);
        let began = Instant::now();
        let (mut ticks, mut quiet) = (0, 0);
        let open = || self.open.load(Ordering::Relaxed).saturating_sub(1);
        let most = || (patience + open()).min(MOST_PATIENCE);
        while quiet < most() && ticks < MOST_PATIENCE && began.elapsed() < MOST_TIME {
            let tick = Instant::now();
            tokio::select! {
                biased;
                answer = &mut answer => return Some(answer),
                () = time::sleep(TICK) => {}
            }
            if tick.elapsed() < TICK + LATE {
                ticks += 1;
                quiet += 1;
            }
            let manners = self.manners.get(&owner);
            if manners.is_some_and(|manners| manners.heard_at >= Some(tick)) {
                quiet = 0;
            }
        }
        None
    }

    /// Takes note that a peer lives.
    pub(super) fn heard(&self, peer: PeerId) {
        if self.manners.len() >= MAX_MANNERS {
            self.manners.clear();
        }
        let mut manners = self.manners.entry(peer).or_default();
        manners.heard_at = Some(Instant::now());
        manners.silent_until = None;
    }

    pub(super) fn is_silent(&self, peer: &PeerId) -> bool {
        let manners = self.manners.get(peer);
        manners.is_some_and(|manners| {
            let until = manners.silent_until;
            until.is_some_and(|until| until > Instant::now())
        })
    }
}

impl<'a> Asking<'a> {
    fn begin(open: &'a AtomicU32) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
