//! From a secret to keys: stretching, extraction, expansion.

use std::fmt;
use std::num::NonZeroU32;

use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Okm, Prk, Salt};
use ring::pbkdf2;
use zeroize::{Zeroize, ZeroizeOnDrop};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

/// How often a passphrase is hashed: what OWASP asks of PBKDF2-HMAC-SHA256 ([Password Storage
/// Cheat Sheet]).
///
/// [Password Storage Cheat Sheet]: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#pbkdf2
pub(crate) const ITERATIONS: NonZeroU32 = NonZeroU32::new(600_000).unwrap();

/// The salt of the stretching.
///
/// It is the same for every fleet, because members have to reach the same key without having
/// talked before. What that gives up: one table of stretched guesses serves against all fleets
/// that chose a passphrase. Secrets that are random to begin with are not in such a table.
pub(crate) const STRETCHING_SALT: &[u8] = b"ghmesh passphrase v1";

/// The salt of the extraction (RFC 5869, section 3.1: it need not be secret).
const EXTRACTION_SALT: &[u8] = b"ghmesh secret v1";

/// A 256-bit key, made for one use.
///
/// It is wiped from memory when it is dropped, and neither `Debug` nor anything else shows it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DerivedKey([u8; 32]);

impl DerivedKey {
    /// The key itself, for whoever uses it. A copy of it has to be wiped by whoever makes it.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKey(..)")
    }
}

/// What a key is for. No two uses have the same label, so no two have the same key.
///
/// The version is part of the label: a use that changes its meaning gets another one, and with it
/// another key.
#[derive(Clone, Copy)]
pub(crate) enum Label {
    /// All others come from this one.
    Root,
    /// Tells secrets apart in public.
    Fingerprint,
    /// Proves membership before a connection is used.
    Membership,
    /// Yields the keys of frames.
    Frames,
    /// Yields the keys of what is on disk.
    Store,
    /// Digests credentials.
    Principals,
    /// Digests what must be compared without being shown.
    Digests,
    /// One process's key, out of that of frames or of the store.
    Process,
}

impl Label {
    const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Root => b"ghmesh v1 root",
            Self::Fingerprint => b"ghmesh v1 fingerprint",
            Self::Membership => b"ghmesh v1 membership",
            Self::Frames => b"ghmesh v1 frames",
            Self::Store => b"ghmesh v1 store",
            Self::Principals => b"ghmesh v1 principals",
            Self::Digests => b"ghmesh v1 digests",
            Self::Process => b"ghmesh v1 process",
        }
    }
}

/// The root of all keys that come from `material`, which has to be hard to guess.
pub(crate) fn root(material: &[u8]) -> DerivedKey {
    let prk = Salt::new(HKDF_SHA256, EXTRACTION_SALT).extract(material);
    expand_bytes(&prk, &[Label::Root.as_bytes()])
}

/// Makes every guess at `passphrase` cost `iterations` hashes (RFC 8018, section 5.2).
pub(crate) fn stretch(passphrase: &[u8], salt: &[u8], iterations: NonZeroU32) -> DerivedKey {
    let mut stretched = DerivedKey([0; 32]);
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        iterations,
        salt,
        passphrase,
        &mut stretched.0,
    );
    stretched
}

/// The key for one use.
pub(crate) fn expand(from: &DerivedKey, label: Label) -> DerivedKey {
    let prk = Prk::new_less_safe(HKDF_SHA256, from.as_bytes());
    expand_bytes(&prk, &[label.as_bytes()])
}

/// The AES-256-GCM key that `salt` selects.
///
/// It never lies in our own memory as bytes. *ring* keeps its expanded form and offers no way to
/// wipe that.
pub(crate) fn expand_aead(from: &DerivedKey, salt: &[u8; 16]) -> LessSafeKey {
    let prk = Prk::new_less_safe(HKDF_SHA256, from.as_bytes());
    let info = [Label::Process.as_bytes(), salt];
    LessSafeKey::new(UnboundKey::from(okm(&prk, &info, &AES_256_GCM)))
}

fn expand_bytes(prk: &Prk, info: &[&[u8]]) -> DerivedKey {
    struct Len32;

    impl KeyType for Len32 {
        fn len(&self) -> usize {
            32
        }
    }

    let mut key = DerivedKey([0; 32]);
    #[expect(
        clippy::expect_used,
        reason = "fails only where the lengths differ; going on would use a key of zeros"
    )]
    okm(prk, info, Len32)
        .fill(&mut key.0)
        .expect("32 bytes were asked for");
    key
}

#[expect(
    clippy::expect_used,
    reason = "fails only above 255 × 32 bytes (RFC 5869, section 2.3)"
)]
fn okm<'a, L: KeyType>(prk: &'a Prk, info: &'a [&'a [u8]], len: L) -> Okm<'a, L> {
    prk.expand(info, len)
        .expect("a key is shorter than HKDF's limit")
}
