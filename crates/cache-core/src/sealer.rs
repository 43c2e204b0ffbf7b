//! The seam to cryptography: nothing leaves the process unsealed.

use bytes::Bytes;

use crate::key::Key;
use crate::transport::Misconduct;

/// Seals what leaves the process, and opens what comes in.
///
/// Sealing gives secrecy and authenticity: what opens was sealed by a holder of the same secret,
/// for the same [`Purpose`], and has not been altered. It says nothing about age or order; a
/// sealed frame that is sent again opens again.
pub trait Sealer: Send + Sync + 'static {
    /// Seals `plaintext` for one purpose.
    fn seal(&self, purpose: Purpose<'_>, plaintext: &[u8]) -> Result<Bytes, SealError>;

    /// Opens what was sealed for the same purpose; where it lies, unless somebody else holds a clone.
    fn open(&self, purpose: Purpose<'_>, sealed: Bytes) -> Result<Bytes, OpenError>;

    /// Whether something that opens was sealed under a secret that another is taking the place of.
    /// What is kept for long is then sealed anew, as long as both are at hand.
    fn is_outdated(&self, sealed: &[u8]) -> bool {
        let _ = sealed;
        false
    }
}

/// What something is sealed for. What was sealed for one purpose does not open for another, so
/// nothing that one member said can be replayed as if it had said something else.
///
/// Exhaustive on purpose: a [`Sealer`] that has not been taught a new purpose must not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// A question to one peer.
    Request,
    /// A frame for everybody.
    Broadcast,
    /// The answer to one sealed request, and to no other.
    Reply {
        /// The request as it went over the wire.
        to: &'a [u8],
    },
    /// An entry on disk, under its key.
    AtRest(&'a Key),
}

/// Nothing was sealed, so nothing may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The plaintext is over the limit of a frame.
    #[error("{0} bytes are too many for one frame")]
    TooLarge(usize),
    /// No fresh nonce is left under this key. A new process has a new key.
    #[error("this process has used up its sealing key; restart it")]
    Exhausted,
}

/// It does not open, and this is what to make of it, judged by what everybody can see of it: for our
/// own counters, and for whom we let in. The message does not tell the reason, which would help only
/// a forger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frame does not open under this fleet's key")]
pub struct OpenError(pub Misconduct);
