//! What must hold of every answer, whatever happens.

use std::sync::PoisonError;
use std::time::Duration;

use cache_core::{Answer, Entry, FetchError, MeshTime, Source};
use tokio::time::Instant;

use crate::fleet::{Writes, Written};
use crate::plan::Wish;
use crate::question::Question;
use crate::report::Notes;
use crate::upstream::Upstream;

/// Two clocks that are right differ by no more than this: each may be a second off, and is corrected
/// by a date that names a second.
pub(crate) const CLOCKS: Duration = Duration::from_secs(5);

/// A flight can be joined until it has landed, and takes no longer than this.
const FLIGHT: Duration = Duration::from_secs(36);

/// One lookup, and what it was answered.
pub(crate) struct Asked {
    pub(crate) node: usize,
    pub(crate) question: Question,
    pub(crate) wish: Wish,
    pub(crate) at: Instant,
    pub(crate) writes: Writes,
    /// When the run began, and what right clocks showed then.
    pub(crate) start: (Instant, MeshTime),
}

impl Asked {
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
            Ok(Answer::Private) => (None, Some("an answer that nobody gave".to_owned())),
            Err(error) => {
                let is_upstreams = error.to_string() == self.question.error();
                let is_right = is_upstreams && upstream.has_failed(self.question);
                (
                    None,
                    (!is_right).then(|| format!("an error of its own: {error}")),
                )
            }
        };
        let late = (took > FLIGHT).then(|| "waited too long".to_owned());
        for what in wrong.into_iter().chain(late) {
            notes.broken(format!(
                "node {} on {:?}, {:?}, {:?} after {took:?}: {what}",
                self.node, self.question, self.wish, source
            ));
        }
        let source = source.map(|source| source as u8);
        notes.answered((self.node, self.question, self.wish, source, took));
    }

    /// A refusal, or an answer that could not be kept: it was just fetched, by whomever.
    fn wrong_with_passing(&self, value: &[u8], upstream: &Upstream) -> Option<String> {
        if *value == self.question.refusal() {
            return None;
        }
        let Some(version) = self.question.version_in(value) else {
            return Some("a refusal of something else".to_owned());
        };
        let Some(replaced_at) = upstream.replaced_at(self.question, version) else {
            return Some(format!("version {version}, which there never was"));
        };
        let ago = self.at.saturating_duration_since(replaced_at?);
        (ago > FLIGHT).then(|| format!("version {version}, which was replaced {ago:?} before"))
    }

    fn wrong_with(&self, entry: &Entry, source: Source, upstream: &Upstream) -> Option<String> {
        let Some(version) = self.question.version_in(entry.value()) else {
            return Some("the answer to something else".to_owned());
        };
        let Some(replaced_at) = upstream.replaced_at(self.question, version) else {
            return Some(format!("version {version}, which there never was"));
        };
        let replaced_at = replaced_at?;
        if self.at.saturating_duration_since(replaced_at) > self.tolerance(source) {
            let ago = self.at.duration_since(replaced_at);
            return Some(format!(
                "version {version}, which was replaced {ago:?} before"
            ));
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

    /// How long before the lookup an answer may have ceased to be right.
    fn tolerance(&self, source: Source) -> Duration {
        let lifetime = self.question.lifetime();
        let fresh_for = match self.wish {
            Wish::AsStored | Wish::Tolerant(_) => lifetime.ttl,
            Wish::AtMost(seconds) => Duration::from_secs(seconds),
        };
        CLOCKS
            + match source {
                Source::Stale => lifetime.total(),
                Source::Coalesced => fresh_for + FLIGHT,
                _ => fresh_for,
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
