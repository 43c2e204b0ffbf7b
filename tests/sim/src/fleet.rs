//! The nodes of a fleet, and how they come and go.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cache_core::testing::{MemoryDisk, MemoryNetwork, SteppedClock, VirtualClock};
use cache_core::{Cache, Clock, PeerId};
use tokio::task::{self, JoinSet};
use tokio::time::Instant;

use crate::fault::Fault;
use crate::plan::Machine;
use crate::promises::CLOCKS;
use crate::upstream::Upstream;

pub(crate) struct Fleet {
    pub(crate) network: MemoryNetwork,
    pub(crate) nodes: Vec<Node>,
    clock: VirtualClock,
}

/// A place in the fleet, whether or not there is a process in it.
pub(crate) struct Node {
    pub(crate) machine: Machine,
    pub(crate) process: Option<Process>,
    clock: SteppedClock,
    disk: Option<MemoryDisk>,
}

/// A node's process, from its start to its end.
pub(crate) struct Process {
    pub(crate) cache: Arc<Cache>,
    /// Its callers, who end with it.
    pub(crate) callers: JoinSet<()>,
    /// When it invalidated what.
    pub(crate) writes: Writes,
}

/// What a process has invalidated, and when.
pub(crate) type Writes = Arc<Mutex<Vec<(Instant, Written)>>>;

/// What a node has invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Question(u32),
    Repository(u32),
}

impl Fleet {
    pub(crate) fn new(network: MemoryNetwork, clock: VirtualClock, machines: &[Machine]) -> Self {
        let nodes = machines.iter().map(|machine| Node {
            machine: *machine,
            process: None,
            clock: SteppedClock::new(clock, machine.ahead),
            disk: machine.new_disk(),
        });
        let mut fleet = Self {
            network,
            clock,
            nodes: nodes.collect(),
        };
        for number in 0..fleet.nodes.len() {
            fleet.start(number);
        }
        fleet
    }

    /// Lets something happen to network or nodes.
    pub(crate) async fn suffer(&mut self, fault: &Fault, upstream: &Upstream) {
        let network = &self.network;
        match fault {
            Fault::Partition(side) => network.partition(side.iter().map(|n| name(*n))),
            Fault::Sever(a, b) => network.sever(name(*a), name(*b)),
            Fault::Mute(from, to) => network.mute(name(*from), name(*to)),
            Fault::Heal => network.heal(),
            Fault::Loss(share) => network.set_loss(*share),
            Fault::Duplication(share) => network.set_duplication(*share),
            Fault::Stragglers(share, by) => network.set_stragglers(*share, *by),
            Fault::Slow(node, by) => network.slow_down(name(*node), *by),
            Fault::Freeze(node) => network.freeze(name(*node)),
            Fault::Thaw(node) => network.thaw(name(*node)),
            Fault::Crash(node) => self.crash(*node).await,
            Fault::Stop(node) => self.stop(*node).await,
            Fault::Start(node) => self.start(*node),
            Fault::Wipe(node) => self.wipe(*node),
            Fault::Step(node, by) => self.nodes[*node].clock.step(*by),
            Fault::UpstreamDown => upstream.set_down(true),
            Fault::UpstreamUp => upstream.set_down(false),
        }
    }

    /// Ends all that is wrong.
    pub(crate) fn calm_down(&mut self, upstream: &Upstream) {
        let network = &self.network;
        network.heal();
        network.set_loss(0.0);
        network.set_duplication(0.0);
        network.set_stragglers(0.0, Duration::ZERO);
        upstream.set_down(false);
        for number in 0..self.nodes.len() {
            self.network.slow_down(name(number), Duration::ZERO);
            self.network.thaw(name(number));
            self.start(number);
        }
    }

    /// Cuts a node off from each of the others.
    pub(crate) fn lose(&self, number: usize) {
        for other in (0..self.nodes.len()).filter(|other| *other != number) {
            self.network.sever(name(number), name(other));
        }
    }

    /// Whether a node's clock is about right, or was set right by upstream.
    pub(crate) fn is_on_time(&self, number: usize) -> bool {
        let right = self.clock.now();
        let theirs = self.cache(number).map_or(right, Cache::now);
        right.since(theirs).max(theirs.since(right)) < CLOCKS
    }

    pub(crate) fn cache(&self, number: usize) -> Option<&Cache> {
        let process = self.nodes[number].process.as_ref()?;
        Some(&process.cache)
    }

    /// A node has invalidated something at this moment.
    pub(crate) fn note_write(&self, number: usize, written: Written) {
        if let Some(process) = &self.nodes[number].process {
            let writes = process.writes.lock();
            let mut writes = writes.unwrap_or_else(PoisonError::into_inner);
            writes.push((Instant::now(), written));
        }
    }

    /// What the processes that are alive have invalidated.
    pub(crate) fn writes(&self) -> Vec<(Instant, Written)> {
        let processes = self.nodes.iter().filter_map(|node| node.process.as_ref());
        let writes = processes.map(|process| {
            let writes = process.writes.lock();
            writes.unwrap_or_else(PoisonError::into_inner).clone()
        });
        writes.flatten().collect()
    }

    fn start(&mut self, number: usize) {
        let transport = self.nodes[number].process.is_none();
        let transport = transport.then(|| self.network.join(&number.to_string()));
        let Some(transport) = transport else {
            return;
        };
        let node = &mut self.nodes[number];
        let mut builder = Cache::builder()
            .transport(transport)
            .clock(node.clock.clone())
            .max_bytes(node.machine.max_bytes)
            .in_turn();
        if let Some(disk) = &node.disk {
            builder = builder.memory_disk(disk.clone());
        }
        node.process = Some(Process {
            cache: Arc::new(builder.build()),
            callers: JoinSet::new(),
            writes: Arc::default(),
        });
    }

    async fn crash(&mut self, number: usize) {
        let Some(mut process) = self.nodes[number].process.take() else {
            return;
        };
        process.callers.shutdown().await;
        drop(process);
        // Its tasks notice.
        for _ in 0..10 {
            task::yield_now().await;
        }
        if let Some(disk) = &self.nodes[number].disk {
            disk.crash();
        }
    }

    async fn stop(&mut self, number: usize) {
        let Some(mut process) = self.nodes[number].process.take() else {
            return;
        };
        process.callers.shutdown().await;
        process.cache.close().await;
    }

    fn wipe(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        if node.process.is_none() && node.disk.is_some() {
            node.disk = node.machine.new_disk();
        }
    }
}

/// The name that a node has in the network.
pub(crate) fn name(number: usize) -> PeerId {
    // Digits are few.
    PeerId::from_bytes(number.to_string().as_bytes()).unwrap_or(PeerId::LOCAL)
}
