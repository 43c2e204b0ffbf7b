//! The keys of one fleet, and sealing with them.

use std::fmt;

use bytes::Bytes;
use cache_core::{MAX_FRAME, OpenError, Purpose, SealError, Sealer};

use crate::compress::Packer;
use crate::derive::{self, DerivedKey, Label};
use crate::envelope::{HEADER_LEN, MAX_PLAINTEXT, TAG_LEN};
use crate::process_keys::ProcessKeys;
use crate::secret::{Fingerprint, NoRandomness, Secret};

#[cfg(test)]
mod tests;

/// All keys that come from one [`Secret`], each for one use.
///
/// It seals frames under one key and what is kept on disk under another. It is not `Clone`,
/// because a copy would use the same nonces again: share it in an [`Arc`](std::sync::Arc). Two
/// that are made from one secret are as good as two processes.
///
/// The keys are wiped from memory when it is dropped, except the expanded AES keys inside *ring*,
/// which offers no way to. `Debug` shows the [`Fingerprint`].
pub struct Keyring {
    fingerprint: Fingerprint,
    membership: DerivedKey,
    principals: DerivedKey,
    frames: ProcessKeys,
    store: ProcessKeys,
    packer: Packer,
}

impl Keyring {
    /// Derives the keys, and draws the random bits that make this process's own.
    pub fn new(secret: &Secret) -> Result<Self, NoRandomness> {
        let fingerprint = secret.fingerprint();
        let derive = |label| derive::expand(secret.root(), label);
        Ok(Self {
            fingerprint,
            membership: derive(Label::Membership),
            principals: derive(Label::Principals),
            frames: ProcessKeys::new(derive(Label::Frames), fingerprint)?,
            store: ProcessKeys::new(derive(Label::Store), fingerprint)?,
            packer: Packer::default(),
        })
    }

    /// Proves membership while a connection is set up. Noise takes it as its prologue: with
    /// another one the handshake fails.
    pub const fn membership(&self) -> &DerivedKey {
        &self.membership
    }

    /// The key under which credentials are digested. Members reach the same digests; nobody else
    /// can check a guess at a credential against one.
    pub const fn principals(&self) -> &DerivedKey {
        &self.principals
    }

    /// What may be shown of the secret.
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    const fn keys_for(&self, purpose: Purpose<'_>) -> &ProcessKeys {
        match purpose {
            Purpose::Request | Purpose::Broadcast | Purpose::Reply { .. } => &self.frames,
            Purpose::AtRest(_) => &self.store,
        }
    }
}

impl Sealer for Keyring {
    fn seal(&self, purpose: Purpose<'_>, plaintext: &[u8]) -> Result<Bytes, SealError> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(SealError::TooLarge(plaintext.len()));
        }
        let mut buffer = Vec::with_capacity(HEADER_LEN + 1 + plaintext.len() + TAG_LEN);
        buffer.resize(HEADER_LEN, 0);
        self.packer.pack(plaintext, &mut buffer);
        self.keys_for(purpose).seal(purpose, &mut buffer)?;
        Ok(buffer.into())
    }

    fn open(&self, purpose: Purpose<'_>, sealed: &[u8]) -> Result<Bytes, OpenError> {
        if sealed.len() > MAX_FRAME {
            return Err(OpenError);
        }
        let packed = self.keys_for(purpose).open(purpose, sealed)?;
        self.packer.unpack(packed)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({})", self.fingerprint)
    }
}
