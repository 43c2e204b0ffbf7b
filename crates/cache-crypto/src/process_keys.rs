//! One key per process, all out of one: how thousands of members seal under one secret without a
//! nonce used twice.
//!
//! GCM breaks when a key meets a nonce twice: the two plaintexts are out, and with them the key of
//! the authentication. Members cannot agree on who uses which nonce, and random 96-bit ones would
//! meet after some billions of frames. So each process draws 128 random bits, its salt, and
//! derives a key that is its own; under that key, a counter is enough. The salt goes along in the
//! header, so others derive the same key to open.
//!
//! What would break it is a process that is copied while it runs: a machine's snapshot that is
//! resumed twice, or a fork. ghmesh does not fork; who resumes snapshots has to restart it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bytes::{Buf, BytesMut};
use cache_core::{Misconduct, OpenError, Purpose, SealError};
use ring::aead::LessSafeKey;
use ring::rand::{SecureRandom, SystemRandom};

use crate::compress::Form;
use crate::derive::{self, DerivedKey};
use crate::envelope::{self, HEADER_LEN, Header, Salt, TAG_LEN};
use crate::secret::{Fingerprint, NoRandomness};

/// How many processes' keys are kept, of about 600 bytes each.
const MAX_KEPT: usize = 1024;

/// How many times one process seals under one key.
///
/// A process that seals a thousand frames a second gets here after 34 years, so the bound is not
/// felt; but it keeps the counter from ever coming round. With frames of 8 KiB it stands for 2⁴⁹
/// blocks, which an attacker who saw all of them could tell from noise with a probability of about
/// 2⁻³¹ (half the square of their number, over 2¹²⁸). Were all frames as long as a frame may be,
/// that would be 2⁵⁹ blocks, 8 EiB, and a probability of 2⁻¹¹: no process lives to send so much.
const MAX_SEALS: u64 = 1 << 40;

/// The key under which this process seals, and nobody else.
pub(crate) struct SealingKey {
    fingerprint: Fingerprint,
    salt: Salt,
    key: LessSafeKey,
    next: AtomicU64,
}

impl SealingKey {
    /// Draws a salt, and derives from `source` the key that goes with it.
    pub(crate) fn new(source: &DerivedKey, fingerprint: Fingerprint) -> Result<Self, NoRandomness> {
        let mut salt = [0; 16];
        SystemRandom::new()
            .fill(&mut salt)
            .map_err(|_| NoRandomness)?;
        Ok(Self {
            fingerprint,
            salt,
            key: derive::expand_aead(source, &salt),
            next: AtomicU64::new(0),
        })
    }

    /// Seals `buffer`, in which the first [`HEADER_LEN`] bytes are room for the header.
    pub(crate) fn seal(
        &self,
        purpose: Purpose<'_>,
        form: Form,
        buffer: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        let header = Header {
            form,
            fingerprint: self.fingerprint,
            salt: self.salt,
            counter: self.next_counter()?,
        };
        buffer[..HEADER_LEN].copy_from_slice(&header.to_bytes());
        let bound = header.associated_data(purpose);
        envelope::seal_in_place(&self.key, header.nonce(), bound, buffer, HEADER_LEN)
            .map_err(|_| SealError::TooLarge(buffer.len()))
    }

    /// A number that was not given out before; none once all have been, for ever.
    fn next_counter(&self) -> Result<u64, SealError> {
        self.next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
                (next < MAX_SEALS).then_some(next + 1)
            })
            .map_err(|_| SealError::Exhausted)
    }
}

/// Keys by the salts that they come from, which are random already, or a member's fault.
type Kept = HashMap<Salt, Arc<LessSafeKey>, foldhash::fast::RandomState>;

/// The keys to open what any process has sealed, derived as their salts come in.
pub(crate) struct OpeningKeys {
    /// All of them are derived from this one.
    source: DerivedKey,
    /// Read with each frame, and written when a process is met: the writer makes another table.
    kept: ArcSwap<Kept>,
}

impl OpeningKeys {
    pub(crate) fn new(source: DerivedKey) -> Self {
        Self {
            source,
            kept: ArcSwap::default(),
        }
    }

    /// The key that all others are derived from.
    pub(crate) const fn source(&self) -> &DerivedKey {
        &self.source
    }

    /// Leaves of an envelope what was sealed for the same purpose, in the form that the header
    /// names.
    pub(crate) fn open(
        &self,
        purpose: Purpose<'_>,
        header: &Header,
        envelope: &mut BytesMut,
    ) -> Result<(), OpenError> {
        envelope.advance(HEADER_LEN);
        let mut open = |key: &LessSafeKey| {
            let bound = header.associated_data(purpose);
            envelope::open_in_place(key, header.nonce(), bound, envelope)
                .map_err(|_| OpenError(Misconduct::Forged))?;
            envelope.truncate(envelope.len() - TAG_LEN);
            Ok(())
        };
        // Nobody waits for whoever is at it: 8 MiB take milliseconds.
        if let Some(key) = self.kept.load().get(&header.salt) {
            return open(key);
        }
        let key = derive::expand_aead(&self.source, &header.salt);
        open(&key)?;
        // Only now: what does not open must not push out the keys of members.
        self.keep(header.salt, key);
        Ok(())
    }

    /// At the bound all are forgotten. To derive one again takes about a microsecond, so a fleet
    /// that is larger than the table hardly notices.
    fn keep(&self, salt: Salt, key: LessSafeKey) {
        let key = Arc::new(key);
        self.kept.rcu(|kept| {
            let is_full = kept.len() >= MAX_KEPT;
            let mut kept = if is_full {
                Kept::default()
            } else {
                Kept::clone(kept)
            };
            kept.insert(salt, Arc::clone(&key));
            kept
        });
    }
}

#[cfg(test)]
mod tests;
