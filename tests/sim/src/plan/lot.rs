//! What is drawn by lot: who asks what, and what goes wrong.

use std::ops::Range;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::{BEGIN, Event, Machine, Plan, TROUBLE, Topology, Weather, Wish};
use crate::fault::Fault;
use crate::question::QUESTIONS;

/// When what happens.
type Events = Vec<(Duration, Event)>;

impl Plan {
    /// The plan for a fleet of so many nodes in this weather.
    pub fn of_weather(seed: u64, nodes: usize, weather: Weather) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let topology = topology(&mut rng, weather);
        let mut events = Vec::new();
        for _ in 0..300 + 10 * nodes {
            let event = lookup(&mut rng, nodes, weather);
            events.push((moment(&mut rng), event));
        }
        if weather == Weather::Rough {
            changes(&mut rng, nodes, &mut events);
        }
        let mut troubles = Vec::new();
        if weather != Weather::Calm {
            for _ in 0..rng.random_range(2..10) {
                troubles.push(trouble(&mut rng, nodes, weather, &mut events));
            }
        }
        // Of one moment, in the order in which they were drawn.
        events.sort_by_key(|(at, _)| *at);
        Self {
            seed,
            weather,
            topology,
            questions: QUESTIONS,
            machines: (0..nodes).map(|n| machine(&mut rng, n, weather)).collect(),
            events,
            troubles: troubles.into(),
            peace: BEGIN + TROUBLE,
            flaw: None,
        }
    }
}

fn moment(rng: &mut StdRng) -> Duration {
    // Whole ones, which is what the runtime's time goes in.
    BEGIN + Duration::from_millis(rng.random_range(0..TROUBLE.as_millis() as u64))
}

fn topology(rng: &mut StdRng, weather: Weather) -> Topology {
    match (weather, rng.random_range(0..10)) {
        // Without its middle, everybody calls for himself.
        (Weather::Parted, _) => Topology::Mesh,
        (_, 0) => Topology::Star,
        (Weather::Rough, 1) => Topology::Rings,
        _ => Topology::Mesh,
    }
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
    let has_disk = weather != Weather::Calm && rng.random_bool(0.4);
    let writes_after = match rng.random_range(0..4) {
        0 if is_rough => rng.random_range(1..20),
        _ => 1,
    };
    Machine {
        ahead,
        disk: has_disk.then(|| Duration::from_secs(writes_after)),
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

/// Answers change behind everybody's back, and by way of nodes, now and then many at once.
fn changes(rng: &mut StdRng, nodes: usize, to: &mut Events) {
    for _ in 0..rng.random_range(5..40) {
        let change = Event::Change(rng.random_range(0..QUESTIONS));
        to.push((moment(rng), change));
    }
    let write = |rng: &mut StdRng, node| Event::Write {
        node,
        question: rng.random_range(0..QUESTIONS),
        repository: rng.random_bool(0.3),
    };
    for _ in 0..rng.random_range(0..20) {
        let node = rng.random_range(0..nodes);
        let write = write(rng, node);
        to.push((moment(rng), write));
    }
    if rng.random_bool(0.2) {
        let (begin, node) = (moment(rng), rng.random_range(0..nodes));
        for _ in 0..rng.random_range(10..200) {
            let at = begin + Duration::from_millis(rng.random_range(0..100));
            to.push((at, write(rng, node)));
        }
    }
}

/// Something goes wrong, and ends to; tells from when to when.
fn trouble(rng: &mut StdRng, nodes: usize, weather: Weather, to: &mut Events) -> Range<Duration> {
    let (one, other) = (moment(rng), moment(rng));
    let (begin, end) = (one.min(other), one.max(other));
    let (node, another) = (rng.random_range(0..nodes), rng.random_range(0..nodes));
    let kinds = match weather {
        Weather::Rough => 13,
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
        1 => (Fault::Sever(node, another), Fault::Heal),
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
        10 => (Fault::Mute(node, another), Fault::Heal),
        11 => {
            let on = rng.random_range(20_000..2_000_000);
            let by = if rng.random_bool(0.5) { on } else { -on };
            (Fault::Step(node, by), Fault::Step(node, -by))
        }
        _ => (Fault::UpstreamDown, Fault::UpstreamUp),
    };
    to.push((begin, Event::Fault(fault)));
    to.push((end, Event::Fault(cure)));
    begin..end
}
