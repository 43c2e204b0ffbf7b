//! The bytes of an answer, and how they are sent.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use tokio::{task, time};

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The largest piece that a body is sent in.
const PIECE: usize = 64 * 1024;

/// How many pieces a slow body is sent in, where they do not get too large.
const SLOW_PIECES: usize = 16;

/// What a body consists of.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    Whole(Bytes),
    /// So many bytes, made while they are sent.
    Generated(u64),
}

/// How a body is sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    /// As fast as the client takes it.
    Whole,
    /// With a pause before each piece.
    Slow(Duration),
    /// Half of what `Content-Length` promises.
    CutDeclared,
    /// Half of it in chunks, without the one that ends them.
    CutChunked,
}

impl Default for Payload {
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl Payload {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Generated(len) => *len,
        }
    }

    pub(super) fn sent(self, manner: Manner) -> Body {
        match manner {
            Manner::Whole => self.whole(),
            Manner::Slow(pause) => self.slow(pause),
            Manner::CutDeclared | Manner::CutChunked => self.half(),
        }
    }

    fn whole(self) -> Body {
        match self {
            Self::Whole(bytes) => Full::new(bytes)
                .map_err(|never| match never {})
                .boxed_unsync(),
            Self::Generated(_) => boxed(self.pieces(PIECE).map(Ok)),
        }
    }

    fn slow(self, pause: Duration) -> Body {
        let size = usize::try_from(self.len())
            .unwrap_or(PIECE)
            .div_ceil(SLOW_PIECES)
            .clamp(1, PIECE);
        boxed(self.pieces(size).then(move |piece| async move {
            time::sleep(pause).await;
            Ok(piece)
        }))
    }

    /// Half of it, and then an error, at which the server closes the connection.
    fn half(self) -> Body {
        let half = match self {
            Self::Whole(bytes) => Self::Whole(bytes.slice(..bytes.len() / 2)),
            Self::Generated(len) => Self::Generated(len / 2),
        };
        let pieces = half.pieces(PIECE).then(|piece| async {
            // The server flushes while the body has nothing for it. Without the pause the error
            // would overtake what is still in its buffer.
            task::yield_now().await;
            Ok(piece)
        });
        let end = stream::once(async {
            task::yield_now().await;
            Err(io::Error::other("the body was to break off here"))
        });
        boxed(pieces.chain(end))
    }

    /// It in pieces of `size` bytes, at most [`PIECE`], the last of which may be shorter.
    fn pieces(self, size: usize) -> impl Stream<Item = Bytes> + Send + use<> {
        // Long enough to cut a piece out of it that begins with any byte.
        let pattern: Bytes = match self {
            Self::Whole(_) => Bytes::new(),
            Self::Generated(_) => (0..=u8::MAX).cycle().take(PIECE + 256).collect(),
        };
        stream::iter((0..self.len()).step_by(size).map(move |at| {
            let rest = self.len() - at;
            let len = usize::try_from(rest).map_or(size, |rest| rest.min(size));
            match &self {
                Self::Whole(bytes) => {
                    let at = bytes.len() - usize::try_from(rest).unwrap_or_default();
                    bytes.slice(at..at + len)
                }
                Self::Generated(_) => {
                    let first = usize::from(at.to_le_bytes()[0]);
                    pattern.slice(first..first + len)
                }
            }
        }))
    }
}

fn boxed(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(pieces.map(|piece| piece.map(Frame::data))).boxed_unsync()
}

#[cfg(test)]
mod tests;
