//! The one body type that goes through the stack, in both directions.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Either, Full};

/// A body: either all there, as answers from the cache are, or a stream.
pub struct Body(Either<Full<Bytes>, BoxBody<Bytes, BoxError>>);

/// What a streamed body may fail with.
pub type BoxError = Box<dyn Error + Send + Sync>;

impl Body {
    /// A body that is all there.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self(Either::Left(Full::new(bytes.into())))
    }

    /// A body of no bytes.
    pub fn empty() -> Self {
        Self::full(Bytes::new())
    }

    /// The same body once more, if it is all there.
    pub(crate) fn try_clone(&self) -> Option<Self> {
        match &self.0 {
            Either::Left(full) => Some(Self(Either::Left(full.clone()))),
            Either::Right(_) => None,
        }
    }

    /// A body that arrives bit by bit.
    pub fn streaming<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Sync + 'static,
    {
        Self(Either::Right(body.map_err(Into::into).boxed()))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Body")
            .field(&http_body::Body::size_hint(self))
            .finish()
    }
}
