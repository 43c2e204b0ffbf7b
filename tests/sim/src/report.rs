//! What a run has cost, and what was wrong.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::iter::Sum;
use std::ops::Add;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cache_core::testing::Traffic;
use tokio::time::Instant;

use crate::plan::{Plan, Weather};

/// What a run has come to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed that it followed from.
    pub seed: u64,
    /// How many nodes there were.
    pub nodes: usize,
    /// What could go wrong.
    pub weather: Weather,
    /// What it has cost.
    pub cost: Cost,
    /// The longest that anybody has waited for an answer.
    pub longest_wait: Duration,
    /// Promises that were broken; none, as it should be.
    pub broken: Vec<String>,
    /// A digest of all that happened, and when. Runs of one plan have the same.
    pub trace: u64,
}

/// What lookups have cost a fleet, and upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Lookups that were answered.
    pub lookups: u64,
    /// Calls of upstream.
    pub calls: u64,
    /// Frames among members.
    pub frames: u64,
    /// What was in them, in bytes.
    pub bytes: u64,
}

/// Where a run notes what happens. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Notes(Arc<Mutex<Noted>>);

struct Noted {
    start: Instant,
    lookups: u64,
    longest_wait: Duration,
    broken: Vec<String>,
    trace: u64,
}

/// Broken promises that are told of one run.
const MAX_BROKEN: usize = 20;

impl Notes {
    pub(crate) fn new(start: Instant) -> Self {
        Self(Arc::new(Mutex::new(Noted {
            start,
            lookups: 0,
            longest_wait: Duration::ZERO,
            broken: Vec::new(),
            trace: 0,
        })))
    }

    /// Notes a lookup that was answered, and what is to be found again in another run.
    pub(crate) fn answered(&self, took: Duration, what: impl Hash) {
        let mut noted = self.noted();
        noted.lookups += 1;
        noted.longest_wait = noted.longest_wait.max(took);
        noted.trace(what);
    }

    pub(crate) fn broken(&self, what: String) {
        let mut noted = self.noted();
        noted.trace(&what);
        if noted.broken.len() < MAX_BROKEN {
            noted.broken.push(what);
        }
    }

    pub(crate) fn report(&self, plan: &Plan, calls: u64, traffic: Traffic) -> Report {
        let mut noted = self.noted();
        let cost = Cost {
            lookups: noted.lookups,
            calls,
            frames: traffic.frames,
            bytes: traffic.bytes,
        };
        noted.trace((cost.calls, cost.frames, cost.bytes));
        noted.broken.sort_unstable();
        Report {
            seed: plan.seed,
            nodes: plan.machines.len(),
            weather: plan.weather,
            cost,
            longest_wait: noted.longest_wait,
            broken: noted.broken.clone(),
            trace: noted.trace,
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted {
    /// Those who wait for one flight are woken by Tokio in an order of its own, so that of what
    /// happens at one moment the order does not count.
    fn trace(&mut self, what: impl Hash) {
        let mut hasher = DefaultHasher::new();
        (self.start.elapsed(), what).hash(&mut hasher);
        self.trace = self.trace.wrapping_add(hasher.finish());
    }
}

impl fmt::Display for Report {
    /// What was broken, and the command that shows it again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, nodes, .. } = self;
        write!(f, "seed {seed} of {nodes} nodes ({:?})", self.weather)?;
        if self.broken.is_empty() {
            return write!(f, ": {}", self.cost);
        }
        let again = format!("cargo xtask sim --seed {seed} --nodes {nodes}");
        write!(f, " broke a promise; to see it again: {again}")?;
        let mut broken = self.broken.iter();
        broken.try_for_each(|what| write!(f, "\n  {what}"))
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            lookups: self.lookups + other.lookups,
            calls: self.calls + other.calls,
            frames: self.frames + other.frames,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lookups, {} upstream calls, {} frames, {} bytes",
            self.lookups, self.calls, self.frames, self.bytes
        )
    }
}
