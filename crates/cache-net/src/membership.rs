//! The key that makes a peer a member.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// What all members hold and nobody else does.
///
/// It is the prologue of Noise's handshake, which both sides mix into the transcript and neither
/// sends: with another key the first encrypted message does not open, and there is no connection
/// ([Noise Protocol Framework, revision 34], section 6). Derive it from the fleet's secret, for this
/// use alone.
///
/// A prologue goes into the hash that authenticates, and not into the keys that encrypt (sections
/// 5.2 and 6). So who dials without it cannot go on after message 2 of XX, but can decrypt what that
/// message says: the static key and the peer id of the side that was dialled.
///
/// [Noise Protocol Framework, revision 34]: https://noiseprotocol.org/noise.html
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Membership([u8; 32]);

impl Membership {
    /// The membership of everybody who holds `key`.
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// What is told in clear before the handshake, so that two who have more than one find the one
    /// that they share. It says nothing of the key, but lets a guess at it be checked.
    pub(crate) fn name(&self) -> String {
        let digest = blake3::derive_key("ghmesh 2026 name of a membership v1", &self.0);
        let [a, b, c, d, ..] = digest;
        format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
    }

    /// The bytes for [`libp2p::noise::Config::with_prologue`].
    pub(crate) fn prologue(&self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl From<[u8; 32]> for Membership {
    fn from(key: [u8; 32]) -> Self {
        Self::new(key)
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Membership(..)")
    }
}
