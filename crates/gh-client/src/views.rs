//! What GitHub has last said to whom: which credentials it refuses, and which views of an answer have
//! ended. Members tell each other.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cache_core::notes::Bell;
use cache_core::{Family, MAX_SKEW, MeshTime, Notes, Scope};
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use serde::{Deserialize, Serialize};

/// Credentials, and views of single answers, about which a word is remembered. At the bound those of
/// which nothing was heard for longest are forgotten: a credential that was good has to prove itself
/// once more, and one that was refused is treated as any other.
const MAX_CREDENTIALS: u64 = 65_536;
const MAX_ANSWERS: u64 = 16_384;

/// For how long members are told of a refusal; who comes later finds out by itself.
const TOLD_FOR: Duration = Duration::from_secs(600);

/// Refusals that members are told of: the newest. What is held in a view that has ended is made void
/// besides, where there is anything, so that what is left out costs no more than time.
const MAX_TOLD: usize = 48;

/// What members are told of all refusals, in bytes; the rest of the room is for the limits.
const MAX_NOTES: usize = 4 * 1024;

/// A refusal is no news where another one came no longer ago than this.
const NO_NEWS: Duration = Duration::from_secs(10);

/// What may be seen: all that a principal may see (no family), or one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct View {
    principal: Scope,
    family: Option<Family>,
}

/// What GitHub has said, and when. The later word counts, and of two of one moment the refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Word {
    pub(crate) at: MeshTime,
    pub(crate) is_refusal: bool,
}

/// The last word on each view, as far as it matters and was heard here or from other members.
#[derive(Clone)]
pub(crate) struct Views {
    credentials: Cache<View, Word>,
    answers: Cache<View, Word>,
    /// The refusals that were heard here, the newest last.
    told: Arc<Mutex<VecDeque<Ended>>>,
    bell: Bell,
}

/// A refusal, as members are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ended {
    view: View,
    at: MeshTime,
}

impl View {
    /// All that a principal may see.
    pub(crate) const fn all_of(principal: Scope) -> Self {
        Self {
            principal,
            family: None,
        }
    }

    /// One answer.
    pub(crate) const fn of(principal: Scope, family: Family) -> Self {
        Self {
            principal,
            family: Some(family),
        }
    }
}

impl Views {
    /// Has members told by this bell.
    pub(crate) fn new(bell: Bell) -> Self {
        // Who has just been refused must not be forgotten for those who ask more often.
        let table = |bound| {
            Cache::builder()
                .max_capacity(bound)
                .eviction_policy(EvictionPolicy::lru())
                .build()
        };
        Self {
            credentials: table(MAX_CREDENTIALS),
            answers: table(MAX_ANSWERS),
            told: Arc::default(),
            bell,
        }
    }

    /// The last word on a view.
    pub(crate) fn word(&self, view: View) -> Option<Word> {
        self.table(view).get(&view)
    }

    /// GitHub has refused a view; members are told.
    pub(crate) fn end(&self, view: View, now: MeshTime) {
        if let Some(at) = self.hear(view, true, now) {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.retain(|ended| ended.view != view);
            if told.len() == MAX_TOLD {
                told.pop_front();
            }
            told.push_back(Ended { view, at });
            drop(told);
            self.bell.ring();
        }
    }

    /// GitHub has granted a view.
    pub(crate) fn grant(&self, view: View, now: MeshTime) {
        self.hear(view, false, now);
    }

    /// The same, where a word on it is held: what was never refused needs no room.
    pub(crate) fn restore(&self, view: View, now: MeshTime) {
        if self.table(view).contains_key(&view) {
            self.grant(view, now);
        }
    }

    /// Forgets that a view was granted.
    pub(crate) fn doubt(&self, view: View) {
        self.table(view).entry(view).and_compute_with(|held| {
            let is_granted = held.is_some_and(|held| !held.into_value().is_refusal);
            if is_granted { Op::Remove } else { Op::Nop }
        });
    }

    /// Takes note of what GitHub has said here, which is later than all that is known. Of a refusal
    /// that is news, the moment.
    fn hear(&self, view: View, is_refusal: bool, now: MeshTime) -> Option<MeshTime> {
        let mut news = None;
        self.table(view).entry(view).and_compute_with(|held| {
            let held = held.map(moka::Entry::into_value);
            let after = |held: Word| held.at.saturating_add(Duration::from_millis(1));
            let at = held.map_or(now, |held| now.max(after(held)));
            let is_known =
                held.is_some_and(|held| held.is_refusal && held.at.saturating_add(NO_NEWS) > at);
            news = (is_refusal && !is_known).then_some(at);
            Op::Put(Word { at, is_refusal })
        });
        news
    }

    /// Takes over what another member has told, where it is the later word.
    fn learn(&self, view: View, word: Word) {
        self.table(view).entry(view).and_compute_with(|held| {
            let is_later = held.is_none_or(|held| word > held.into_value());
            if is_later { Op::Put(word) } else { Op::Nop }
        });
    }

    fn table(&self, view: View) -> &Cache<View, Word> {
        match view.family {
            None => &self.credentials,
            Some(_) => &self.answers,
        }
    }
}

impl Notes for Views {
    fn write(&self, now: MeshTime, room: usize) -> Vec<u8> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let news = told.iter().rev();
        let news = news.take_while(|ended| ended.at.saturating_add(TOLD_FOR) > now);
        let mut written = Vec::new();
        for ended in news {
            // It holds nothing that cannot be written.
            let ended = postcard::to_allocvec(ended).unwrap_or_default();
            if written.len() + ended.len() > room.min(MAX_NOTES) {
                break;
            }
            written.extend_from_slice(&ended);
        }
        written
    }

    fn read(&self, mut notes: &[u8], now: MeshTime) {
        // Whatever does not read ends it. What a member makes up has others ask GitHub, at worst.
        while let Ok((Ended { view, at }, rest)) = postcard::take_from_bytes::<Ended>(notes) {
            notes = rest;
            let is_of_now = at <= now.saturating_add(MAX_SKEW) && at.saturating_add(TOLD_FOR) > now;
            // What everybody may see of everything, nobody can have been refused.
            if is_of_now && view != View::all_of(Scope::PUBLIC) {
                let word = Word {
                    at,
                    is_refusal: true,
                };
                self.learn(view, word);
            }
        }
    }
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Views").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
