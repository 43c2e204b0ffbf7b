//! What a sealed frame looks like, and the two calls of AES-256-GCM.
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | version, [`VERSION`] |
//! | 1 | [`Form`] of the body |
//! | 6 | [`Fingerprint`] of the secret |
//! | 16 | salt of the process that sealed it |
//! | 8 | counter, big-endian |
//! | … | ciphertext of the body |
//! | 16 | tag |
//!
//! The first five are the header. Like the purpose, it is associated data: nothing in it can be
//! altered, not even the version or the form, which no key depends on.
//!
//! AES-GCM does not commit to its key: who knows several keys can make one ciphertext that opens
//! under each of them, and whether it opens then tells something about a secret that was thought up
//! ([Len, Grubbs, Ristenpart 2022]). Associated data is no help against that, because who makes
//! the ciphertext chooses it, too. What helps is that an envelope is tried under one key alone, the
//! one that its fingerprint and its salt select: to be tried under the keys of many guesses, these
//! would have to share 48 bits of fingerprint, and who has found those needs no oracle to check
//! them against an envelope that he has seen. Members, who know the key, could make two plaintexts
//! of one name; they can as well say two things.
//!
//! The header has 32 bytes because AES-GCM is faster where its buffer is aligned as the allocator
//! aligns it: with 29, sealing 1 MiB took a fifth longer.
//!
//! [Len, Grubbs, Ristenpart 2022]: https://eprint.iacr.org/2022/1680

use std::ops::RangeInclusive;

use cache_core::{MAX_FRAME, Purpose};
use ring::aead::{Aad, LessSafeKey, Nonce};
use ring::error::Unspecified;

use crate::compress::Form;
use crate::secret::Fingerprint;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub(crate) const VERSION: u8 = 1;

/// The versions that a later release may speak. No text begins with one of these bytes, and of
/// random bytes one in forty does.
pub(crate) const OTHER_VERSIONS: RangeInclusive<u8> = VERSION + 1..=7;

pub(crate) const HEADER_LEN: usize = 1 + 1 + Fingerprint::LEN + 16 + 8;
pub(crate) const TAG_LEN: usize = 16;

/// The longest plaintext: what is sealed fits in a frame even if it cannot be compressed.
pub(crate) const MAX_PLAINTEXT: usize = MAX_FRAME - HEADER_LEN - TAG_LEN;

/// Tells one process's keys from another's.
pub(crate) type Salt = [u8; 16];

/// Which key and which nonce something was sealed with, and how to read what was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) form: Form,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) salt: Salt,
    pub(crate) counter: u64,
}

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = VERSION;
        bytes[1] = self.form.as_byte();
        bytes[2..8].copy_from_slice(self.fingerprint.as_bytes());
        bytes[8..24].copy_from_slice(&self.salt);
        bytes[24..].copy_from_slice(&self.counter.to_be_bytes());
        bytes
    }

    /// The header of an envelope; `None` where this is none that we know.
    pub(crate) fn parse(sealed: &[u8]) -> Option<Self> {
        let (&[version, form], rest) = sealed.split_first_chunk()?;
        let (&fingerprint, rest) = rest.split_first_chunk()?;
        let (&salt, rest) = rest.split_first_chunk()?;
        let (&counter, _) = rest.split_first_chunk()?;
        let header = Self {
            form: Form::of_byte(form)?,
            fingerprint: Fingerprint::from_bytes(fingerprint),
            salt,
            counter: u64::from_be_bytes(counter),
        };
        (version == VERSION).then_some(header)
    }

    /// The counter, filled up to 96 bits with zeros in front. It is unique under the process's
    /// key, which is all that GCM asks for (NIST SP 800-38D, section 8.2.1, without a fixed field:
    /// the key itself names the process).
    pub(crate) fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.counter.to_be_bytes());
        nonce
    }

    /// What is authenticated along with the ciphertext.
    pub(crate) fn associated_data(&self, purpose: Purpose<'_>) -> AssociatedData {
        let mut bound = AssociatedData::default();
        bound.push(&self.to_bytes());
        match purpose {
            Purpose::Request => bound.push(&[0]),
            Purpose::Broadcast => bound.push(&[1]),
            Purpose::Reply { to } => {
                let (start, tag) = name_of(to);
                bound.push(&[2]);
                bound.push(start);
                bound.push(tag);
            }
            Purpose::AtRest(key) => {
                bound.push(&[3]);
                bound.push(key.family.as_bytes());
                bound.push(key.scope.as_bytes());
            }
        }
        bound
    }
}

/// A header and a purpose, as bytes. No two pairs of them have the same.
pub(crate) struct AssociatedData {
    bytes: [u8; Self::MAX_LEN],
    len: usize,
}

impl AssociatedData {
    /// A header, the purpose's number, and a key: nothing that is bound is longer.
    const MAX_LEN: usize = HEADER_LEN + 1 + 32 + 16;

    fn push(&mut self, part: &[u8]) {
        let end = self.len + part.len();
        self.bytes[self.len..end].copy_from_slice(part);
        self.len = end;
    }
}

impl Default for AssociatedData {
    fn default() -> Self {
        Self {
            bytes: [0; Self::MAX_LEN],
            len: 0,
        }
    }
}

impl AsRef<[u8]> for AssociatedData {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What names one sealed request among all: its header and its tag, whatever its length.
///
/// Salt and counter are never used twice, and the tag fixes the rest. Only a member could make
/// two requests of one name, and it could as well make up the reply.
///
/// What is too short for an envelope is its own name: it is shorter than any other.
fn name_of(request: &[u8]) -> (&[u8], &[u8]) {
    let named = request
        .split_at_checked(HEADER_LEN)
        .and_then(|(header, rest)| Some((header, rest.last_chunk::<TAG_LEN>()?)));
    match named {
        Some((header, tag)) => (header, tag),
        None => (request, &[]),
    }
}

/// Encrypts `buffer` from `start` on, where it lies, and appends the tag.
pub(crate) fn seal_in_place(
    key: &LessSafeKey,
    nonce: [u8; 12],
    associated_data: impl AsRef<[u8]>,
    buffer: &mut Vec<u8>,
    start: usize,
) -> Result<(), Unspecified> {
    let tag = key.seal_in_place_separate_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(associated_data),
        &mut buffer[start..],
    )?;
    buffer.extend_from_slice(tag.as_ref());
    Ok(())
}

/// Decrypts `ciphertext`, which ends in its tag, where it lies. What is left in it when it does not
/// open is nothing.
pub(crate) fn open_in_place(
    key: &LessSafeKey,
    nonce: [u8; 12],
    associated_data: impl AsRef<[u8]>,
    ciphertext: &mut [u8],
) -> Result<(), Unspecified> {
    key.open_in_place(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(associated_data),
        ciphertext,
    )?;
    Ok(())
}
