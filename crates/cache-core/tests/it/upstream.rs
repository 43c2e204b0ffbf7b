//! An upstream that counts its calls, and a fleet that makes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cache_core::testing::{MemoryNetwork, VirtualClock};
use cache_core::{Answer, BoxError, Cache, FetchError, Fetched, Freshness, Source};
use tokio::time::sleep;

use crate::node::{DAY, key, node};
use crate::world::{millis, secs};

/// Calls that upstream has answered, or begun to.
#[derive(Clone, Default)]
pub(crate) struct Upstream(Arc<AtomicU64>);

impl Upstream {
    pub(crate) fn calls(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// One that the test makes itself.
    pub(crate) fn call(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Looks up a key; upstream takes half a second and then brings `outcome`.
    pub(crate) async fn look_up(
        &self,
        cache: &Cache,
        n: u32,
        outcome: fn() -> Result<Fetched, BoxError>,
    ) -> Result<Answer, FetchError> {
        let upstream = self.clone();
        let fetch = move |_| async move {
            upstream.call();
            sleep(millis(500)).await;
            outcome()
        };
        cache
            .get_or_fetch(key(n), Freshness::AS_STORED, fetch)
            .await
    }
}

pub(crate) fn fetched() -> Result<Fetched, BoxError> {
    Ok(Fetched::New("answer".into(), DAY))
}

/// Members of one network that have caught up with each other.
pub(crate) async fn fleet(network: &MemoryNetwork, members: usize) -> Vec<Cache> {
    fleet_at(network, VirtualClock::default(), members).await
}

pub(crate) async fn fleet_at(
    network: &MemoryNetwork,
    clock: VirtualClock,
    members: usize,
) -> Vec<Cache> {
    let fleet = (0..members)
        .map(|n| node(network, clock, &format!("member {n}")))
        .collect();
    sleep(secs(5)).await;
    fleet
}

pub(crate) fn source(answer: &Result<Answer, FetchError>) -> Source {
    match answer {
        Ok(Answer::Entry { source, .. } | Answer::Passing { source, .. }) => *source,
        other => panic!("{other:?}"),
    }
}
