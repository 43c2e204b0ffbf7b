//! Carrying out a plan.

use std::future;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use cache_core::testing::{MemoryNetwork, VirtualClock};
use cache_core::{Clock, Freshness, MeshTime};
use tokio::runtime::Builder;
use tokio::time::{self, Instant};

use crate::flaw::Flaw;
use crate::fleet::{Fleet, Written};
use crate::panics;
use crate::plan::{Event, Plan, Weather, Wish};
use crate::promises::Asked;
use crate::question::Question;
use crate::report::{Notes, Report};
use crate::rest;
use crate::upstream::Upstream;

/// By then after the last fault all members are equal.
const REST: Duration = Duration::from_secs(10);

/// Carries out a plan in virtual time, and tells what has come of it.
///
/// # Errors
///
/// If the operating system gives no runtime.
pub fn run(plan: &Plan) -> std::io::Result<Report> {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build()?;
    panics::watch();
    Ok(runtime.block_on(carry_out(plan)))
}

async fn carry_out(plan: &Plan) -> Report {
    let start = Instant::now();
    let latency = Duration::from_millis(1)..=Duration::from_millis(25);
    let network = MemoryNetwork::new(plan.seed).with_latency(latency);
    let clock = VirtualClock::default();
    let refusals = if plan.weather == Weather::Rough {
        0.02
    } else {
        0.0
    };
    let mut world = World {
        upstream: Upstream::new(plan.seed, refusals),
        notes: Notes::new(start),
        fleet: Fleet::new(network, clock, &plan.machines),
        start,
        epoch: clock.now(),
        flaw: plan.flaw,
    };
    for (at, event) in &plan.events {
        time::sleep_until(start + *at).await;
        world.happen(event).await;
    }
    time::sleep_until(start + plan.peace).await;
    world.fleet.calm_down(&world.upstream);
    time::sleep(REST).await;
    rest::check(plan, &mut world).await;
    let calls = Question::all().map(|question| world.upstream.calls(question));
    let traffic = world.fleet.network.traffic();
    world.notes.report(plan, calls.sum(), traffic)
}

/// A fleet, its upstream, and what is noted about them.
pub(crate) struct World {
    pub(crate) upstream: Upstream,
    pub(crate) notes: Notes,
    pub(crate) fleet: Fleet,
    start: Instant,
    /// What right clocks showed at the start.
    epoch: MeshTime,
    /// Until it has befallen somebody.
    flaw: Option<Flaw>,
}

impl World {
    async fn happen(&mut self, event: &Event) {
        match event {
            Event::Ask {
                node,
                question,
                wish,
            } => self.ask(*node, Question(*question), *wish),
            Event::Write {
                node,
                question,
                repository,
            } => self.write(*node, Question(*question), *repository),
            Event::Change(question) => self.upstream.change(Question(*question)),
            Event::Fault(fault) => self.fleet.suffer(fault, &self.upstream).await,
        }
    }

    fn ask(&mut self, node: usize, question: Question, wish: Wish) {
        let Some(process) = &mut self.fleet.nodes[node].process else {
            return;
        };
        let freshness = match wish {
            Wish::AsStored => Freshness::AS_STORED,
            Wish::AtMost(seconds) => Freshness::at_most(Duration::from_secs(seconds)),
            Wish::Tolerant(seconds) => {
                Freshness::AS_STORED.or_stale_while_revalidating(Duration::from_secs(seconds))
            }
        };
        let flaw = self.flaw.take();
        let asked = Asked {
            node,
            question,
            wish,
            at: Instant::now(),
            writes: Arc::clone(&process.writes),
            start: (self.start, self.epoch),
        };
        let (cache, upstream) = (process.cache.clone(), self.upstream.clone());
        let (notes, epoch) = (self.notes.clone(), self.epoch);
        process.callers.spawn(async move {
            // What is told of upstream's clock does not keep the cache alive.
            let fetch = {
                let (cache, upstream) = (cache.clone(), upstream.clone());
                move |stale| async move {
                    assert!(flaw != Some(Flaw::Panics), "broken on purpose");
                    let fetched = upstream.ask(question, stale).await;
                    if fetched.is_ok() {
                        cache.observe_upstream_time(upstream.date(epoch));
                    }
                    fetched
                }
            };
            let answer = cache.get_or_fetch(question.resource(), freshness, fetch);
            let answer = answer.await;
            if flaw == Some(Flaw::LeavesWaiting) {
                future::pending::<()>().await;
            }
            asked.check(&answer, &upstream, &notes);
        });
    }

    /// A write that upstream has answered.
    fn write(&mut self, node: usize, question: Question, repository: bool) {
        let Some(process) = &self.fleet.nodes[node].process else {
            return;
        };
        process
            .cache
            .observe_upstream_time(self.upstream.date(self.epoch));
        let written = if repository {
            Written::Repository(question.repository())
        } else {
            Written::Question(question.0)
        };
        for question in Question::all().filter(|question| question.is_part_of(written)) {
            self.upstream.change(question);
        }
        if repository {
            process.cache.invalidate_path(question.repository_path());
        } else {
            process.cache.invalidate(question.key());
        }
        let mut writes = process
            .writes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        writes.push((Instant::now(), written));
    }
}
