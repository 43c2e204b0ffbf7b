//! When an entry is fresh, stale or dead.
//!
//! The words are those of [RFC 9111, section 4.2](https://www.rfc-editor.org/rfc/rfc9111#section-4.2).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long an entry may be served as it is, and how long it is kept beyond that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetime {
    /// It may be served without asking for this long. Zero is allowed: such an entry is asked
    /// after each time.
    pub ttl: Duration,
    /// For this long past `ttl` it may still be revalidated, or served while upstream cannot
    /// answer.
    pub stale_for: Duration,
}

impl Lifetime {
    /// Fresh for `ttl`, and gone after it.
    pub const fn fresh_for(ttl: Duration) -> Self {
        Self {
            ttl,
            stale_for: Duration::ZERO,
        }
    }

    /// The same, kept for `stale_for` past its ttl.
    pub const fn and_stale_for(self, stale_for: Duration) -> Self {
        Self { stale_for, ..self }
    }

    /// From the entry's birth to its death.
    pub const fn total(self) -> Duration {
        self.ttl.saturating_add(self.stale_for)
    }
}

/// What may be done with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Serve it.
    Fresh,
    /// Ask upstream first; serve it where upstream says so or cannot answer.
    Stale,
    /// Evict it.
    Dead,
}

/// How fresh an entry has to be for the caller at hand.
///
/// A caller can ask for more or for less than the entry's own ttl, but never for an entry that is
/// [dead](State::Dead).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    max_age: Option<Duration>,
    while_revalidating: Duration,
    alone: bool,
    is_counted: bool,
}

impl Freshness {
    /// As fresh as the entry's own ttl says.
    pub const AS_STORED: Self = Self {
        max_age: None,
        while_revalidating: Duration::ZERO,
        alone: false,
        is_counted: true,
    };

    /// Ask upstream first, whatever is stored.
    pub const REVALIDATE: Self = Self::at_most(Duration::ZERO);

    /// Ask upstream by the caller's own fetch, whatever is stored and whoever else is fetching: for
    /// one who has yet to prove the right to see what others have been shown.
    ///
    /// Where that fetch fails, the stale entry is served as to everybody else; a fetch that must not
    /// let that happen answers [`Private`](crate::Fetched::Private)ly.
    pub const ALONE: Self = Self {
        alone: true,
        ..Self::REVALIDATE
    };

    /// The same, for one whose lookup has been counted already, and whose answer was of no use: each
    /// lookup counts once.
    pub const AGAIN: Self = Self {
        is_counted: false,
        ..Self::ALONE
    };

    /// Younger than `max_age`, in place of the entry's own ttl.
    pub const fn at_most(max_age: Duration) -> Self {
        Self {
            max_age: Some(max_age),
            ..Self::AS_STORED
        }
    }

    /// The same, but content with an entry that has been stale for less than `tolerance`: that is
    /// served at once, while it is revalidated in the background for those who come later
    /// ([RFC 5861, section 3](https://www.rfc-editor.org/rfc/rfc5861#section-3)).
    #[must_use]
    pub const fn or_stale_while_revalidating(self, tolerance: Duration) -> Self {
        Self {
            while_revalidating: tolerance,
            ..self
        }
    }

    /// Whether nobody else's fetch will do.
    pub(crate) const fn is_alone(self) -> bool {
        self.alone
    }

    /// Whether the lookup counts.
    pub(crate) const fn is_counted(self) -> bool {
        self.is_counted
    }

    /// Whether something stale may do, for now.
    pub(crate) const fn is_tolerant(self) -> bool {
        !self.while_revalidating.is_zero()
    }

    /// Whether the caller wants something else than what an entry's own ttl says.
    pub(crate) const fn is_particular(self) -> bool {
        self.max_age.is_some()
    }

    /// The state of an entry of this lifetime and age. An entry whose age equals its ttl is stale.
    pub fn state(self, lifetime: Lifetime, age: Duration) -> State {
        if age >= lifetime.total() {
            State::Dead
        } else if age < self.fresh_for(lifetime) {
            State::Fresh
        } else {
            State::Stale
        }
    }

    /// Whether a [stale](State::Stale) entry of this age may be served while it is revalidated.
    pub fn tolerates(self, lifetime: Lifetime, age: Duration) -> bool {
        age < self
            .fresh_for(lifetime)
            .saturating_add(self.while_revalidating)
    }

    fn fresh_for(self, lifetime: Lifetime) -> Duration {
        self.max_age.unwrap_or(lifetime.ttl)
    }
}

impl Default for Freshness {
    fn default() -> Self {
        Self::AS_STORED
    }
}

#[cfg(test)]
mod tests;
