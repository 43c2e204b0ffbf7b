//! What happens when, from a seed.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::fault::Fault;
use crate::flaw::Flaw;
use cache_core::Freshness;
use cache_core::testing::MemoryDisk;

mod lot;

/// Members have found each other by then.
const BEGIN: Duration = Duration::from_secs(5);

/// Lookups and faults happen for so long.
const TROUBLE: Duration = Duration::from_secs(90);

/// A run that follows from its seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where all chance comes from.
    pub seed: u64,
    /// What may go wrong.
    pub weather: Weather,
    /// Who is connected to whom.
    pub topology: Topology,
    /// How many questions there are.
    pub(crate) questions: u32,
    pub(crate) machines: Vec<Machine>,
    pub(crate) events: Vec<(Duration, Event)>,
    /// From when to when something is wrong.
    pub(crate) troubles: Arc<[Range<Duration>]>,
    /// When the last fault ends.
    pub(crate) peace: Duration,
    pub(crate) flaw: Option<Flaw>,
}

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weather {
    /// Nothing. Each answer costs one call.
    Calm,
    /// Members lose sight of each other, and die. Each such event may cost one call more for each
    /// answer.
    Parted,
    /// Everything: loss, duplicates, stragglers, slow and frozen members, clocks that are an hour
    /// off, small memories, changes, invalidations, an upstream that fails.
    Rough,
}

/// Who is connected to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// Everybody to everybody. What is pushed is confirmed.
    Mesh,
    /// Everybody to the first one alone, as if no other could be dialled. It passes on what is pushed.
    Star,
    /// Each to a few, in rings, who pass on what is pushed.
    Rings,
}

/// A machine, as it is throughout a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// By how much its clock is ahead at first, in milliseconds.
    pub(crate) ahead: i64,
    /// How long its disk takes to write, if it has one.
    pub(crate) disk: Option<Duration>,
    pub(crate) max_bytes: u64,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Somebody looks up a question at a node.
    Ask {
        /// The node's number.
        node: usize,
        /// The question's number.
        question: u32,
        /// How fresh the answer is to be.
        wish: Wish,
    },
    /// Somebody changes something by way of a node, which invalidates the answer.
    Write {
        /// The node's number.
        node: usize,
        /// The question's number.
        question: u32,
        /// Whether all that belongs to the same repository goes with it.
        repository: bool,
    },
    /// Upstream's answer changes behind everybody's back.
    Change(u32),
    /// Something goes wrong, or ends to.
    Fault(Fault),
}

/// How fresh an answer is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    /// As its lifetime says.
    AsStored,
    /// Younger than so many seconds.
    AtMost(u64),
    /// As its lifetime says, or stale for no more than so many seconds.
    Tolerant(u64),
}

impl Wish {
    pub(crate) fn freshness(self) -> Freshness {
        match self {
            Self::AsStored => Freshness::AS_STORED,
            Self::AtMost(seconds) => Freshness::at_most(Duration::from_secs(seconds)),
            Self::Tolerant(seconds) => {
                Freshness::AS_STORED.or_stale_while_revalidating(Duration::from_secs(seconds))
            }
        }
    }
}

impl Machine {
    /// Room for everything that is ever asked.
    const LARGE: u64 = 16 * 1024 * 1024;

    pub(crate) fn is_large(self) -> bool {
        self.max_bytes == Self::LARGE
    }

    pub(crate) fn new_disk(self) -> Option<MemoryDisk> {
        self.disk.map(MemoryDisk::writing_after)
    }
}

impl Topology {
    /// By then after the last fault all members are equal. Where nobody confirms what was passed on,
    /// nobody knows who lacks it: some rounds with one who is drawn by lot make up for it.
    pub(crate) fn rest(self) -> Duration {
        match self {
            Self::Mesh => Duration::from_secs(10),
            Self::Star | Self::Rings => Duration::from_secs(600),
        }
    }
}

impl Plan {
    /// The plan for a fleet of so many nodes. Of three seeds one is calm, one parts members, and one
    /// is rough.
    pub fn new(seed: u64, nodes: usize) -> Self {
        let weather = match seed % 3 {
            0 => Weather::Rough,
            1 => Weather::Parted,
            _ => Weather::Calm,
        };
        Self::of_weather(seed, nodes, weather)
    }

    /// All of so many nodes ask all of so many questions at one instant; so many of them die while
    /// they are at it.
    pub fn rush(seed: u64, nodes: usize, questions: u32, deaths: usize) -> Self {
        let plan = Self::of_weather(seed, nodes, Weather::Parted);
        let ask = |node| {
            (0..questions).map(move |question| Event::Ask {
                node,
                question,
                wish: Wish::AsStored,
            })
        };
        let asked = (0..nodes).flat_map(ask).map(|event| (BEGIN, event));
        let die = |nth: usize| {
            let at = BEGIN + Duration::from_millis(200 * (1 + nth as u64));
            (at, Event::Fault(Fault::Crash(nth * nodes / deaths.max(1))))
        };
        Self {
            weather: match deaths {
                0 => Weather::Calm,
                _ => Weather::Parted,
            },
            topology: Topology::Mesh,
            questions,
            events: asked.chain((0..deaths).map(die)).collect(),
            troubles: (0..deaths).map(|nth| die(nth).0..BEGIN + TROUBLE).collect(),
            peace: BEGIN + Duration::from_secs(15),
            ..plan
        }
    }

    /// The same, with something broken on purpose.
    #[must_use]
    pub fn with_flaw(self, flaw: Flaw) -> Self {
        let flaw = Some(flaw);
        Self { flaw, ..self }
    }

    /// What goes wrong in it, and when.
    pub fn faults(&self) -> impl Iterator<Item = (Duration, &Fault)> {
        self.events.iter().filter_map(|(at, event)| match event {
            Event::Fault(fault) => Some((*at, fault)),
            _ => None,
        })
    }
}
