//! What this side of the cache adds to what members tell each other: calls that were counted, and
//! the limits that GitHub has told of.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use cache_core::{Cache, MeshTime, Notes, Topic};

use crate::base_url::BaseUrl;
use crate::limits::Limits;
use crate::stats::Counters;

/// The form in which limits are written. Members with another one pass over them.
const FORMAT: &str = "limits 1";

/// What a client has to tell.
pub(crate) struct Told {
    limits: Limits,
    counters: Arc<Counters>,
}

impl Told {
    /// Tells the members of `cache` until it is dropped.
    pub(crate) fn share(
        cache: &Cache,
        base: &BaseUrl,
        limits: Limits,
        counters: Arc<Counters>,
    ) -> Arc<Self> {
        let told = Arc::new(Self { limits, counters });
        // A token's limits at one API say nothing of those at another.
        let topic = Topic::of(["github", FORMAT, &base.origin(), base.path()]);
        let notes: Weak<Self> = Arc::downgrade(&told);
        cache.share(topic, notes);
        told
    }
}

impl Notes for Told {
    fn counters(&self) -> Vec<(&'static str, u64)> {
        let Counters {
            bypassed,
            api_calls,
        } = &*self.counters;
        vec![
            ("bypassed", bypassed.load(Ordering::Relaxed)),
            ("api_calls_made", api_calls.load(Ordering::Relaxed)),
        ]
    }

    fn write(&self, now: MeshTime, room: usize) -> Vec<u8> {
        self.limits.write(now, room)
    }

    fn read(&self, notes: &[u8], now: MeshTime) {
        self.limits.read(notes, now);
    }
}
