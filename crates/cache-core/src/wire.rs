//! What members say to each other, and how it looks inside a frame.
//!
//! A frame is one version byte, one byte for the kind of message, and the message's fields in
//! [postcard](https://postcard.jamesmunns.com/wire-format). Members of different versions do not
//! guess at each other's frames; within a version, a kind that is not known is passed over, so
//! that kinds can be added.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::entry::Entry;
use crate::key::Key;
use crate::peer::PeerId;
use crate::report::MAX_REPORT;
use crate::time::MeshTime;
use crate::tombstone::Tombstone;
use crate::transport::MAX_FRAME;

pub use crate::catch_up::{Question, Reply};
pub use crate::digest::{Fingerprint, Heat, Known, Summary};
pub use crate::lease::{Acquire, Grant, LeaseId, Settle, Settlement};
pub use crate::renewal::Renewal;
pub use crate::report::Report;

/// The version that this code speaks.
pub const VERSION: u8 = 1;

/// Something that one member tells another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// "This is what I have under this key." Answered with [`Message::Ack`].
    Put(Put),
    /// "I have seen it", whether or not it was kept.
    Ack,
    /// "This is void." Answered with [`Message::Ack`].
    Invalidate(Tombstone),
    /// A question of a member that catches up. Answered with [`Message::Reply`].
    Ask(Question),
    /// The answer to [`Message::Ask`].
    Reply(Reply),
    /// "May I fetch this?" Answered with [`Message::Grant`].
    Acquire(Acquire),
    /// The answer to [`Message::Acquire`].
    Grant(Grant),
    /// "I have fetched, and there is nothing to keep." Answered with [`Message::Ack`].
    Settle(Settle),
    /// "This is how I stand." To one member it is a question, too: answered with that member's
    /// [`Message::Report`]; to all it is answered with [`Message::Ack`].
    Report(Report),
    /// "This is how to make what I have under this key of what you have." Answered with
    /// [`Message::Ack`].
    Renew(Renewal),
    /// "I have this, and whoever needs it can get it here." Answered with [`Message::Ack`].
    Announce(Announcement),
}

/// The payload of [`Message::Announce`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// What it is filed under.
    pub key: Key,
    /// When upstream produced it.
    pub stored_at: MeshTime,
    /// Who has it: whoever passes this on may not.
    pub holder: PeerId,
}

/// The payload of [`Message::Put`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Put {
    /// What the entry is filed under.
    pub key: Key,
    /// The version at hand.
    pub entry: Entry,
}

/// A frame that says nothing we can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Too large to be sent; it is kept on this node alone.
    #[error("a message of {size} bytes does not fit a frame of {limit}")]
    TooLarge {
        /// The message's length in bytes.
        size: usize,
        /// The longest that a frame holds.
        limit: usize,
    },
    /// The peer speaks another version: upgrade the older side.
    #[error("the peer speaks version {theirs} of the protocol, we speak {VERSION}: upgrade {}", older(*.theirs))]
    Version {
        /// The version that the peer's frame names.
        theirs: u8,
    },
    /// A kind of message that a later release has added: pass over it.
    #[error("messages of kind {0} are not known here")]
    UnknownKind(u8),
    /// The frame breaks off or holds something else than it says.
    #[error("the frame is malformed: {0}")]
    Malformed(#[from] postcard::Error),
    /// The frame goes on after its message has ended.
    #[error("the frame has {0} bytes too many")]
    TrailingBytes(usize),
    /// The frame is empty, or ends before its kind.
    #[error("the frame has no header")]
    NoHeader,
}

/// The kinds of messages by their number on the wire. A number is never used twice.
mod kind {
    pub(super) const PUT: u8 = 1;
    pub(super) const ACK: u8 = 2;
    pub(super) const INVALIDATE: u8 = 3;
    pub(super) const ASK: u8 = 4;
    pub(super) const REPLY: u8 = 5;
    pub(super) const ACQUIRE: u8 = 6;
    pub(super) const GRANT: u8 = 7;
    pub(super) const SETTLE: u8 = 8;
    pub(super) const REPORT: u8 = 9;
    pub(super) const RENEW: u8 = 10;
    pub(super) const ANNOUNCE: u8 = 11;
}

/// What a frame holds beside a value: key, stamp, lifetime, origin, path and lengths at their
/// longest.
const ENVELOPE_RESERVE: usize = 4096;

/// Longer values are announced to many peers, and pushed to few, in bytes.
pub(crate) const LONG: usize = 64 * 1024;

/// The longest value that fits a frame, in bytes.
pub const MAX_VALUE: usize = MAX_FRAME - ENVELOPE_RESERVE;

impl Message {
    /// The message as a frame.
    pub fn encode(&self) -> Result<Bytes, WireError> {
        let frame = match self {
            Self::Put(put) => {
                let value = put.entry.value().len();
                // Checked before the copy is made.
                if value > MAX_VALUE {
                    return Err(too_large(value));
                }
                frame(kind::PUT, put, value)?
            }
            Self::Ack => frame(kind::ACK, &(), 0)?,
            Self::Invalidate(tombstone) => frame(kind::INVALIDATE, tombstone, 0)?,
            Self::Ask(question) => frame(kind::ASK, question, 0)?,
            Self::Reply(reply) => frame(kind::REPLY, reply, 0)?,
            Self::Acquire(question) => frame(kind::ACQUIRE, question, 0)?,
            Self::Grant(grant) => frame(kind::GRANT, grant, grant.value_len())?,
            Self::Settle(settle) => frame(kind::SETTLE, settle, 0)?,
            Self::Report(report) => frame(kind::REPORT, report, 0)?,
            Self::Renew(renewal) => frame(kind::RENEW, renewal, renewal.head.len())?,
            Self::Announce(announcement) => frame(kind::ANNOUNCE, announcement, 0)?,
        };
        if frame.len() > MAX_FRAME {
            return Err(too_large(frame.len()));
        }
        Ok(frame.into())
    }

    /// The message in a frame. Whatever the bytes are, no more memory is taken than they occupy.
    pub fn decode(frame: &[u8]) -> Result<Self, WireError> {
        if frame.len() > MAX_FRAME {
            return Err(too_large(frame.len()));
        }
        let (&version, rest) = frame.split_first().ok_or(WireError::NoHeader)?;
        if version != VERSION {
            return Err(WireError::Version { theirs: version });
        }
        let (&kind, fields) = rest.split_first().ok_or(WireError::NoHeader)?;
        let (message, rest) = match kind {
            kind::PUT => fields_of(fields, Self::Put)?,
            kind::ACK => (Self::Ack, fields),
            kind::INVALIDATE => fields_of(fields, Self::Invalidate)?,
            kind::ASK => fields_of(fields, Self::Ask)?,
            kind::REPLY => fields_of(fields, Self::Reply)?,
            kind::ACQUIRE => fields_of(fields, Self::Acquire)?,
            kind::GRANT => fields_of(fields, Self::Grant)?,
            kind::SETTLE => fields_of(fields, Self::Settle)?,
            // Many small fields would take up more than their bytes.
            kind::REPORT if fields.len() > MAX_REPORT => return Err(too_large(fields.len())),
            kind::REPORT => fields_of(fields, Self::Report)?,
            kind::RENEW => fields_of(fields, Self::Renew)?,
            kind::ANNOUNCE => fields_of(fields, Self::Announce)?,
            unknown => return Err(WireError::UnknownKind(unknown)),
        };
        if rest.is_empty() {
            Ok(message)
        } else {
            Err(WireError::TrailingBytes(rest.len()))
        }
    }
}

/// A frame of these fields, among which there is a value of so many bytes.
fn frame(kind: u8, fields: &impl Serialize, value: usize) -> Result<Vec<u8>, WireError> {
    let mut frame = Vec::with_capacity(value + 256);
    frame.extend_from_slice(&[VERSION, kind]);
    Ok(postcard::to_extend(fields, frame)?)
}

fn fields_of<'f, T: Deserialize<'f>>(
    fields: &'f [u8],
    message: impl FnOnce(T) -> Message,
) -> Result<(Message, &'f [u8]), WireError> {
    let (fields, rest) = postcard::take_from_bytes(fields)?;
    Ok((message(fields), rest))
}

fn too_large(size: usize) -> WireError {
    WireError::TooLarge {
        size,
        limit: MAX_FRAME,
    }
}

fn older(theirs: u8) -> &'static str {
    if theirs < VERSION {
        "the peer"
    } else {
        "this node"
    }
}

#[cfg(test)]
mod tests;
