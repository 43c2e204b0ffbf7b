//! What must hold once there is peace.

use std::collections::{BTreeMap, BTreeSet};

use cache_core::testing::MemoryTransport;
use cache_core::wire::{Message, Question as CatchUp, Reply};
use cache_core::{Key, MeshTime, PeerId, Transport};
use tokio::time::Instant;

use crate::fleet::name;
use crate::panics;
use crate::plan::{Plan, Weather};
use crate::promises::CLOCKS;
use crate::question::Question;
use crate::run::World;

/// What members know of, by key.
type Known = BTreeMap<Key, MeshTime>;

pub(crate) async fn check(plan: &Plan, world: &mut World) {
    let observer = world.fleet.network.join("observer");
    let large: Vec<_> = (0..plan.machines.len())
        .filter(|number| plan.machines[*number].is_large())
        .filter(|number| world.fleet.is_on_time(*number))
        .collect();
    let mut first: Option<(usize, Known)> = None;
    for number in large {
        let Some(known) = known_to(&observer, name(number)).await else {
            world
                .notes
                .broken(format!("node {number} does not tell what it knows"));
            continue;
        };
        match &first {
            None => first = Some((number, known)),
            Some((other, theirs)) => differences(world, (*other, theirs), (number, &known)),
        }
    }
    for number in 0..plan.machines.len() {
        stale_writes(world, number).await;
    }
    unanswered(world);
    calls(plan, world);
    let panics = panics::count();
    if panics > 0 {
        world.notes.broken(format!("{panics} panics"));
    }
}

/// What a member would tell another one that catches up.
async fn known_to(observer: &MemoryTransport, node: PeerId) -> Option<Known> {
    let question = CatchUp::List {
        buckets: (0..=u8::MAX).collect(),
        but: Vec::new(),
    };
    let frame = Message::Ask(question).encode().ok()?;
    let reply = observer.request(node, frame).await.ok()?;
    match Message::decode(&reply).ok()? {
        Message::Reply(Reply::Versions { versions, .. }) => Some(
            versions
                .iter()
                .map(|known| (known.key(), known.stored_at()))
                .collect(),
        ),
        _ => None,
    }
}

/// All members that have room know the same, but for what is about to die.
fn differences(world: &World, (one, ours): (usize, &Known), (other, theirs): (usize, &Known)) {
    let clock = world.fleet.cache(one).map(cache_core::Cache::now);
    let Some(now) = clock else { return };
    for question in Question::all() {
        let key = question.key();
        let (ours, theirs) = (ours.get(&key), theirs.get(&key));
        if ours == theirs {
            continue;
        }
        let last = ours.max(theirs).copied().unwrap_or_default();
        let dies_at = last.saturating_add(question.lifetime().total());
        let is_about_to_die = dies_at.since(now) < NEARLY_DEAD;
        if !is_about_to_die {
            world.notes.broken(format!(
                "at rest node {one} knows {ours:?} of {question:?}, node {other} {theirs:?}"
            ));
        }
    }
}

/// What dies sooner is not caught up on.
const NEARLY_DEAD: std::time::Duration = std::time::Duration::from_secs(130);

/// Nobody holds what was replaced before it was invalidated, wherever that was. The word of a process
/// that has ended may have ended with it.
async fn stale_writes(world: &World, number: usize) {
    let Some(cache) = world.fleet.cache(number) else {
        return;
    };
    let writes = world.fleet.writes();
    for question in Question::all() {
        let writes = writes.iter();
        let writes = writes.filter(|(_, written)| question.is_part_of(*written));
        let Some(last) = writes.map(|(at, _)| *at).max() else {
            continue;
        };
        let Some(entry) = cache.get(&question.key()).await else {
            continue;
        };
        let version = question.version_in(entry.value());
        let replaced_at: Option<Option<Instant>> =
            version.and_then(|version| world.upstream.replaced_at(question, version));
        let is_void = replaced_at
            .flatten()
            .is_some_and(|replaced_at| last.saturating_duration_since(replaced_at) > CLOCKS);
        if is_void {
            let what = "holds what was invalidated long after it had been replaced";
            world
                .notes
                .broken(format!("at rest node {number} {what}: {question:?}"));
        }
    }
}

/// Everybody who has asked a process that lives was answered.
fn unanswered(world: &mut World) {
    for (number, node) in world.fleet.nodes.iter_mut().enumerate() {
        let Some(process) = &mut node.process else {
            continue;
        };
        while let Some(joined) = process.callers.try_join_next() {
            if let Err(error) = joined {
                let what = format!("a caller of node {number} ended without an answer: {error}");
                world.notes.broken(what);
            }
        }
        let waiting = process.callers.len();
        if waiting > 0 {
            let what = format!("at rest {waiting} callers of node {number} still wait");
            world.notes.broken(what);
        }
    }
}

/// One call for each answer; one more for each parting and death.
fn calls(plan: &Plan, world: &World) {
    let partings = plan.faults().filter(|(_, fault)| fault.costs_a_call());
    let allowed = match plan.weather {
        Weather::Calm => 1,
        Weather::Parted => 1 + partings.count() as u64,
        Weather::Rough => return,
    };
    let asked: BTreeSet<_> = Question::all().collect();
    for question in asked {
        let calls = world.upstream.calls(question);
        if calls > allowed {
            world.notes.broken(format!(
                "{calls} calls for {question:?}, where {allowed} were allowed"
            ));
        }
    }
}
