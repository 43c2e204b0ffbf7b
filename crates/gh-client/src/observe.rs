//! The decorator that learns from every answer of GitHub: its limits, and its time.

use std::task::{Context, Poll};
use std::time::UNIX_EPOCH;

use cache_core::{Cache, MeshTime};
use futures::future::BoxFuture;
use headers::{Date, HeaderMapExt};
use http::header::{self, HeaderMap};
use http::{Request, Response};
use tower::{Layer, Service};

use crate::body::Body;
use crate::credential::{Credential, PrincipalKey};
use crate::rate_limit::RateLimits;

/// Takes note of what every answer that comes from GitHub says about GitHub itself.
#[derive(Clone)]
pub(crate) struct ObserveLayer {
    pub(crate) limits: RateLimits,
    pub(crate) key: PrincipalKey,
    /// The cache stamps its entries by GitHub's clock.
    pub(crate) cache: Cache,
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observing<S>;

    fn layer(&self, inner: S) -> Observing<S> {
        Observing {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that [`ObserveLayer`] makes.
#[derive(Clone)]
pub(crate) struct Observing<S> {
    inner: S,
    layer: ObserveLayer,
}

impl<S> Service<Request<Body>> for Observing<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let ObserveLayer { limits, key, cache } = self.layer.clone();
        let credential = Credential::of(request.headers());
        let scope = key.scope(credential.as_ref());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            limits.observe(scope, response.headers());
            if let Some(time) = upstream_time(response.headers()) {
                cache.observe_upstream_time(time);
            }
            Ok(response)
        })
    }
}

/// The moment at which GitHub gave this answer. What has an age was given by a cache on the way,
/// at some other time.
fn upstream_time(headers: &HeaderMap) -> Option<MeshTime> {
    if headers.contains_key(header::AGE) {
        return None;
    }
    let date = headers.typed_get::<Date>()?;
    let since_epoch = std::time::SystemTime::from(date).duration_since(UNIX_EPOCH);
    Some(MeshTime::default().saturating_add(since_epoch.ok()?))
}

#[cfg(test)]
mod tests;
