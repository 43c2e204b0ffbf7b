//! What happens when, from a seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::fault::Fault;
use crate::flaw::Flaw;
use crate::question::QUESTIONS;

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
    pub(crate) machines: Vec<Machine>,
    pub(crate) events: Vec<(Duration, Event)>,
    /// When the last fault ends.
    pub(crate) peace: Duration,
    pub(crate) flaw: Option<Flaw>,
}

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// A machine, as it is throughout a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// By how much its clock is ahead, in milliseconds.
    pub(crate) ahead: i64,
    pub(crate) has_disk: bool,
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

impl Machine {
    /// Room for everything that is ever asked.
    const LARGE: u64 = 16 * 1024 * 1024;

    pub(crate) fn is_large(self) -> bool {
        self.max_bytes == Self::LARGE
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

    /// The plan for a fleet of so many nodes in this weather.
    pub fn of_weather(seed: u64, nodes: usize, weather: Weather) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut events = Vec::new();
        for _ in 0..300 + 10 * nodes {
            let event = lookup(&mut rng, nodes, weather);
            events.push((moment(&mut rng), event));
        }
        if weather == Weather::Rough {
            for _ in 0..rng.random_range(5..40) {
                let change = Event::Change(rng.random_range(0..QUESTIONS));
                events.push((moment(&mut rng), change));
            }
            for _ in 0..rng.random_range(0..20) {
                let write = Event::Write {
                    node: rng.random_range(0..nodes),
                    question: rng.random_range(0..QUESTIONS),
                    repository: rng.random_bool(0.3),
                };
                events.push((moment(&mut rng), write));
            }
        }
        if weather != Weather::Calm {
            for _ in 0..rng.random_range(2..10) {
                trouble(&mut rng, nodes, weather, &mut events);
            }
        }
        // Of one moment, in the order in which they were drawn.
        events.sort_by_key(|(at, _)| *at);
        Self {
            seed,
            weather,
            machines: (0..nodes).map(|n| machine(&mut rng, n, weather)).collect(),
            events,
            peace: BEGIN + TROUBLE,
            flaw: None,
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

fn moment(rng: &mut StdRng) -> Duration {
    // Whole ones, which is what the runtime's time goes in.
    BEGIN + Duration::from_millis(rng.random_range(0..TROUBLE.as_millis() as u64))
}

fn machine(rng: &mut StdRng, number: usize, weather: Weather) -> Machine {
    let is_rough = weather == Weather::Rough;
    let second = 1000;
    let ahead = match rng.random_range(0..10) {
        // An hour and more is set right by upstream's first answer; what is less than a second
        // never is.
        0 | 1 if is_rough => rng.random_range(-3600..=3600) * second,
        _ => rng.random_range(-second..=second),
    };
    let max_bytes = match rng.random_range(0..5) {
        // The first one remembers everything, so that there is something to compare with.
        0 if is_rough && number > 0 => rng.random_range(30_000..200_000),
        _ => Machine::LARGE,
    };
    Machine {
        ahead,
        has_disk: weather != Weather::Calm && rng.random_bool(0.4),
        max_bytes,
    }
}

fn lookup(rng: &mut StdRng, nodes: usize, weather: Weather) -> Event {
    let question = rng.random_range(0..QUESTIONS);
    let rough = match rng.random_range(0..10) {
        0 => Wish::AtMost(rng.random_range(0..30)),
        1 => Wish::Tolerant(rng.random_range(0..60)),
        _ => Wish::AsStored,
    };
    let is_rough = weather == Weather::Rough;
    Event::Ask {
        node: rng.random_range(0..nodes),
        // Where calls are counted, an answer lives for a day.
        question: if is_rough {
            question
        } else {
            question / 5 * 5 + 4
        }
        .min(44),
        wish: if is_rough { rough } else { Wish::AsStored },
    }
}

/// Something goes wrong, and ends to.
fn trouble(rng: &mut StdRng, nodes: usize, weather: Weather, to: &mut Vec<(Duration, Event)>) {
    let (one, other) = (moment(rng), moment(rng));
    let (begin, end) = (one.min(other), one.max(other));
    let node = rng.random_range(0..nodes);
    let kinds = match weather {
        Weather::Rough => 11,
        _ => 5,
    };
    let share = rng.random_range(0.01..0.2);
    let by = Duration::from_millis(rng.random_range(1..2000));
    let (fault, cure) = match rng.random_range(0..kinds) {
        0 => {
            let mut side: Vec<_> = (0..nodes).collect();
            side.shuffle(rng);
            side.truncate(rng.random_range(1..=nodes.div_ceil(2)));
            (Fault::Partition(side), Fault::Heal)
        }
        1 => (Fault::Sever(node, rng.random_range(0..nodes)), Fault::Heal),
        2 => (Fault::Crash(node), Fault::Start(node)),
        3 => (Fault::Stop(node), Fault::Start(node)),
        4 => {
            to.push((begin, Event::Fault(Fault::Crash(node))));
            (Fault::Wipe(node), Fault::Start(node))
        }
        5 => (Fault::Loss(share), Fault::Loss(0.0)),
        6 => (Fault::Duplication(share), Fault::Duplication(0.0)),
        7 => (Fault::Stragglers(share, by), Fault::Stragglers(0.0, by)),
        8 => (Fault::Slow(node, by / 5), Fault::Slow(node, Duration::ZERO)),
        9 => (Fault::Freeze(node), Fault::Thaw(node)),
        _ => (Fault::UpstreamDown, Fault::UpstreamUp),
    };
    to.push((begin, Event::Fault(fault)));
    to.push((end, Event::Fault(cure)));
}
