//! How long a client may rest.

use futures::stream::{self, StreamExt};
use http_body_util::{BodyExt, StreamBody};

use super::*;

/// A body whose parts come so many seconds apart.
fn slow(
    pauses: &'static [u64],
) -> Restless<impl Body<Data = Bytes, Error: Into<BoxError>> + Unpin> {
    let parts = stream::iter(pauses).then(|seconds| async {
        time::sleep(Duration::from_secs(*seconds)).await;
        Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"x")))
    });
    Restless::new(StreamBody::new(Box::pin(parts)))
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_may_take_as_long_as_it_likes_and_one_that_stalls_may_not() {
    let body = slow(&[59; 100]).collect().await.unwrap().to_bytes();
    assert_eq!(body.len(), 100);
    let error = slow(&[1, 61]).collect().await.unwrap_err();
    assert_eq!(error.to_string(), "the client has sent nothing for 60 s");
}
