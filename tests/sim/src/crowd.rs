//! One put in a fleet that is too large for each to know all.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use cache_core::testing::{MemoryNetwork, VirtualClock};
use cache_core::{Cache, Key, Lifetime};
use tokio::runtime::Builder;
use tokio::time;

/// Links take from 10 to 50 ms, and each node has three neighbours on either side.
const LATENCY: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(50)];
const RINGS: usize = 3;

/// The length of what is put. Beside it, what nodes send of their own in a second is next to nothing.
const LENGTH: usize = 256 * 1024;

/// How one put has spread.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// Nodes that do not have it after a second.
    pub missing: usize,
    /// What one node has sent in that second, in lengths of what was put, at most.
    pub most_copies: f64,
    /// The same on average.
    pub copies: f64,
}

/// Puts something in a fleet of so many nodes, and waits for a second.
///
/// # Errors
///
/// If the operating system gives no runtime.
pub fn spread(seed: u64, nodes: usize) -> io::Result<Spread> {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build()?;
    Ok(runtime.block_on(put_one(seed, nodes)))
}

async fn put_one(seed: u64, nodes: usize) -> Spread {
    let [least, most] = LATENCY;
    let network = MemoryNetwork::new(seed).with_latency(least..=most);
    let network = network.with_rings(RINGS);
    let clock = VirtualClock::default();
    let node = |number: usize| {
        let builder = Cache::builder().clock(clock).in_turn();
        builder.transport(network.join(&number.to_string())).build()
    };
    let fleet: Vec<_> = (0..nodes).map(node).collect();
    // They have told each other how they stand, and will not again for a while.
    time::sleep(Duration::from_secs(10)).await;
    let sent = || fleet.iter().map(|node| network.sent_by(node.local_peer()));
    let before: Vec<_> = sent().collect();
    let key = Key::public(["put"]);
    let lifetime = Lifetime::fresh_for(Duration::from_secs(3600));
    if let Some(first) = fleet.first() {
        first.put(key, Bytes::from(vec![7; LENGTH]), lifetime);
    }
    time::sleep(Duration::from_secs(1)).await;
    let sent = sent().zip(before).map(|(now, before)| now - before);
    let copies: Vec<_> = sent.map(|sent| sent.bytes as f64 / LENGTH as f64).collect();
    let mut missing = 0;
    for node in &fleet {
        missing += usize::from(node.get(&key).await.is_none());
    }
    Spread {
        missing,
        most_copies: copies.iter().copied().fold(0.0, f64::max),
        copies: copies.iter().sum::<f64>() / nodes as f64,
    }
}
