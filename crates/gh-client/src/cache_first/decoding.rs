//! The decorator that asks for compressed answers, for the cache alone.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use tower::{Service, ServiceExt};
use tower_http::decompression::{Decompression, DecompressionBody};

use super::Upward;
use crate::body::Body;
use crate::error::UpstreamError;

/// Asks for gzip and undoes it. What is stored is the body itself; how it was coded on the way
/// does not matter.
#[derive(Clone)]
pub(super) struct Decoding<S>(pub(super) S);

impl<S: Upward> Service<Request<Body>> for Decoding<S> {
    type Response = Response<Body>;
    type Error = UpstreamError;
    type Future = BoxFuture<'static, Result<Response<Body>, UpstreamError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let decompressed = Decompression::new(self.0.clone()).oneshot(request);
        Box::pin(async move {
            let response: Response<DecompressionBody<Body>> = decompressed.await?;
            Ok(response.map(Body::streaming))
        })
    }
}
