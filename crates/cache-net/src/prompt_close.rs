//! Connections that are closed within a deadline, whether or not the other side takes notice.
//!
//! yamux says goodbye after all that waits to be sent, and libp2p waits for that without bound. To
//! a peer that reads nothing a goodbye never gets through: it would stay among the connected, with
//! all that was ever meant for it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent, SubstreamBox};
use tokio::time::{Sleep, sleep};

#[cfg(test)]
mod tests;

/// How long a goodbye may take. Members in good order read it at once.
const LONGEST: Duration = Duration::from_secs(2);

/// The streams of one connection.
pub(crate) struct PromptClose {
    streams: StreamMuxerBox,
    /// When to wait no more; set once it is being closed.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl PromptClose {
    /// Bounds the goodbye of this connection, and changes nothing else.
    pub(crate) fn boxed<M>(streams: M) -> StreamMuxerBox
    where
        M: StreamMuxer + Send + 'static,
        M::Substream: Send + 'static,
        M::Error: Send + Sync + 'static,
    {
        StreamMuxerBox::new(Self {
            streams: StreamMuxerBox::new(streams),
            deadline: None,
        })
    }
}

impl StreamMuxer for PromptClose {
    type Substream = SubstreamBox;
    type Error = io::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<SubstreamBox>> {
        Pin::new(&mut self.streams).poll_inbound(cx)
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<SubstreamBox>> {
        Pin::new(&mut self.streams).poll_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(LONGEST)));
        if deadline.as_mut().poll(cx).is_ready() {
            // What is left of it is dropped, and the socket with it.
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.streams).poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Pin::new(&mut self.streams).poll(cx)
    }
}
