//! The keys of one fleet, and sealing with them.

use std::{fmt, iter};

use bytes::{Bytes, BytesMut};
use cache_core::{MAX_FRAME, Misconduct, OpenError, Purpose, SealError, Sealer};

use crate::compress::Packer;
use crate::derive::{self, DerivedKey, Label};
use crate::envelope::{HEADER_LEN, Header, MAX_PLAINTEXT, OTHER_VERSIONS, TAG_LEN};
use crate::process_keys::{OpeningKeys, SealingKey};
use crate::secret::{Fingerprint, NoRandomness, Secret};

#[cfg(test)]
mod tests;

/// All keys that come from one [`Secret`], each for one use; and, while secrets are changed, what
/// it takes to open what is sealed under [another](Self::with_previous).
///
/// It seals frames under one key and what is kept on disk under another. It is not `Clone`,
/// because a copy would use the same nonces again: share it in an [`Arc`](std::sync::Arc). Two
/// that are made from one secret are as good as two processes.
///
/// The keys that it holds as bytes are wiped from memory when it is dropped. Not wiped are the
/// expanded AES keys and what is left of deriving them, both inside *ring*, which offers no way to,
/// and what a move left behind on a stack. No key can be compared, so no comparison can take a time
/// that tells something; tags are compared by *ring*, in constant time. `Debug` and `Display` show
/// [`Fingerprint`]s.
pub struct Keyring {
    current: Keys,
    previous: Option<Keys>,
    frames: SealingKey,
    store: SealingKey,
    packer: Packer,
}

impl Keyring {
    /// Derives the keys, and draws the random bits that make this process's own.
    pub fn new(secret: &Secret) -> Result<Self, NoRandomness> {
        let current = Keys::new(secret);
        let own = |opens: &OpeningKeys| SealingKey::new(opens.source(), current.fingerprint);
        Ok(Self {
            frames: own(&current.frames)?,
            store: own(&current.store)?,
            current,
            previous: None,
            packer: Packer::default(),
        })
    }

    /// Opens what is sealed under `secret`, too; nothing is ever sealed under it.
    ///
    /// It is the secret that is going, or the one that is coming: see [rotation](crate#rotation).
    /// The secret that the keyring was made from already changes nothing.
    #[must_use]
    pub fn with_previous(mut self, secret: &Secret) -> Self {
        let previous = Keys::new(secret);
        self.previous = (previous.fingerprint != self.current.fingerprint).then_some(previous);
        self
    }

    /// Proves membership while a connection is set up. Noise takes it as its prologue: with
    /// another one the handshake fails.
    pub const fn membership(&self) -> &DerivedKey {
        &self.current.membership
    }

    /// Proves membership to those who have only the [previous](Self::with_previous) secret.
    pub fn previous_membership(&self) -> Option<&DerivedKey> {
        self.previous.as_ref().map(|keys| &keys.membership)
    }

    /// The key under which credentials are digested. Members reach the same digests; nobody else
    /// can check a guess at a credential against one.
    ///
    /// It comes from the current secret alone, so that a credential is one principal on one node.
    /// [Rotation](crate#rotation) tells what that costs.
    pub const fn principals(&self) -> &DerivedKey {
        &self.current.principals
    }

    /// The key under which anything else is digested that has to be compared where it must not be
    /// read: for users of their own stores. Nothing in this workspace uses it; the store on disk files
    /// its rows under digests of questions that have no key, for reasons that the README tells.
    pub const fn digests(&self) -> &DerivedKey {
        &self.current.digests
    }

    /// What may be shown of the secret.
    pub const fn fingerprint(&self) -> Fingerprint {
        self.current.fingerprint
    }

    /// The keys of the secret of ours that has this name.
    ///
    /// Two secrets that somebody draws have the same one by accident once in 2⁴⁸ times. Who draws
    /// very many finds two that share one after about 2²⁴ (the birthday bound), and for a given
    /// secret a second one after 2⁴⁸; what he wins is that a fleet which is given both does not
    /// open what is sealed under the previous one. A name opens nothing: keys have 256 bits.
    fn named(&self, fingerprint: Fingerprint) -> Option<&Keys> {
        let mut all = iter::once(&self.current).chain(&self.previous);
        all.find(|keys| keys.fingerprint == fingerprint)
    }

    /// What an envelope says of itself, and the keys that it names.
    fn look_at(&self, sealed: &[u8]) -> Result<(Header, &Keys), Misconduct> {
        // Without this, of anything at all 255 in 256 would pass for another version.
        if !(HEADER_LEN + TAG_LEN..=MAX_FRAME).contains(&sealed.len()) {
            return Err(Misconduct::Malformed);
        }
        if OTHER_VERSIONS.contains(&sealed[0]) {
            return Err(Misconduct::OtherVersion);
        }
        let header = Header::parse(sealed).ok_or(Misconduct::Malformed)?;
        let keys = self.named(header.fingerprint);
        Ok((header, keys.ok_or(Misconduct::OtherSecret)?))
    }
}

impl Sealer for Keyring {
    fn seal(&self, purpose: Purpose<'_>, plaintext: &[u8]) -> Result<Bytes, SealError> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(SealError::TooLarge(plaintext.len()));
        }
        let key = match purpose {
            Purpose::Request | Purpose::Broadcast | Purpose::Reply { .. } => &self.frames,
            Purpose::AtRest(_) => &self.store,
        };
        // The one buffer: what is sealed is packed into it, and encrypted where it lies.
        let mut buffer = Vec::with_capacity(HEADER_LEN + plaintext.len() + TAG_LEN);
        buffer.resize(HEADER_LEN, 0);
        let form = self.packer.pack(plaintext, &mut buffer);
        key.seal(purpose, form, &mut buffer)?;
        Ok(buffer.into())
    }

    fn open(&self, purpose: Purpose<'_>, sealed: Bytes) -> Result<Bytes, OpenError> {
        let (header, keys) = self.look_at(&sealed).map_err(OpenError)?;
        let mut buffer = BytesMut::from(sealed);
        keys.opens(purpose).open(purpose, &header, &mut buffer)?;
        self.packer.unpack(header.form, buffer)
    }

    fn is_outdated(&self, sealed: &[u8]) -> bool {
        Header::parse(sealed).is_some_and(|header| header.fingerprint != self.current.fingerprint)
    }
}

impl fmt::Display for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.current.fingerprint.fmt(f)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({}", self.current.fingerprint)?;
        if let Some(previous) = &self.previous {
            write!(f, ", previous {}", previous.fingerprint)?;
        }
        f.write_str(")")
    }
}

/// What comes from one secret. Nothing in it seals.
struct Keys {
    fingerprint: Fingerprint,
    membership: DerivedKey,
    principals: DerivedKey,
    digests: DerivedKey,
    frames: OpeningKeys,
    store: OpeningKeys,
}

impl Keys {
    fn new(secret: &Secret) -> Self {
        let derive = |label| derive::expand(secret.root(), label);
        Self {
            fingerprint: secret.fingerprint(),
            membership: derive(Label::Membership),
            principals: derive(Label::Principals),
            digests: derive(Label::Digests),
            frames: OpeningKeys::new(derive(Label::Frames)),
            store: OpeningKeys::new(derive(Label::Store)),
        }
    }

    const fn opens(&self, purpose: Purpose<'_>) -> &OpeningKeys {
        match purpose {
            Purpose::Request | Purpose::Broadcast | Purpose::Reply { .. } => &self.frames,
            Purpose::AtRest(_) => &self.store,
        }
    }
}
