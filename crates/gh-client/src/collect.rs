//! Reading a body into memory, as far as it will go.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use tokio::task;
use tokio::time::{self, Instant};

use crate::body::{Body, BoxError};
use crate::fetch::PATIENCE;

/// What has become of a body.
pub(crate) enum Collected {
    Complete(Bytes),
    /// The body is too large or too slow, or it broke off: what has arrived, and then what follows.
    Unfinished(Body),
}

/// Reads a body to its end, as long as it keeps within `limit` bytes and [`PATIENCE`]. One that
/// stalls would otherwise keep all who wait for it.
pub(crate) async fn collect(mut body: Body, limit: usize) -> Collected {
    if body.size_hint().lower() > limit as u64 {
        return Collected::Unfinished(body);
    }
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
                if arrived.len() > limit {
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
