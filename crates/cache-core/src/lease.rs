//! Leases: of all members who miss a key, one at a time may fetch it.
//!
//! The key's [owner](crate::owner) keeps the book. Who misses the key asks it, and is told one of
//! five things ([`Grant`]). The one who may fetch holds the lease, and renews it while its fetch
//! runs; the others ask again from time to time, unless the answer reaches them before. What a
//! fetch brings that cannot be kept, a refusal for instance, is told to the owner, who tells it to
//! those who have been waiting.
//!
//! A lease is a hint and no lock. Whoever cannot get one fetches all the same: the worst that comes
//! of a lost owner, a lost frame or two owners at once is one call too many.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::key::Key;
use crate::peer::PeerId;
use crate::time::MeshTime;
use crate::wire::Put;

/// For how long a lease is given. Its holder renews it; a holder that has died keeps the others
/// waiting for no longer than this.
pub(crate) const TERM: Duration = Duration::from_secs(3);

/// For how long a lease is renewed where others wait: then the next in line may fetch, too.
pub(crate) const MOST_HELD: Duration = Duration::from_secs(60);

/// How often a lease is renewed.
pub(crate) const RENEWAL: Duration = Duration::from_secs(1);

/// The longest value that is passed to those who wait, in bytes. What is longer, each of them
/// fetches for itself.
pub(crate) const MAX_PASSED: usize = 64 * 1024;

/// One lease among all that an owner has given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseId(pub(crate) u64);

/// "I miss this. May I fetch it?"
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acquire {
    /// What is missed.
    pub key: Key,
    /// The stamp of the version that the asker has; only a later one is of use to it.
    pub have: Option<MeshTime>,
    /// The lease that the asker holds and renews, or has been waiting for.
    pub lease: Option<LeaseId>,
    /// Not to be sent on to one who should keep the book.
    pub insist: bool,
    /// Nor to this one in any case, which the asker cannot reach.
    pub but: Option<PeerId>,
}

/// The answer to [`Acquire`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Grant {
    /// "No need to: here it is."
    Hit(Put),
    /// "You may. Renew this lease while you are at it."
    Granted(LeaseId),
    /// "Somebody is at it. Ask again."
    Wait(LeaseId),
    /// "The one you have been waiting for is back, with this."
    Settled(Settlement),
    /// "This member knows better."
    Redirect(PeerId),
    /// "I have no room to keep the book. See for yourself."
    Busy,
}

/// What has come of a fetch.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Settlement {
    /// An answer for all who are waiting, and for nobody later.
    Passing(Bytes),
    /// An error for all who are waiting.
    Failed(String),
    /// An answer that only the one who fetched it can have: the others fetch for themselves.
    Apart,
    /// Nothing: an invalidation has overtaken it.
    Void,
    /// An entry of this stamp, which is being pushed, and can be had from the one who fetched it.
    Kept(MeshTime),
}

/// "My fetch has ended." Answered with [`Message::Ack`](crate::wire::Message::Ack).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settle {
    /// What was fetched.
    pub key: Key,
    /// By whose leave.
    pub lease: LeaseId,
    /// What has come of it.
    pub settlement: Settlement,
}

/// The book that an owner keeps.
///
/// Bounded in number and in what is passed on. At a bound, no lease is given: who asks fetches, and
/// the owner cannot keep others from doing the same.
#[derive(Debug)]
pub(crate) struct Leases {
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    leases: HashMap<Key, Lease>,
    /// What is passed on to those who wait, in bytes.
    passed: usize,
    next: u64,
    /// In whose book a key is meanwhile, because this member was not yet fit to keep it, and until
    /// when.
    elsewhere: HashMap<Key, (PeerId, Instant)>,
}

#[derive(Debug)]
struct Lease {
    id: LeaseId,
    holder: PeerId,
    since: Instant,
    /// Counts for nothing afterwards.
    until: Instant,
    settled: Option<Settlement>,
}

/// What an owner says to one who misses a key, and whom it cannot help with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Granted(LeaseId),
    Wait(LeaseId),
    Settled(Settlement),
    Busy,
}

impl fmt::Debug for Settlement {
    /// Tells the length of a value, and nothing of what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passing(value) => f
                .debug_tuple("Passing")
                .field(&format_args!("{} bytes", value.len()))
                .finish(),
            Self::Failed(why) => f.debug_tuple("Failed").field(why).finish(),
            Self::Apart => f.write_str("Apart"),
            Self::Void => f.write_str("Void"),
            Self::Kept(stamp) => f.debug_tuple("Kept").field(stamp).finish(),
        }
    }
}

impl Grant {
    /// The length of the value in it, in bytes.
    pub(crate) fn value_len(&self) -> usize {
        match self {
            Self::Hit(put) => put.entry.value().len(),
            _ => 0,
        }
    }
}

impl Leases {
    const MAX: usize = 16 * 1024;
    const MAX_PASSED_BYTES: usize = 16 * 1024 * 1024;

    /// A book whose leases are told from those of an earlier run by when it was begun.
    pub(crate) fn new(now: MeshTime) -> Self {
        Self {
            book: Mutex::new(Book {
                leases: HashMap::new(),
                passed: 0,
                next: now.as_millis() << 20,
                elsewhere: HashMap::new(),
            }),
        }
    }

    /// May `asker`, who holds `lease` or has been waiting for it, fetch `key`? `is_here` tells
    /// whether the holder of a lease can still be seen.
    pub(crate) fn acquire(
        &self,
        key: &Key,
        asker: PeerId,
        lease: Option<LeaseId>,
        is_here: impl FnOnce(&PeerId) -> bool,
    ) -> Verdict {
        let now = Instant::now();
        let mut book = self.book();
        if let Some(held) = book.leases.get_mut(key)
            && (held.until > now || held.is_renewed(asker, lease))
        {
            match &held.settled {
                Some(settlement) if lease == Some(held.id) => {
                    return Verdict::Settled(settlement.clone());
                }
                // For those who come later, it is as if nobody had asked yet.
                Some(_) => {}
                None if held.holder == asker => {
                    held.until = now + TERM;
                    return Verdict::Granted(held.id);
                }
                None if held.since + MOST_HELD > now && is_here(&held.holder) => {
                    return Verdict::Wait(held.id);
                }
                // The first of those who wait to ask again goes next.
                None => {}
            }
        }
        book.grant(*key, asker, now)
    }

    /// Takes note of what a fetch has brought, for those who wait for it.
    pub(crate) fn settle(&self, holder: PeerId, settle: Settle) {
        let mut book = self.book();
        let passed = settle.settlement.len();
        let has_room = book.passed + passed <= Self::MAX_PASSED_BYTES;
        let Some(lease) = book.leases.get_mut(&settle.key) else {
            return;
        };
        if lease.id != settle.lease || lease.holder != holder || lease.settled.is_some() {
            return;
        }
        if settle.settlement == Settlement::Void {
            book.remove(&settle.key);
            return;
        }
        // For as long as those who wait may take to ask again.
        lease.until = Instant::now() + TERM;
        if has_room && passed <= MAX_PASSED {
            lease.settled = Some(settle.settlement);
            book.passed += passed;
        } else {
            lease.settled = Some(Settlement::Apart);
        }
    }

    /// The holder of a lease has brought a value that an invalidation has overtaken on its way: there
    /// is nothing to wait for any more.
    pub(crate) fn end_void(&self, key: &Key, holder: PeerId) {
        let mut book = self.book();
        let lease = book.leases.get(key);
        if lease.is_some_and(|lease| lease.holder == holder && lease.settled.is_none()) {
            book.remove(key);
        }
    }

    /// A value has come from `origin`. If that holds the lease, or the value is fresh, there is
    /// nothing more to wait for: whoever asks from now on is given it, or may fetch a newer one.
    pub(crate) fn end_if_answered(&self, key: &Key, origin: PeerId, is_fresh: bool) {
        let mut book = self.book();
        let is_by = |lease: &Lease| lease.holder == origin;
        if is_fresh || book.leases.get(key).is_some_and(is_by) {
            book.remove(key);
        }
    }

    /// The holder of a lease has fetched what it keeps.
    pub(crate) fn end_kept(&self, key: &Key, holder: PeerId, id: LeaseId) {
        let mut book = self.book();
        let lease = book.leases.get(key);
        if lease.is_some_and(|lease| lease.id == id && lease.holder == holder) {
            book.remove(key);
        }
    }

    /// There is what was asked for: the lease that was just given is not needed.
    pub(crate) fn end(&self, key: &Key) {
        self.book().remove(key);
    }

    /// Leaves a key to the book of `keeper`, until nobody has asked for it for a term: a lease that
    /// is given there is not known here. Refuses where one was given here: others may have sent
    /// somebody to this member already. At the bound, nothing more is left to others, and a key may
    /// be in two books.
    pub(crate) fn leave_to(&self, key: Key, keeper: PeerId) -> bool {
        let now = Instant::now();
        let mut book = self.book();
        if book.leases.get(&key).is_some_and(|lease| lease.until > now) {
            return false;
        }
        let elsewhere = &mut book.elsewhere;
        if elsewhere.len() >= Self::MAX {
            elsewhere.retain(|_, (_, until)| *until > now);
        }
        if elsewhere.len() < Self::MAX {
            elsewhere.insert(key, (keeper, now + TERM));
        }
        true
    }

    /// Who keeps the book of a key that was left to another.
    pub(crate) fn keeper(&self, key: &Key) -> Option<PeerId> {
        let book = self.book();
        let (keeper, until) = book.elsewhere.get(key)?;
        (*until > Instant::now()).then_some(*keeper)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn grant(&mut self, key: Key, holder: PeerId, now: Instant) -> Verdict {
        self.remove(&key);
        if self.leases.len() >= Leases::MAX {
            self.leases.retain(|_, lease| lease.until > now);
            self.passed = self.leases.values().map(Lease::passes).sum();
        }
        if self.leases.len() >= Leases::MAX {
            return Verdict::Busy;
        }
        let id = LeaseId(self.next);
        self.next = self.next.wrapping_add(1);
        let lease = Lease {
            id,
            holder,
            since: now,
            until: now + TERM,
            settled: None,
        };
        self.leases.insert(key, lease);
        Verdict::Granted(id)
    }

    fn remove(&mut self, key: &Key) {
        if let Some(lease) = self.leases.remove(key) {
            self.passed -= lease.passes();
        }
    }
}

impl Lease {
    /// Late, but nobody else has been given it meanwhile.
    fn is_renewed(&self, asker: PeerId, lease: Option<LeaseId>) -> bool {
        self.settled.is_none() && self.holder == asker && lease == Some(self.id)
    }

    /// What it passes on, in bytes.
    fn passes(&self) -> usize {
        self.settled.as_ref().map_or(0, Settlement::len)
    }
}

impl Settlement {
    /// What it occupies beside itself, in bytes.
    fn len(&self) -> usize {
        match self {
            Self::Passing(value) => value.len(),
            Self::Failed(why) => why.len(),
            Self::Apart | Self::Void | Self::Kept(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests;
