//! The state of a network in memory, and what becomes of a frame.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, RangeInclusive, Sub};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::peer::{Direction, PeerId};
use crate::transport::{Inbound, TransportError};

/// Broadcasts of which it is remembered whom they have reached. An older one may come in again.
const REMEMBERED: u64 = 1024;

/// Frames, and what is in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many.
    pub frames: u64,
    /// Their length together, in bytes.
    pub bytes: u64,
}

pub(super) struct Net {
    seed: u64,
    rng: StdRng,
    pub(super) latency: RangeInclusive<Duration>,
    pub(super) loss: f64,
    pub(super) duplication: f64,
    /// How many frames take longer, and by how much at most.
    pub(super) stragglers: (f64, Duration),
    pub(super) slow: BTreeMap<PeerId, Duration>,
    /// Members that can be reached by nobody outside their side.
    pub(super) cut_off: BTreeSet<PeerId>,
    /// Pairs whose connection is cut, the lesser name first.
    pub(super) severed: BTreeSet<(PeerId, PeerId)>,
    /// Who hears nothing of whom, in the order of sender and receiver.
    pub(super) muted: BTreeSet<(PeerId, PeerId)>,
    /// When pairs saw each other again, the lesser name first.
    reconnected: BTreeMap<(PeerId, PeerId), Instant>,
    /// Members that hear nothing and say nothing, and look as if they did.
    pub(super) frozen: BTreeSet<PeerId>,
    pub(super) rings: Option<usize>,
    /// Whether members pass on what they are told.
    pub(super) gossips: bool,
    /// The one to whom all others are connected, and to nobody else.
    pub(super) hub: Option<PeerId>,
    /// Who is connected to whom where there are rings; made anew when members come.
    neighbours: BTreeMap<PeerId, BTreeSet<PeerId>>,
    pub(super) members: BTreeMap<PeerId, Member>,
    joined: u64,
    pub(super) sent: BTreeMap<PeerId, Traffic>,
    /// The number of the last broadcast that is passed on, and whom those before it have reached.
    published: u64,
    reached: BTreeSet<(u64, PeerId)>,
}

pub(super) struct Member {
    inbox: mpsc::Sender<Inbound>,
    pub(super) since: Instant,
    /// Its place in the order of those that have come.
    number: u64,
}

/// What happens to one frame on its way.
pub(super) enum Fate {
    /// It comes in after so long, and once more after the second, where there is one.
    Arrives(Duration, Option<Duration>, mpsc::Sender<Inbound>),
    Lost,
}

impl Net {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            rng: StdRng::seed_from_u64(seed),
            latency: Duration::ZERO..=Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
            stragglers: (0.0, Duration::ZERO),
            slow: BTreeMap::new(),
            cut_off: BTreeSet::new(),
            severed: BTreeSet::new(),
            muted: BTreeSet::new(),
            reconnected: BTreeMap::new(),
            frozen: BTreeSet::new(),
            rings: None,
            gossips: false,
            hub: None,
            neighbours: BTreeMap::new(),
            members: BTreeMap::new(),
            joined: 0,
            sent: BTreeMap::new(),
            published: 0,
            reached: BTreeSet::new(),
        }
    }

    pub(super) fn add(&mut self, name: PeerId, inbox: mpsc::Sender<Inbound>) {
        let since = Instant::now();
        self.joined += 1;
        let member = Member {
            inbox,
            since,
            number: self.joined,
        };
        self.members.insert(name, member);
        self.neighbours.clear();
    }

    pub(super) fn inbox(&self, member: PeerId) -> Option<mpsc::Sender<Inbound>> {
        Some(self.members.get(&member)?.inbox.clone())
    }

    /// A number for a broadcast, where members pass them on.
    pub(super) fn publish(&mut self, by: PeerId) -> Option<u64> {
        if !self.gossips {
            return None;
        }
        self.published += 1;
        let forgotten = self.published.saturating_sub(REMEMBERED);
        self.reached = self.reached.split_off(&(forgotten, PeerId::LOCAL));
        self.reached.insert((self.published, by));
        Some(self.published)
    }

    /// Whether a broadcast reaches a member for the first time.
    pub(super) fn is_first(&mut self, number: u64, to: PeerId) -> bool {
        self.reached.insert((number, to))
    }

    pub(super) fn peers_of(&mut self, local: PeerId) -> Vec<(PeerId, Instant, Direction)> {
        let is_here = |id: &PeerId| self.peer(local, *id);
        match self.rings {
            None => self.members.keys().filter_map(is_here).collect(),
            Some(rings) => {
                if self.neighbours.is_empty() {
                    self.connect(rings);
                }
                let neighbours = self.neighbours.get(&local).into_iter().flatten();
                let is_here = |id: &PeerId| self.peer(local, *id);
                neighbours.filter_map(is_here).collect()
            }
        }
    }

    /// A member as another one sees it. Who comes dials those that are there.
    fn peer(&self, local: PeerId, id: PeerId) -> Option<(PeerId, Instant, Direction)> {
        let member = self.member(local, id)?;
        let us = self.members.get(&local)?;
        let direction = match us.number < member.number {
            true => Direction::Inbound,
            false => Direction::Outbound,
        };
        let reconnected = self.reconnected.get(&pair(local, id)).copied();
        let since = member.since.max(us.since);
        Some((id, reconnected.map_or(since, |at| since.max(at)), direction))
    }

    /// Connects all who were cut off from each other.
    pub(super) fn heal(&mut self) {
        let members = || self.members.keys().copied();
        let apart = |one: &PeerId, other: &PeerId| self.is_cut(*one, *other);
        let pairs = members().flat_map(|one| members().map(move |other| (one, other)));
        let pairs = pairs.filter(|(one, other)| one < other && apart(one, other));
        let now = Instant::now();
        let again: Vec<_> = pairs.map(|pair| (pair, now)).collect();
        self.reconnected.extend(again);
        self.cut_off.clear();
        self.severed.clear();
        self.muted.clear();
    }

    fn is_cut(&self, one: PeerId, other: PeerId) -> bool {
        self.cut_off.contains(&one) != self.cut_off.contains(&other)
            || self.severed.contains(&pair(one, other))
    }

    /// What a frame and its reply take together, usually.
    pub(super) fn round_trip(&self) -> Duration {
        *self.latency.start() + *self.latency.end()
    }

    /// Counts a frame of so many bytes, and says what becomes of it.
    pub(super) fn send(
        &mut self,
        from: PeerId,
        to: PeerId,
        bytes: usize,
    ) -> Result<Fate, TransportError> {
        let member = self.member(from, to);
        let inbox = member.ok_or(TransportError::Unreachable(to))?.inbox.clone();
        let sent = self.sent.entry(from).or_default();
        *sent = *sent
            + Traffic {
                frames: 1,
                bytes: bytes as u64,
            };
        let is_frozen = self.frozen.contains(&to) || self.frozen.contains(&from);
        let is_muted = self.muted.contains(&(from, to));
        if is_frozen || is_muted || self.rng.random_bool(self.loss) {
            return Ok(Fate::Lost);
        }
        let latency = self.latency(from, to);
        let again = match self.rng.random_bool(self.duplication) {
            true => Some(self.latency(from, to)),
            false => None,
        };
        Ok(Fate::Arrives(latency, again, inbox))
    }

    /// A member that another one can see.
    fn member(&self, from: PeerId, to: PeerId) -> Option<&Member> {
        let is_apart = self.hub.is_some_and(|hub| hub != from && hub != to);
        let member = self.members.get(&to)?;
        let is_seen =
            from != to && !is_apart && !self.is_cut(from, to) && !member.inbox.is_closed();
        is_seen.then_some(member)
    }

    fn latency(&mut self, from: PeerId, to: PeerId) -> Duration {
        let usual = self.rng.random_range(self.latency.clone());
        let (stragglers, by) = self.stragglers;
        let late = match self.rng.random_bool(stragglers) {
            true => self.rng.random_range(Duration::ZERO..=by),
            false => Duration::ZERO,
        };
        let slow = [from, to].map(|member| self.slow.get(&member).copied().unwrap_or_default());
        whole_millis(usual + late + slow[0] + slow[1])
    }

    /// Puts the members in so many rings.
    fn connect(&mut self, rings: usize) {
        let mut members: Vec<_> = self.members.keys().copied().collect();
        // Apart from the chances of frames, which must not hang on when somebody looks.
        let mut rng = StdRng::seed_from_u64(self.seed);
        for _ in 0..rings {
            members.shuffle(&mut rng);
            let next = members.iter().cycle().skip(1);
            for (&one, &other) in members.iter().zip(next) {
                self.neighbours.entry(one).or_default().insert(other);
                self.neighbours.entry(other).or_default().insert(one);
            }
        }
    }
}

fn pair(one: PeerId, other: PeerId) -> (PeerId, PeerId) {
    (one.min(other), one.max(other))
}

/// Tokio's time goes in milliseconds from when the runtime was made, which is a little before the
/// clock stood still. With a fraction of one, chance would say which of two frames comes first.
fn whole_millis(latency: Duration) -> Duration {
    let millis = latency.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryNetwork")
            .field("seed", &self.seed)
            .field("members", &self.members.keys())
            .finish_non_exhaustive()
    }
}

impl Add for Traffic {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            frames: self.frames + other.frames,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Sub for Traffic {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            frames: self.frames - other.frames,
            bytes: self.bytes - other.bytes,
        }
    }
}

impl Sum for Traffic {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}
