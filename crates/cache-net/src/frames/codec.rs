//! Frames as they stand on a stream: one byte of kind, four of length, the bytes themselves. After
//! each comes its reply, of the same shape, and after the reply the next.
//!
//! The length comes first, and is checked before any room is made for what it promises.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use cache_core::{FrameKind, MAX_FRAME};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::Limits;
use crate::metrics::Counters;

#[cfg(test)]
mod tests;

const LENGTH: usize = 4;

/// What stands before each payload.
pub(super) const HEADER: usize = 1 + LENGTH;

/// How much room is made before the first byte has come; from there on, as much again as has come.
const FIRST_STEP: usize = 16 * 1024;

const REQUEST: u8 = 0;
const BROADCAST: u8 = 1;

const ANSWERED: u8 = 0;
const DECLINED: u8 = 1;
const BUSY: u8 = 2;

/// What comes back for a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The answer; to a broadcast, the acknowledgement.
    Answered(Bytes),
    /// There will be no answer.
    Declined,
    /// There was no room to queue the frame.
    Busy,
}

/// Why a stream was given up. It travels inside an [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProtocolError {
    #[error("a frame of {size} bytes was announced, {limit} are allowed")]
    TooLarge { size: usize, limit: usize },
    #[error("unknown kind {0}")]
    UnknownKind(u8),
    #[error("too much is being read already")]
    NoRoom,
    #[error("something came out of turn")]
    OutOfTurn,
    #[error("a refusal with something in it")]
    RefusalWithPayload,
}

impl ProtocolError {
    /// Whether a stream was given up because of what no peer in good order sends. A member whose
    /// limit is above ours is in good order, up to what a frame may ever be.
    pub(crate) fn is_offence(error: &io::Error) -> bool {
        match Self::inside(error) {
            Some(Self::TooLarge { size, limit }) => *size > MAX_FRAME.max(*limit),
            Some(Self::UnknownKind(_) | Self::OutOfTurn | Self::RefusalWithPayload) => true,
            Some(Self::NoRoom) | None => false,
        }
    }

    fn inside(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<ProtocolError> for io::Error {
    fn from(error: ProtocolError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

impl Reply {
    /// How many bytes it carries.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Answered(answer) => answer.len(),
            Self::Declined | Self::Busy => 0,
        }
    }
}

/// Reads and writes frames and replies. Clones share the room there is for what is being read.
#[derive(Clone, Debug)]
pub(crate) struct Codec {
    /// The longest payload in bytes, either way.
    limit: usize,
    /// One permit for each byte beyond the first step of what may be read at one time, on all
    /// streams of all connections.
    room: Arc<Semaphore>,
    counters: Arc<Counters>,
}

impl Codec {
    pub(crate) fn new(limits: &Limits, counters: Arc<Counters>) -> Self {
        let room = limits.inbound_bytes.max(limits.frame);
        Self {
            limit: limits.frame,
            room: Arc::new(Semaphore::new(room.min(Semaphore::MAX_PERMITS))),
            counters,
        }
    }

    /// The kind of the next frame, once it begins; `None` where there will be none.
    pub(crate) async fn read_kind(
        &self,
        io: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<Option<FrameKind>> {
        let mut kind = [0];
        match (io.read(&mut kind).await?, kind) {
            (0, _) => Ok(None),
            (_, [REQUEST]) => Ok(Some(FrameKind::Request)),
            (_, [BROADCAST]) => Ok(Some(FrameKind::Broadcast)),
            (_, [unknown]) => Err(ProtocolError::UnknownKind(unknown).into()),
        }
    }

    /// What is in a frame whose kind was read.
    pub(crate) async fn read_payload(
        &self,
        io: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<Bytes> {
        let mut length = [0; LENGTH];
        io.read_exact(&mut length).await?;
        self.read(io, length).await
    }

    pub(crate) async fn read_reply(&self, io: &mut (impl AsyncRead + Unpin)) -> io::Result<Reply> {
        let mut header = [0; HEADER];
        io.read_exact(&mut header).await?;
        let [kind, length @ ..] = header;
        match kind {
            ANSWERED => Ok(Reply::Answered(self.read(io, length).await?)),
            DECLINED | BUSY if length != [0; LENGTH] => {
                Err(ProtocolError::RefusalWithPayload.into())
            }
            DECLINED => Ok(Reply::Declined),
            BUSY => Ok(Reply::Busy),
            unknown => Err(ProtocolError::UnknownKind(unknown).into()),
        }
    }

    pub(crate) async fn write_frame(
        &self,
        io: &mut (impl AsyncWrite + Unpin),
        kind: FrameKind,
        payload: &[u8],
    ) -> io::Result<()> {
        let kind = match kind {
            FrameKind::Request => REQUEST,
            FrameKind::Broadcast => BROADCAST,
        };
        self.write(io, kind, payload).await
    }

    pub(crate) async fn write_reply(
        &self,
        io: &mut (impl AsyncWrite + Unpin),
        reply: &Reply,
    ) -> io::Result<()> {
        match reply {
            Reply::Answered(payload) => self.write(io, ANSWERED, payload).await,
            Reply::Declined => self.write(io, DECLINED, &[]).await,
            Reply::Busy => self.write(io, BUSY, &[]).await,
        }
    }

    async fn read(
        &self,
        io: &mut (impl AsyncRead + Unpin),
        length: [u8; LENGTH],
    ) -> io::Result<Bytes> {
        let limit = self.limit;
        let size = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if size > limit {
            return Err(ProtocolError::TooLarge { size, limit }.into());
        }

        // Room grows with what arrives, not with what was announced: a peer that announces 8 MiB
        // and sends nothing ties up 16 KiB. The first step needs no permit, so that many who send
        // half of a large frame keep nobody from sending a small one.
        let mut payload = Vec::new();
        let mut taken = Vec::new();
        while payload.len() < size {
            let filled = payload.len();
            let step = filled.max(FIRST_STEP).min(size - filled);
            if filled > 0 {
                taken.push(self.take(step)?);
            }
            payload.reserve_exact(step);
            payload.resize(filled + step, 0);
            io.read_exact(&mut payload[filled..]).await?;
        }
        Ok(payload.into())
    }

    /// Room for so many bytes more of a frame.
    fn take(&self, bytes: usize) -> io::Result<SemaphorePermit<'_>> {
        let permits = u32::try_from(bytes).ok();
        let room = permits.and_then(|permits| self.room.try_acquire_many(permits).ok());
        room.ok_or_else(|| {
            self.counters.no_room.one();
            ProtocolError::NoRoom.into()
        })
    }

    async fn write(
        &self,
        io: &mut (impl AsyncWrite + Unpin),
        kind: u8,
        payload: &[u8],
    ) -> io::Result<()> {
        let (size, limit) = (payload.len(), self.limit);
        let length = u32::try_from(size)
            .ok()
            .filter(|_| size <= limit)
            .ok_or(ProtocolError::TooLarge { size, limit })?;

        // Every write becomes a yamux frame and a Noise message of its own, so that a small frame
        // goes out in one piece with its header.
        let (first, rest) = payload.split_at(size.min(FIRST_STEP - HEADER));
        let mut head = Vec::with_capacity(HEADER + first.len());
        head.push(kind);
        head.extend_from_slice(&length.to_be_bytes());
        head.extend_from_slice(first);
        io.write_all(&head).await?;
        io.write_all(rest).await?;
        io.flush().await
    }
}
