//! What this side of the cache adds to what members tell each other: calls that were counted, and
//! the limits and refusals that GitHub has told of.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use cache_core::{Cache, MeshTime, Notes, Topic};

use crate::base_url::BaseUrl;
use crate::limits::Limits;
use crate::stats::Counters;
use crate::views::Views;

/// The forms in which notes are written. Members with another one pass over them.
const VIEWS_FORMAT: &str = "views 1";
const LIMITS_FORMAT: &str = "limits 1";

/// What a client has to tell the members of its cache, until it is dropped.
#[derive(Clone)]
pub(crate) struct Told {
    _views: Arc<Views>,
    _limits: Arc<LimitsAndCounters>,
}

struct LimitsAndCounters {
    limits: Limits,
    counters: Arc<Counters>,
}

impl Told {
    /// Tells the members of `cache`.
    pub(crate) fn share(
        cache: &Cache,
        base: &BaseUrl,
        views: Views,
        limits: Limits,
        counters: Arc<Counters>,
    ) -> Self {
        // What holds for a token at one API says nothing of another.
        let topic = |format| Topic::of(["github", format, &base.origin(), base.path()]);
        let views = Arc::new(views);
        let notes: Weak<Views> = Arc::downgrade(&views);
        // Those that are shared first have room first, and leave most of it.
        cache.share(topic(VIEWS_FORMAT), notes);
        let limits = Arc::new(LimitsAndCounters { limits, counters });
        let notes: Weak<LimitsAndCounters> = Arc::downgrade(&limits);
        cache.share(topic(LIMITS_FORMAT), notes);
        Self {
            _views: views,
            _limits: limits,
        }
    }
}

impl Notes for LimitsAndCounters {
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
