//! Carrying out a plan.

use std::future;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use cache_core::testing::{MemoryNetwork, VirtualClock};
use cache_core::{BoxError, Cache, Clock, Entry, Fetched, Key, MeshTime};
use tokio::runtime::Builder;
use tokio::time::{self, Instant};

use crate::flaw::Flaw;
use crate::fleet::{Fleet, Written};
use crate::panics;
use crate::plan::{Event, Plan, Topology, Weather, Wish};
use crate::promises::Asked;
use crate::question::Question;
use crate::report::{Notes, Report};
use crate::rest;
use crate::upstream::Upstream;

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
    // One that is not connected is asked for the first time with the least patience: 45 ms.
    let most = match plan.topology {
        Topology::Rings => 15,
        Topology::Mesh | Topology::Star => 25,
    };
    let latency = Duration::from_millis(1)..=Duration::from_millis(most);
    let network = MemoryNetwork::new(plan.seed).with_latency(latency);
    let network = match plan.topology {
        Topology::Mesh => network,
        Topology::Star => network.with_hub("0").with_gossip(),
        Topology::Rings => network.with_rings(2),
    };
    let clock = VirtualClock::default();
    let refusals = if plan.weather == Weather::Rough {
        0.02
    } else {
        0.0
    };
    let mut world = World {
        upstream: Upstream::new(plan.seed, plan.questions, refusals),
        notes: Notes::new(start),
        fleet: Fleet::new(network, clock, &plan.machines),
        start,
        epoch: clock.now(),
        troubles: Arc::clone(&plan.troubles),
        flaw: plan.flaw,
        lookups: 0,
        begun: Arc::default(),
    };
    if world.flaw == Some(Flaw::LosesOne) {
        world.fleet.lose(1);
    }
    for (at, event) in &plan.events {
        time::sleep_until(start + *at).await;
        world.happen(event).await;
    }
    time::sleep_until(start + plan.peace).await;
    world.fleet.calm_down(&world.upstream);
    if world.flaw == Some(Flaw::LosesOne) {
        world.fleet.lose(1);
    }
    time::sleep(plan.topology.rest()).await;
    rest::check(plan, &mut world).await;
    let calls = world.upstream.all_calls();
    let traffic = world.fleet.network.traffic();
    world.notes.report(plan, calls, traffic)
}

/// A fleet, its upstream, and what is noted about them.
pub(crate) struct World {
    pub(crate) upstream: Upstream,
    pub(crate) notes: Notes,
    pub(crate) fleet: Fleet,
    start: Instant,
    /// What right clocks showed at the start.
    epoch: MeshTime,
    troubles: Arc<[Range<Duration>]>,
    flaw: Option<Flaw>,
    lookups: u64,
    /// Fetches that have begun.
    begun: Arc<AtomicU64>,
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

    /// How long after the start that moment is.
    pub(crate) fn since_start(&self, moment: Instant) -> Duration {
        moment - self.start
    }

    /// The moment so long after the start.
    pub(crate) fn moment(&self, since_start: Duration) -> Instant {
        self.start + since_start
    }

    /// What right clocks show at that moment.
    pub(crate) fn mesh_time(&self, moment: Instant) -> MeshTime {
        self.epoch.saturating_add(moment - self.start)
    }

    fn ask(&mut self, node: usize, question: Question, wish: Wish) {
        let Some(process) = &mut self.fleet.nodes[node].process else {
            return;
        };
        let flaw = self.flaw.filter(|flaw| flaw.befalls(self.lookups));
        self.lookups += 1;
        let cache = Arc::clone(&process.cache);
        let mut asked = Asked {
            node,
            question,
            wish,
            at: Instant::now(),
            writes: Arc::clone(&process.writes),
            troubles: Arc::clone(&self.troubles),
            start: (self.start, self.epoch),
            is_private: Arc::default(),
            clock_is_off_by: Duration::ZERO,
        };
        asked.compare_clocks(cache.now());
        if flaw == Some(Flaw::Chatters) {
            let chatter = vec![0; 1000].into();
            cache.put(Key::public(["chatter"]), chatter, question.lifetime());
        }
        let fetch = Fetch {
            cache: Arc::downgrade(&cache),
            upstream: self.upstream.clone(),
            question,
            flaw: self.flaw,
            epoch: self.epoch,
            begun: Arc::clone(&self.begun),
            is_private: Arc::clone(&asked.is_private),
        };
        let (upstream, notes) = (self.upstream.clone(), self.notes.clone());
        process.callers.spawn(async move {
            if flaw == Some(Flaw::AsksAlone) {
                // Whoever notices is the one who counts.
                let _ = upstream.ask(question, None, fetch.epoch).await;
            }
            let fetch = |stale| fetch.run(stale);
            let asked_for = match flaw {
                Some(Flaw::MixesUp) => question.another(),
                _ => question,
            };
            let answer = cache.get_or_fetch(asked_for.resource(), wish.freshness(), fetch);
            let answer = answer.await;
            if flaw == Some(Flaw::LeavesWaiting) {
                future::pending::<()>().await;
            }
            asked.compare_clocks(cache.now());
            asked.check(&answer, &upstream, &notes);
        });
    }

    /// A write that upstream has answered.
    fn write(&mut self, node: usize, question: Question, repository: bool) {
        let Some(cache) = self.fleet.cache(node) else {
            return;
        };
        cache.observe_upstream_time(self.upstream.date(self.epoch));
        let written = if repository {
            Written::Repository(question.repository())
        } else {
            Written::Question(question.0)
        };
        let questions = self.upstream.questions();
        for question in questions.filter(|question| question.is_part_of(written)) {
            self.upstream.change(question);
        }
        if self.flaw == Some(Flaw::ForgetsWrites) {
            // As if it had been made by way of somebody else.
        } else if repository {
            cache.invalidate_path(question.repository_path());
        } else {
            cache.invalidate(question.key());
        }
        // By a clock that is wrong, and known to be, it covers what that clock says.
        if self.fleet.is_on_time(node) {
            self.fleet.note_write(node, written);
        }
    }
}

/// What a cache is to do where it has no answer.
struct Fetch {
    /// It does not keep alive what has crashed.
    cache: Weak<Cache>,
    upstream: Upstream,
    question: Question,
    flaw: Option<Flaw>,
    epoch: MeshTime,
    /// How many have begun.
    begun: Arc<AtomicU64>,
    /// Told where the answer is the asker's alone.
    is_private: Arc<AtomicBool>,
}

impl Fetch {
    async fn run(self, stale: Option<Entry>) -> Result<Fetched, BoxError> {
        let begun = self.begun.fetch_add(1, Ordering::Relaxed);
        let flaw = self.flaw.filter(|flaw| flaw.befalls(begun));
        match flaw {
            Some(Flaw::Panics) => panic!("broken on purpose"),
            Some(Flaw::InventsErrors) => return Err("nobody said so".into()),
            _ => {}
        }
        let fetched = self.upstream.ask(self.question, stale, self.epoch).await?;
        if let Some(cache) = self.cache.upgrade() {
            cache.observe_upstream_time(self.upstream.date(self.epoch));
        }
        let is_private = fetched == Fetched::Private;
        self.is_private.store(is_private, Ordering::Relaxed);
        Ok(match self.flaw {
            Some(Flaw::Hoards) => Flaw::hoard(fetched),
            _ => fetched,
        })
    }
}
