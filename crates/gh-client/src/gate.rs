//! The decorator that sends nothing that the limits forbid.

use std::sync::Arc;
use std::task::{Context, Poll};

use cache_core::Cache;
use futures::future::BoxFuture;
use http::{Request, Response};
use tower::{Layer, Service};

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::credential::Credential;
use crate::limits::{Call, Limits, Price, resource_of};
use crate::scope::Scopes;

/// Answers a request that GitHub would refuse as GitHub would, without asking.
#[derive(Clone)]
pub(crate) struct GateLayer {
    pub(crate) limits: Limits,
    pub(crate) scopes: Scopes,
    pub(crate) base: Arc<BaseUrl>,
    /// Its clock is the one that limits are told by.
    pub(crate) cache: Cache,
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that [`GateLayer`] makes.
#[derive(Clone)]
pub(crate) struct Gate<S> {
    inner: S,
    layer: GateLayer,
}

impl<S> Service<Request<Body>> for Gate<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Future: Send + 'static>,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let GateLayer {
            limits,
            scopes,
            base,
            cache,
        } = &self.layer;
        let path = base.api_path(request.uri().path());
        let call = Call {
            principal: scopes.principal(Credential::of(&request).as_ref()),
            resource: resource_of(path),
            price: Price::of(&request, path),
        };
        match limits.refuse(&call, cache.now()) {
            Some(refusal) => Box::pin(async { Ok(refusal) }),
            None => Box::pin(self.inner.call(request)),
        }
    }
}
