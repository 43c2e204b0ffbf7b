//! Reading a body into memory, as far as it will go.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use tokio::sync::Semaphore;
use tokio::task;
use tokio::time::{self, Instant};

use crate::body::{Body, BoxError};
use crate::fetch::PATIENCE;

/// What all bodies that are being read may occupy, in bytes. One for which there is no room left is
/// passed on as it comes, and not kept.
const ROOM: usize = 256 * 1024 * 1024;

/// The room for bodies that are being read into memory. It is taken as they arrive: those that are
/// waited for take none.
#[derive(Debug)]
pub(crate) struct Room(Semaphore);

impl Room {
    pub(crate) fn new() -> Self {
        Self::of(ROOM)
    }

    fn of(bytes: usize) -> Self {
        Self(Semaphore::new(bytes))
    }
}

/// What has become of a body.
pub(crate) enum Collected {
    Complete(Bytes),
    /// The body is too large or too slow, it broke off, or there is no room for it: what has
    /// arrived, and then what follows.
    Unfinished(Body),
}

/// Reads a body to its end, as long as it keeps within `limit` bytes and [`PATIENCE`], and there is
/// room. One that stalls would otherwise keep all who wait for it.
pub(crate) async fn collect(mut body: Body, limit: usize, room: &Room) -> Collected {
    if body.size_hint().lower() > limit as u64 {
        return Collected::Unfinished(body);
    }
    let mut taken = room.0.try_acquire_many(0).ok();
    let deadline = Instant::now() + PATIENCE;
    let mut arrived = BytesMut::new();
    loop {
        let Ok(frame) = time::timeout_at(deadline, body.frame()).await else {
            return Collected::Unfinished(resume(arrived.freeze(), BodyStream::new(body)));
        };
        match frame {
            None => return Collected::Complete(arrived.freeze()),
            Some(Ok(frame)) => {
                // Trailers are not kept; GitHub sends none.
                let Ok(chunk) = frame.into_data() else {
                    continue;
                };
                arrived.extend_from_slice(&chunk);
                let size = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
                let is_room = match (&mut taken, room.0.try_acquire_many(size)) {
                    (Some(taken), Ok(more)) => {
                        taken.merge(more);
                        true
                    }
                    _ => false,
                };
                if arrived.len() > limit || !is_room {
                    return Collected::Unfinished(resume(arrived.freeze(), BodyStream::new(body)));
                }
            }
            Some(Err(error)) => {
                // hyper throws away what it has not written when a body fails; let it write first.
                let broken = stream::once(async {
                    task::yield_now().await;
                    Err(error)
                });
                return Collected::Unfinished(resume(arrived.freeze(), broken));
            }
        }
    }
}

/// A body that begins with what has arrived already.
fn resume<R>(arrived: Bytes, rest: R) -> Body
where
    R: futures::Stream<Item = Result<Frame<Bytes>, BoxError>> + Send + Sync + 'static,
{
    let first = stream::once(async { Ok(Frame::data(arrived)) });
    Body::streaming(StreamBody::new(first.chain(rest)))
}

#[cfg(test)]
mod tests;
