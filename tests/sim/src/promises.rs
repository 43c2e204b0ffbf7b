//! What must hold of every answer, whatever happens.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use cache_core::{Answer, Entry, FetchError, MeshTime, Source};
use tokio::time::Instant;

use crate::fleet::{Writes, Written};
use crate::plan::Wish;
use crate::question::Question;
use crate::report::Notes;
use crate::upstream::{ANSWERS_WITHIN, Upstream};

/// Two clocks that are right differ by no more than this: each may be a second off, and is corrected
/// by a date that names a second.
pub(crate) const CLOCKS: Duration = Duration::from_secs(5);

/// The longest that anybody waits while all is well: for a call that another one has just begun,
/// until he asks whether it has ended, and for peers that do not answer; and the ways there and
/// back.
const PATIENCE: Duration = ANSWERS_WITHIN
    .saturating_add(Duration::from_secs(1))
    .saturating_add(Duration::from_millis(50 + 200));

/// So much longer for whatever goes wrong meanwhile: until a lease is given to the next, who begins
/// anew.
const LEASE: Duration = Duration::from_secs(3);

/// What was not kept is on its way for no longer than this: half of upstream's time, and three
/// seconds in which the owner is told, who tells nobody that comes later.
const ON_ITS_WAY: Duration = Duration::from_secs(4);

/// One lookup, and what it was answered.
pub(crate) struct Asked {
    pub(crate) node: usize,
    pub(crate) question: Question,
    pub(crate) wish: Wish,
    pub(crate) at: Instant,
    pub(crate) writes: Writes,
    pub(crate) troubles: Arc<[Range<Duration>]>,
    /// When the run began, and what right clocks showed then.
    pub(crate) start: (Instant, MeshTime),
    /// Whether upstream has answered for this very caller alone.
    pub(crate) is_private: Arc<AtomicBool>,
    /// By how much the node's clock is wrong, before or after: zero where it is right.
    pub(crate) clock_is_off_by: Duration,
}

impl Asked {
    /// Takes note of what the node's clock shows now.
    pub(crate) fn compare_clocks(&mut self, theirs: MeshTime) {
        let right = self.start.1.saturating_add(self.start.0.elapsed());
        let off_by = right.since(theirs).max(theirs.since(right));
        if off_by > CLOCKS {
            self.clock_is_off_by = self.clock_is_off_by.max(off_by);
        }
    }

    /// Notes an answer, and what is wrong with it.
    pub(crate) fn check(
        &self,
        answer: &Result<Answer, FetchError>,
        upstream: &Upstream,
        notes: &Notes,
    ) {
        let took = self.at.elapsed();
        let (source, wrong) = match answer {
            Ok(Answer::Entry { entry, source, .. }) => {
                (Some(*source), self.wrong_with(entry, *source, upstream))
            }
            Ok(Answer::Passing { value, source }) => {
                (Some(*source), self.wrong_with_passing(value, upstream))
            }
            Ok(Answer::Private) => {
                let is_ours = self.is_private.load(Ordering::Relaxed);
                let wrong = (!is_ours).then(|| "an answer that nobody gave".to_owned());
                (None, wrong)
            }
            Err(error) => {
                let is_upstreams = error.to_string() == self.question.error();
                let is_right =
                    is_upstreams && upstream.has_failed_since(self.question, self.heard_from());
                (
                    None,
                    (!is_right).then(|| format!("an error of its own: {error}")),
                )
            }
        };
        let late = (took > self.patience(upstream)).then(|| "waited for too long".to_owned());
        for what in wrong.into_iter().chain(late) {
            let asked = self.at - self.start.0;
            notes.broken(format!(
                "node {} at {asked:?} on {:?}, {:?}, {:?} after {took:?}: {what}",
                self.node, self.question, self.wish, source
            ));
        }
        let source = source.map(|source| source as u8);
        notes.answered(took, (self.node, self.question, self.wish, source, took));
    }

    /// A refusal, or an answer that could not be kept: it was just fetched, by whomever.
    fn wrong_with_passing(&self, value: &[u8], upstream: &Upstream) -> Option<String> {
        let since = self.heard_from();
        if *value == self.question.refusal() {
            let is_upstreams = upstream.has_refused_since(self.question, since);
            return (!is_upstreams).then(|| "a refusal that upstream did not give".to_owned());
        }
        let Some(version) = self.question.version_in(value) else {
            return Some("a refusal of something else".to_owned());
        };
        let Some(replaced_at) = upstream.replaced_at(self.question, version) else {
            return Some(format!("version {version}, which there never was"));
        };
        let replaced_at = replaced_at?;
        (replaced_at < since).then(|| {
            let ago = self.at - replaced_at;
            format!("version {version} in passing, which was replaced {ago:?} before")
        })
    }

    fn wrong_with(&self, entry: &Entry, source: Source, upstream: &Upstream) -> Option<String> {
        let Some(version) = self.question.version_in(entry.value()) else {
            return Some("the answer to something else".to_owned());
        };
        let Some(replaced_at) = upstream.replaced_at(self.question, version) else {
            return Some(format!("version {version}, which there never was"));
        };
        let replaced_at = replaced_at?;
        if self.at.saturating_duration_since(replaced_at) > self.tolerance(source, upstream) {
            let ago = self.at.duration_since(replaced_at);
            return Some(format!(
                "version {version}, which was replaced {ago:?} before"
            ));
        }
        // What was void by the clock that was right may not be by the one that is wrong.
        if !self.clock_is_off_by.is_zero() {
            return None;
        }
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let covers = |(at, written): &&(Instant, Written)| {
            // What another node was just fetching, by another clock, may pass for later.
            let known = *at - CLOCKS.min(*at - self.start.0);
            let is_older = entry.stored_at().since(self.start.1) < known - self.start.0;
            *at <= self.at
                && *at >= replaced_at
                && (is_older || matches!(source, Source::Hit | Source::Fetched))
                && self.question.is_part_of(*written)
        };
        let write = writes.iter().find(covers)?;
        let ago = self.at.duration_since(write.0);
        Some(format!(
            "version {version}, which this node invalidated {ago:?} before"
        ))
    }

    /// For how long at most he who is answered now has waited.
    fn patience(&self, upstream: &Upstream) -> Duration {
        let (asked, now) = (self.at - self.start.0, self.start.0.elapsed());
        // What went wrong just before may not have been noticed.
        let is_met =
            |trouble: &&Range<Duration>| trouble.start <= now && trouble.end + LEASE >= asked;
        let troubles = self.troubles.iter().filter(is_met).count() as u32;
        // He may have waited for each of these, those under way when he asked included, to call
        // himself in the end.
        let since = self.at - ANSWERS_WITHIN.min(asked);
        let in_vain = upstream.in_vain_since(self.question, since) as u32;
        // By a clock that is wrong, what another one has just been told is no answer.
        let in_vain = in_vain + u32::from(!self.clock_is_off_by.is_zero());
        PATIENCE * (1 + in_vain) + (LEASE + PATIENCE) * troubles
    }

    /// From when on upstream must have said what is not kept: nobody is told of it who has come
    /// later, but it was on its way.
    fn heard_from(&self) -> Instant {
        self.at - ON_ITS_WAY.min(self.at - self.start.0)
    }

    /// How long before the lookup an answer may have ceased to be right.
    fn tolerance(&self, source: Source, upstream: &Upstream) -> Duration {
        let lifetime = self.question.lifetime();
        let fresh_for = match self.wish {
            Wish::AsStored | Wish::Tolerant(_) => lifetime.ttl,
            Wish::AtMost(seconds) => Duration::from_secs(seconds),
        };
        CLOCKS
            + self.clock_is_off_by
            + match source {
                Source::Hit | Source::PeerHit => fresh_for,
                Source::Stale => lifetime.total(),
                Source::Coalesced => fresh_for + self.patience(upstream),
                // Upstream was asked since.
                Source::Fetched | Source::Refetched | Source::Revalidated => Duration::ZERO,
            }
    }
}

impl Question {
    pub(crate) fn is_part_of(self, written: Written) -> bool {
        match written {
            Written::Question(question) => question == self.0,
            Written::Repository(repository) => repository == self.repository(),
        }
    }
}
