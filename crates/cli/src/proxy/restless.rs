//! Bodies that stall, and would otherwise keep their place on the way to GitHub for ever.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gh_client::body::BoxError;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{self, Sleep};

/// How long a client may rest within the body of a request.
const REST: Duration = Duration::from_secs(60);

/// A body that fails where nothing of it comes for longer than [`REST`].
pub(super) struct Restless<B> {
    body: B,
    /// While something is waited for.
    rest: Option<Pin<Box<Sleep>>>,
}

/// The client has stopped in the middle of a request.
#[derive(Debug, thiserror::Error)]
#[error("the client has sent nothing for {} s", REST.as_secs())]
struct Stalled;

impl<B> Restless<B> {
    pub(super) const fn new(body: B) -> Self {
        Self { body, rest: None }
    }
}

impl<B> Body for Restless<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.rest = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let rest = self.rest.get_or_insert_with(|| Box::pin(time::sleep(REST)));
        rest.as_mut().poll(cx).map(|()| Some(Err(Stalled.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
