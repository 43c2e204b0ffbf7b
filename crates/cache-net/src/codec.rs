//! Frames as they stand on a stream: one byte of kind, four of length, the bytes themselves.
//!
//! libp2p's own `cbor` and `json` codecs cut a message that is too long without a word. Here the
//! length comes first and is checked before any room is made for what it promises.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use cache_core::{FrameKind, MAX_FRAME};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response::Codec;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use crate::config::Limits;
use crate::metrics::Counters;

#[cfg(test)]
mod tests;

/// The name under which frames are negotiated. It changes when the layout does.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/ghmesh/frame/1");

const HEADER: usize = 5;

/// How much room is made before the first byte has come; from there on, as much again as has come.
const FIRST_STEP: usize = 16 * 1024;

const REQUEST: u8 = 0;
const BROADCAST: u8 = 1;

const ANSWERED: u8 = 0;
const DECLINED: u8 = 1;
const BUSY: u8 = 2;

/// A frame on its way to a peer.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: FrameKind,
    pub(crate) payload: Bytes,
    /// Cancelled when nobody waits for the reply any more. Of a peer's frame it tells nothing.
    pub(crate) given_up: CancellationToken,
}

impl Frame {
    pub(crate) fn new(kind: FrameKind, payload: Bytes) -> Self {
        Self {
            kind,
            payload,
            given_up: CancellationToken::new(),
        }
    }
}

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
    #[error("nobody waits for the reply any more")]
    GivenUp,
}

impl ProtocolError {
    /// Whether a stream was given up because of what no peer in good order sends. A member whose
    /// limit is above ours is in good order, up to what a frame may ever be.
    pub(crate) fn is_offence(error: &io::Error) -> bool {
        match Self::inside(error) {
            Some(Self::TooLarge { size, limit }) => *size > MAX_FRAME.max(*limit),
            Some(Self::UnknownKind(_)) => true,
            Some(Self::NoRoom | Self::GivenUp) | None => false,
        }
    }

    /// What is inside an [`io::Error`], where it is one of these.
    fn inside(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<ProtocolError> for io::Error {
    fn from(error: ProtocolError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// The codec for libp2p's request-response.
#[derive(Clone, Debug)]
pub(crate) struct FrameCodec {
    /// The longest payload in bytes, either way.
    limit: usize,
    /// One permit for each byte beyond the first step of what may be read at one time, on all
    /// streams of all connections.
    room: Arc<Semaphore>,
    /// libp2p keeps to itself why a frame was not read.
    counters: Arc<Counters>,
    /// That of the frame which this stream carries: libp2p has a clone of the codec for each, and
    /// no way of its own to take a frame back.
    given_up: CancellationToken,
}

impl FrameCodec {
    pub(crate) fn new(limits: &Limits, counters: Arc<Counters>) -> Self {
        let room = limits.inbound_bytes.max(limits.frame);
        Self {
            limit: limits.frame,
            room: Arc::new(Semaphore::new(room.min(Semaphore::MAX_PERMITS))),
            counters,
            given_up: CancellationToken::new(),
        }
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
}

impl Codec for FrameCodec {
    type Protocol = StreamProtocol;
    type Request = Frame;
    type Response = Reply;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Frame>
    where
        T: AsyncRead + Unpin + Send,
    {
        let (kind, payload) = read(io, self).await?;
        let kind = match kind {
            REQUEST => FrameKind::Request,
            BROADCAST => FrameKind::Broadcast,
            unknown => return Err(ProtocolError::UnknownKind(unknown).into()),
        };
        Ok(Frame::new(kind, payload))
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Reply>
    where
        T: AsyncRead + Unpin + Send,
    {
        match while_wanted(&self.given_up, read(io, self)).await? {
            (ANSWERED, payload) => Ok(Reply::Answered(payload)),
            (DECLINED, _) => Ok(Reply::Declined),
            (BUSY, _) => Ok(Reply::Busy),
            (unknown, _) => Err(ProtocolError::UnknownKind(unknown).into()),
        }
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        frame: Frame,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let kind = match frame.kind {
            FrameKind::Request => REQUEST,
            FrameKind::Broadcast => BROADCAST,
        };
        self.given_up = frame.given_up;
        let written = write(io, self.limit, kind, &frame.payload);
        while_wanted(&self.given_up, written).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        reply: Reply,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        match reply {
            Reply::Answered(payload) => write(io, self.limit, ANSWERED, &payload).await,
            Reply::Declined => write(io, self.limit, DECLINED, &[]).await,
            Reply::Busy => write(io, self.limit, BUSY, &[]).await,
        }
    }
}

/// Fails as soon as nobody waits for the outcome: libp2p then resets the stream.
async fn while_wanted<T>(
    given_up: &CancellationToken,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let outcome = given_up.run_until_cancelled(work).await;
    outcome.unwrap_or_else(|| Err(ProtocolError::GivenUp.into()))
}

async fn read<T: AsyncRead + Unpin>(io: &mut T, codec: &FrameCodec) -> io::Result<(u8, Bytes)> {
    let limit = codec.limit;
    let mut header = [0; HEADER];
    io.read_exact(&mut header).await?;
    let [kind, length @ ..] = header;
    let size = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if size > limit {
        return Err(ProtocolError::TooLarge { size, limit }.into());
    }

    // Room grows with what arrives, not with what was announced: a peer that announces 8 MiB and
    // sends nothing ties up 16 KiB. The first step needs no permit, so that many who send half of
    // a large frame keep nobody from sending a small one.
    let mut payload = Vec::new();
    let mut taken = Vec::new();
    while payload.len() < size {
        let filled = payload.len();
        let step = filled.max(FIRST_STEP).min(size - filled);
        if filled > 0 {
            taken.push(codec.take(step)?);
        }
        payload.reserve_exact(step);
        payload.resize(filled + step, 0);
        io.read_exact(&mut payload[filled..]).await?;
    }
    Ok((kind, payload.into()))
}

async fn write<T: AsyncWrite + Unpin>(
    io: &mut T,
    limit: usize,
    kind: u8,
    payload: &[u8],
) -> io::Result<()> {
    let size = payload.len();
    let length = u32::try_from(size)
        .ok()
        .filter(|_| size <= limit)
        .ok_or(ProtocolError::TooLarge { size, limit })?;

    // Every write becomes a yamux frame and a Noise message of its own, so that a small frame goes
    // out in one piece with its header.
    let (first, rest) = payload.split_at(size.min(FIRST_STEP - HEADER));
    let mut head = Vec::with_capacity(HEADER + first.len());
    head.push(kind);
    head.extend_from_slice(&length.to_be_bytes());
    head.extend_from_slice(first);
    io.write_all(&head).await?;
    io.write_all(rest).await
}
