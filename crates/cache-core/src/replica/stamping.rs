//! What versions and invalidations are stamped with, and what becomes of stamps when it turns out
//! that a clock ran ahead.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::Replica;
use crate::entry::Entry;
use crate::key::Resource;
use crate::time::{MAX_SKEW, MeshClock, MeshTime, Observed};

/// A correction of the clock that somebody may want to know of, in milliseconds.
const WORTH_TELLING: u64 = 1000;

/// How far an invalidation that peers are told may lie ahead of our clock. Theirs may be behind
/// ours, and they refuse what lies further ahead than [`MAX_SKEW`].
const FURTHEST_TOLD: MeshTime = MeshTime::from_millis(MAX_SKEW.as_millis() as u64 / 2);

/// What upstream is asked at, as far as the clock can tell by then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) at: MeshTime,
    /// Later than every version and every invalidation known.
    least: MeshTime,
    /// By how many milliseconds the local clock was corrected.
    offset: i64,
    taken: Instant,
}

/// The stamps of one invalidation.
pub(super) struct VoidUntil {
    /// All that is here and counts is covered.
    pub(super) here: MeshTime,
    /// What peers take in at once. Where it is the earlier, they get the other when they catch up.
    pub(super) told: MeshTime,
}

impl Replica {
    pub(crate) fn now(&self) -> MeshTime {
        self.clock.now()
    }

    pub(crate) fn observe_upstream_time(&self, upstream: MeshTime) {
        match self.clock.observe(upstream) {
            Observed::Unchanged => {}
            Observed::Moved { from, to } => {
                if from.abs_diff(to) >= WORTH_TELLING {
                    tracing::info!(
                        "the local clock differs from upstream's: {to} ms are added to it from \
                         now on"
                    );
                    // What was refused, or passed for dead, may not be so by this time.
                    self.due.owe_all();
                }
                if to < from {
                    self.cut_off_future(self.now());
                }
            }
            Observed::Absurd => tracing::debug!(
                "upstream's clock says {upstream}, over a day from the local one: not believed"
            ),
        }
    }

    /// Takes note that the local clock was set, on or back: by it, what was refused or let go of may
    /// be kept, and what it has stamped may lie ahead.
    pub(crate) fn clock_was_set(&self) {
        self.clock.was_set();
        self.cut_off_future(self.now());
        self.due.owe_all();
    }

    /// A stamp for what upstream is about to be asked: the present, or the moment after the newest
    /// version and the latest invalidation known, so that stamps do not run backwards.
    ///
    /// It is taken before upstream is asked. An invalidation that comes in while the answer is on
    /// its way is then later than the answer, and wins.
    pub(crate) fn stamp(&self, resource: &Resource) -> Stamp {
        let Resource { key, .. } = resource;
        let (now, offset) = (self.now(), self.clock.offset());
        let held = self.get(key, now).map(|entry| entry.stored_at());
        let evicted = self.evicted(key, now).map(|version| version.stored_at);
        let unseen = [self.recalled, self.index.forgotten()];
        // From a clock that ran ahead nothing can be learnt.
        let unseen = unseen.into_iter().filter(|stamp| !stamp.is_ahead_of(now));
        let void = self.void_at(resource, now);
        let seen = held.into_iter().chain(evicted).chain(unseen).chain(void);
        let least = seen.max().map_or(MeshTime::default(), MeshTime::next);
        let at = now.max(least);
        self.saw(at);
        Stamp {
            at,
            least,
            offset,
            taken: Instant::now(),
        }
    }

    /// The stamp for what upstream has said, having been asked at `asked`: put back by as much as the
    /// clock was meanwhile. So what a runner whose clock runs ahead is told first, which tells it
    /// that, can be kept like any other answer.
    ///
    /// It is never put on: what is stamped too early loses, at worst, and what is stamped too late
    /// would win against invalidations that it is older than.
    pub(crate) fn put_right(&self, asked: Stamp) -> MeshTime {
        let by = self.clock.offset() - asked.offset;
        if by >= 0 {
            return asked.at;
        }
        // The clock may have been set meanwhile, or the machine have slept: the earlier one is safe.
        let now = self.now();
        let since = i64::try_from(asked.taken.elapsed().as_millis()).unwrap_or(i64::MAX);
        let right = asked.at.shifted_by(by).min(now.shifted_by(-since));
        // What was seen by a clock that ran ahead counts for nothing any more.
        let least = Some(asked.least).filter(|least| !least.is_ahead_of(now));
        let right = right.max(least.unwrap_or_default()).min(asked.at);
        self.saw(right);
        right
    }

    /// The present, for what is asked of `resource` now: later than any invalidation so far, and
    /// earlier than any to come.
    pub(crate) fn asked_at(&self, resource: &Resource) -> MeshTime {
        let now = self.now();
        let void = self.void_at(resource, now);
        now.max(void.map_or(now, MeshTime::next))
    }

    /// Up to when `resource` is void, as far as that counts at this moment.
    fn void_at(&self, resource: &Resource, now: MeshTime) -> Option<MeshTime> {
        let until = self.tombstones.until(&resource.key, &resource.path);
        until.filter(|until| !until.is_ahead_of(now))
    }

    /// The moment up to which what is invalidated now is void.
    ///
    /// No earlier than all that has been seen, so that nothing which it covers is later; and no
    /// earlier than what clocks that are right may show elsewhere, so that neither is the answer
    /// to a question which a member with a faster one has asked before.
    pub(super) fn void_until(&self) -> VoidUntil {
        let now = self.now();
        if self.latest().is_ahead_of(now) {
            self.cut_off_future(now);
        }
        let least = now.saturating_add(MeshClock::RESOLUTION);
        let here = self.latest().max(least);
        let furthest = now.saturating_add(FURTHEST_TOLD.since(MeshTime::default()));
        VoidUntil {
            here,
            told: here.min(furthest),
        }
    }

    /// Where something lies further ahead of the clock than stamps may, which counts for nothing,
    /// lets go of all that is later than the present, before the clock gets there and it would
    /// count; and brings down invalidations from there to the present, since nothing could be kept
    /// under them until then. Takes long only where there is something.
    pub(super) fn cut_off_future(&self, now: MeshTime) {
        let is_lower = self.tombstones.lower(now);
        if !is_lower && !self.latest().is_ahead_of(now) {
            return;
        }
        tracing::debug!("letting go of what was stamped by a clock that ran ahead");
        self.index.lower(now);
        self.latest.fetch_min(now.as_millis(), Ordering::Relaxed);
        for (key, entry) in self.store.iter() {
            let is_later = |held: &Entry| held.stored_at() > now;
            if is_later(&entry) && self.store.drop_if(&key, is_later) {
                self.expired(key);
            }
        }
        if let Some(tier) = &self.tier {
            tier.cut_off(now);
        }
    }

    /// Takes note of a stamp that is in use here, which later invalidations have to cover.
    pub(super) fn saw(&self, stamp: MeshTime) {
        if !stamp.is_ahead_of(self.now()) {
            self.latest.fetch_max(stamp.as_millis(), Ordering::Relaxed);
        }
    }

    fn latest(&self) -> MeshTime {
        MeshTime::from_millis(self.latest.load(Ordering::Relaxed))
    }
}
