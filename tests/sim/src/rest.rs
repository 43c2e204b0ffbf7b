//! What must hold once there is peace.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cache_core::testing::MemoryNetwork;
use cache_core::wire::{Known, Message, Question as CatchUp, Reply};
use cache_core::{Key, MeshTime, PeerId, Tombstone};
use tokio::time::{self, Instant};

use crate::fault::Fault;
use crate::fleet::name;
use crate::panics;
use crate::plan::{Event, Plan, Topology, Weather, Wish};
use crate::promises::CLOCKS;
use crate::question::Question;
use crate::run::World;
use crate::upstream::ANSWERS_WITHIN;

/// What a member would tell others that catch up.
struct Knowledge {
    node: usize,
    versions: BTreeMap<Key, Known>,
    tombstones: BTreeSet<Tombstone>,
}

/// Whose answers are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origins {
    /// Those that let go of nothing.
    Large,
    All,
}

pub(crate) async fn check(plan: &Plan, world: &mut World) {
    equality(plan, world, Origins::Large).await;
    // What its origin has let go of is sought with all once in half a minute.
    time::sleep(Duration::from_secs(50)).await;
    equality(plan, world, Origins::All).await;
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

/// All members that have room, and a clock that is about right, know the same.
async fn equality(plan: &Plan, world: &World, origins: Origins) {
    let network = &world.fleet.network;
    let large = (0..plan.machines.len())
        .filter(|number| plan.machines[*number].is_large())
        .filter(|number| world.fleet.is_on_time(*number));
    let mut first: Option<Knowledge> = None;
    for node in large {
        let Some(theirs) = known_to(network, node).await else {
            let what = format!("node {node} does not tell what it knows");
            world.notes.broken(what);
            continue;
        };
        match &first {
            None => first = Some(theirs),
            Some(ours) => differences(plan, world, origins, ours, &theirs).await,
        }
    }
}

async fn known_to(network: &MemoryNetwork, node: usize) -> Option<Knowledge> {
    let every_bucket = CatchUp::List {
        buckets: (0..=u8::MAX).collect(),
        but: Vec::new(),
    };
    let Reply::Versions { versions, .. } = answer(network, name(node), every_bucket).await? else {
        return None;
    };
    let mut tombstones = BTreeSet::new();
    let mut buckets: Vec<u8> = (0..=u8::MAX).collect();
    while !buckets.is_empty() {
        let question = CatchUp::Tombstones {
            buckets: buckets.clone(),
            but: Vec::new(),
        };
        let Reply::Tombstones {
            buckets: covered,
            tombstones: more,
        } = answer(network, name(node), question).await?
        else {
            return None;
        };
        buckets.drain(..usize::from(covered));
        tombstones.extend(more);
    }
    Some(Knowledge {
        node,
        versions: versions
            .into_iter()
            .map(|known| (known.key(), known))
            .collect(),
        tombstones,
    })
}

async fn answer(network: &MemoryNetwork, of: PeerId, to: CatchUp) -> Option<Reply> {
    let frame = Message::Ask(to).encode().ok()?;
    let reply = network.ask(of, frame).await?;
    match Message::decode(&reply).ok()? {
        Message::Reply(reply) => Some(reply),
        _ => None,
    }
}

/// What dies within a minute, and the quarter in which that ends, is not told; clocks that differ do
/// not agree about when that is.
const NEARLY_DEAD: Duration = Duration::from_secs(60 + 15 + CLOCKS.as_secs());

/// With more peers than that what is long is only announced, and got by who needs it.
const PUSHED_TO: usize = 16;

async fn differences(
    plan: &Plan,
    world: &World,
    origins: Origins,
    ours: &Knowledge,
    theirs: &Knowledge,
) {
    let clock = world.fleet.cache(ours.node).map(cache_core::Cache::now);
    let Some(now) = clock else { return };
    let nodes = (ours.node, theirs.node);
    let is_about_to_die = |dies_at: MeshTime| dies_at.since(now) < NEARLY_DEAD;
    for question in world.upstream.questions() {
        let key = question.key();
        let (ours, theirs) = (ours.versions.get(&key), theirs.versions.get(&key));
        let stamps = [ours, theirs].map(|known| known.map(Known::stored_at));
        let last = stamps.into_iter().flatten().max().unwrap_or_default();
        let versions = [ours, theirs].map(|known| known.map(|it| (it.stored_at(), it.digest())));
        let is_announced = question.is_long()
            && plan.machines.len() > 1 + PUSHED_TO
            && plan.topology == Topology::Mesh;
        let knower = match versions[0] > versions[1] {
            true => nodes.0,
            false => nodes.1,
        };
        if versions[0] != versions[1]
            && !is_announced
            && !is_about_to_die(last.saturating_add(question.lifetime().total()))
            && !is_apart(plan, world, origins, knower, question).await
        {
            world.notes.broken(format!(
                "at rest nodes {nodes:?} know these versions of {question:?}: {stamps:?}"
            ));
        }
    }
    for one_sided in ours.tombstones.symmetric_difference(&theirs.tombstones) {
        if !is_about_to_die(one_sided.dies_at()) {
            let who = match ours.tombstones.contains(one_sided) {
                true => ours.node,
                false => theirs.node,
            };
            world.notes.broken(format!(
                "at rest, of nodes {nodes:?}, {who} alone knows of {one_sided:?}"
            ));
        }
    }
}

/// Whether a node may be alone with what it holds: it may have been on disk only, from where it is not
/// offered, being its origin's, which has come back since; or its origin may have let go of it.
async fn is_apart(
    plan: &Plan,
    world: &World,
    origins: Origins,
    node: usize,
    question: Question,
) -> bool {
    let Some(cache) = world.fleet.cache(node) else {
        return false;
    };
    let Some(entry) = cache.peek(&question.key()).await else {
        return false;
    };
    let origin = |node: &usize| name(*node) == entry.origin();
    let Some(origin) = (0..plan.machines.len()).find(origin) else {
        return false;
    };
    let machine = plan.machines[origin];
    let has_come_back = plan.faults().any(|(at, fault)| {
        *fault == Fault::Start(origin) && world.mesh_time(world.moment(at)) > entry.stored_at()
    });
    (machine.disk.is_some() && has_come_back) || (origins == Origins::Large && !machine.is_large())
}

/// Nobody whose clock is right holds what was written over and invalidated, wherever that was: by one
/// that is behind, what was invalidated lies in the future. The word of a process that has ended may
/// have ended with it.
async fn stale_writes(world: &World, number: usize) {
    let cache = world.fleet.cache(number);
    let Some(cache) = cache.filter(|_| world.fleet.is_on_time(number)) else {
        return;
    };
    let writes = world.fleet.writes();
    for question in world.upstream.questions() {
        let writes = writes.iter();
        let writes = writes.filter(|(_, written)| question.is_part_of(*written));
        let Some(last) = writes.map(|(at, _)| *at).max() else {
            continue;
        };
        let Some(entry) = cache.get(&question.key()).await else {
            continue;
        };
        let is_older = question
            .version_in(entry.value())
            .is_some_and(|version| version < world.upstream.version_at(question, last));
        // What somebody was fetching at that moment may, by another clock, pass for later.
        let before = world.mesh_time(last).since(entry.stored_at());
        if is_older && before > CLOCKS {
            world.notes.broken(format!(
                "at rest node {number} holds what was invalidated, of {question:?}, {before:?} older"
            ));
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

/// One call for each answer and lifetime; one more for each parting and death.
fn calls(plan: &Plan, world: &World) {
    let partings = plan.faults().filter(|(_, fault)| fault.costs_a_call());
    let partings = partings.count() as u64;
    let troubles = plan.troubles.len() as u64;
    let worlds = match plan.topology {
        // Without its middle everybody is alone.
        Topology::Star => plan.machines.len() as u64,
        Topology::Mesh | Topology::Rings => 1 + troubles,
    };
    for question in world.upstream.questions() {
        let needed = needed(plan, question);
        let allowed = match plan.weather {
            Weather::Calm => needed,
            Weather::Parted => needed + partings,
            // Whoever does not hear the others calls, as often as an answer is needed.
            Weather::Rough => {
                let failures = world.upstream.failures(question);
                needed * worlds + failures + others_at(plan, world, question)
            }
        };
        let calls = world.upstream.calls(question);
        if calls > allowed {
            world.notes.broken(format!(
                "{calls} calls for {question:?}, where {allowed} were allowed"
            ));
        }
    }
}

/// How many answers a fleet needs that hears of each: one for each lifetime, for each that is to be
/// fresher or that a small memory may not have kept, and after each that was made void.
fn needed(plan: &Plan, question: Question) -> u64 {
    let lifetimes = plan.peace.as_secs() / question.lifetime().ttl.as_secs();
    let wishes = plan.events.iter().filter(|(_, event)| match event {
        Event::Ask {
            node,
            question: asked,
            wish,
        } => {
            let has_room = plan.machines[*node].is_large();
            *asked == question.0 && (*wish != Wish::AsStored || !has_room)
        }
        Event::Write {
            question: written,
            repository,
            ..
        } => {
            let written = Question(*written);
            written == question || (*repository && written.repository() == question.repository())
        }
        _ => false,
    });
    1 + lifetimes + wishes.count() as u64
}

/// How many may have been waiting for a call that brought what only its asker could have, and call
/// themselves.
fn others_at(plan: &Plan, world: &World, question: Question) -> u64 {
    let since = |apart: Instant| world.since_start(apart).saturating_sub(ANSWERS_WITHIN * 4);
    let apart = world.upstream.apart_at(question).into_iter();
    let waiting = apart.map(|apart| {
        let asks = plan.events.iter().filter(|(at, event)| {
            let is_this =
                matches!(event, Event::Ask { question: asked, .. } if *asked == question.0);
            is_this && (since(apart)..=world.since_start(apart)).contains(at)
        });
        asks.count() as u64
    });
    waiting.sum()
}
