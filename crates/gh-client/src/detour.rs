//! The decorator that sends on what is for another of GitHub's hosts, past everything that is for
//! the API.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response};
use tower::{Layer, Service, ServiceExt};

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::cache_first::Upward;
use crate::decision::Decision;
use crate::error::UpstreamError;
use crate::question::is_at;
use crate::stats::Counters;

/// Passes downloads from GitHub's own hosts straight on, uncached; refuses all other hosts.
#[derive(Clone)]
pub(crate) struct DetourLayer<L> {
    pub(crate) base: Arc<BaseUrl>,
    pub(crate) leaf: L,
    pub(crate) counters: Arc<Counters>,
}

impl<S, L: Clone> Layer<S> for DetourLayer<L> {
    type Service = Detour<S, L>;

    fn layer(&self, api: S) -> Detour<S, L> {
        Detour {
            api,
            layer: self.clone(),
        }
    }
}

/// The service that [`DetourLayer`] makes.
#[derive(Clone)]
pub(crate) struct Detour<S, L> {
    api: S,
    layer: DetourLayer<L>,
}

impl<S, L: Upward> Service<Request<Body>> for Detour<S, L>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = UpstreamError>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = UpstreamError;
    type Future = BoxFuture<'static, Result<Response<Body>, UpstreamError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        self.api.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let DetourLayer {
            base,
            leaf,
            counters,
        } = &self.layer;
        if is_at(request.uri(), base) {
            return Box::pin(self.api.call(request));
        }
        let host = request.uri().host().unwrap_or_default().to_owned();
        // Redirects lead to downloads. Nothing that changes anything is followed there.
        if !base.has_downloads_at(&host) || !request.method().is_safe() {
            return Box::pin(async { Err(UpstreamError::ForeignHost(host)) });
        }
        counters.bypassed.fetch_add(1, Ordering::Relaxed);
        let answer = leaf.clone().oneshot(request);
        Box::pin(async {
            let response = answer.await?;
            Ok(Decision::Bypass.put_on(Duration::ZERO, response))
        })
    }
}

#[cfg(test)]
mod tests;
