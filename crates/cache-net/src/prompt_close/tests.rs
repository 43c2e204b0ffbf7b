//! A goodbye ends, heard or not.

use futures::future::poll_fn;
use tokio::time::Instant;

use super::*;

/// A connection whose goodbye never gets through, as when its buffers are full.
struct Deaf;

impl StreamMuxer for Deaf {
    type Substream = futures::io::Cursor<Vec<u8>>;
    type Error = io::Error;

    fn poll_inbound(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        Poll::Pending
    }

    fn poll_outbound(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        Poll::Pending
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_that_is_not_heard_ends_at_the_deadline() {
    let mut connection = PromptClose::boxed(Deaf);
    let begun = Instant::now();

    let closed = poll_fn(|cx| Pin::new(&mut connection).poll_close(cx)).await;

    assert!(closed.is_err());
    // Timers go off up to a millisecond late.
    assert!(begun.elapsed() - LONGEST <= Duration::from_millis(1));
}
