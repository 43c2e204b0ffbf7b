//! A sealer for tests.

use bytes::Bytes;

use crate::sealer::{OpenError, Purpose, SealError, Sealer};
use crate::transport::Misconduct;

/// Seals under a key that a test makes up, so that what was sealed under another does not open.
///
/// **Not for production**: nobody has examined how it is put together. A stream and a tag, both of
/// keyed BLAKE3 under a random nonce, with the purpose in front of both.
#[derive(Clone)]
pub struct TestSealer {
    key: [u8; 32],
}

impl TestSealer {
    const NONCE_LEN: usize = 16;
    const TAG_LEN: usize = 16;

    /// The sealer of everybody who names this seed.
    pub fn from_seed(seed: u64) -> Self {
        Self {
            key: blake3::derive_key("cache-core TestSealer", &seed.to_le_bytes()),
        }
    }

    fn hasher(&self, domain: u8, purpose: Purpose<'_>, nonce: &[u8]) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&[domain]);
        hasher.update(nonce);
        match purpose {
            Purpose::Request => hasher.update(&[1]),
            Purpose::Broadcast => hasher.update(&[2]),
            Purpose::Reply { to } => hasher.update(&[3]).update(blake3::hash(to).as_bytes()),
            Purpose::AtRest(key) => hasher
                .update(&[4])
                .update(key.family.as_bytes())
                .update(key.scope.as_bytes()),
        };
        hasher
    }

    /// Hides `text`, or shows it again.
    fn apply_stream(&self, purpose: Purpose<'_>, nonce: &[u8], text: &mut [u8]) {
        let mut stream = vec![0; text.len()];
        self.hasher(b's', purpose, nonce)
            .finalize_xof()
            .fill(&mut stream);
        for (byte, mask) in text.iter_mut().zip(stream) {
            *byte ^= mask;
        }
    }

    fn tag(&self, purpose: Purpose<'_>, nonce: &[u8], hidden: &[u8]) -> [u8; Self::TAG_LEN] {
        let mut tag = [0; Self::TAG_LEN];
        self.hasher(b't', purpose, nonce)
            .update(hidden)
            .finalize_xof()
            .fill(&mut tag);
        tag
    }
}

impl Sealer for TestSealer {
    fn seal(&self, purpose: Purpose<'_>, plaintext: &[u8]) -> Result<Bytes, SealError> {
        let nonce: [u8; Self::NONCE_LEN] = rand::random();
        let mut sealed = [&nonce, plaintext].concat();
        let hidden = &mut sealed[Self::NONCE_LEN..];
        self.apply_stream(purpose, &nonce, hidden);
        let tag = self.tag(purpose, &nonce, hidden);
        sealed.extend_from_slice(&tag);
        Ok(sealed.into())
    }

    fn open(&self, purpose: Purpose<'_>, sealed: Bytes) -> Result<Bytes, OpenError> {
        let parts = sealed
            .split_at_checked(Self::NONCE_LEN)
            .and_then(|(nonce, rest)| Some((nonce, rest.split_last_chunk()?)));
        let (nonce, (hidden, tag)) = parts.ok_or(OpenError(Misconduct::Malformed))?;
        if self.tag(purpose, nonce, hidden) != *tag {
            return Err(OpenError(Misconduct::Forged));
        }
        let mut text = hidden.to_vec();
        self.apply_stream(purpose, nonce, &mut text);
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests;
