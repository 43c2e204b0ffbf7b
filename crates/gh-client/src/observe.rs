//! The decorator that learns from every answer of GitHub: its limits, its time, and whom it knows.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::UNIX_EPOCH;

use cache_core::{Cache, MeshTime};
use futures::future::BoxFuture;
use headers::{Date, HeaderMapExt};
use http::header::{self, HeaderMap};
use http::{Request, Response};
use tower::{Layer, Service};

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::credential::Credential;
use crate::limits::{Call, Limits, Price, resource_of};
use crate::scope::Scopes;

/// Takes note of what every answer that comes from GitHub says about GitHub itself.
#[derive(Clone)]
pub(crate) struct ObserveLayer {
    pub(crate) limits: Limits,
    pub(crate) scopes: Scopes,
    pub(crate) base: Arc<BaseUrl>,
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
        let ObserveLayer {
            limits,
            scopes,
            base,
            cache,
        } = self.layer.clone();
        let path = base.api_path(request.uri().path());
        let call = Call {
            principal: scopes.principal(Credential::of(&request).as_ref()),
            resource: resource_of(path),
            price: Price::of(&request, path),
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            let headers = response.headers();
            if let Some(time) = upstream_time(headers) {
                cache.observe_upstream_time(time);
            }
            limits.observe(&call, response.status(), headers, cache.now());
            scopes.observe(call.principal, response.status(), cache.now());
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
