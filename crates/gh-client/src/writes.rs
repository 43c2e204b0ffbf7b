//! The decorator that makes void what a write has changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use cache_core::{Cache, Path, Scope};
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use tower::{Layer, Service};

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::credential::Credential;
use crate::error::UpstreamError;
use crate::graphql;
use crate::numbers::{Elsewhere, Numbers};
use crate::question::{filed_at, graphql_of, place};
use crate::retry::may_be_repeated;
use crate::scope::Scopes;

/// Invalidates, here and on all members, what a write that GitHub has not refused may have changed: the
/// path, what lies below it, the paths above it up to the repository (or organisation, or user), and
/// the principal's GraphQL answers
/// ([RFC 9111, section 4.4](https://www.rfc-editor.org/rfc/rfc9111#section-4.4)).
///
/// It is the outermost decorator: the writer's next request finds nothing that is older.
#[derive(Clone)]
pub(crate) struct WritesLayer {
    cache: Cache,
    base: Arc<BaseUrl>,
    scopes: Scopes,
    numbers: Numbers,
}

impl WritesLayer {
    pub(crate) fn new(cache: Cache, base: Arc<BaseUrl>, scopes: Scopes, numbers: Numbers) -> Self {
        Self {
            cache,
            base,
            scopes,
            numbers,
        }
    }
}

impl<S> Layer<S> for WritesLayer {
    type Service = Writes<S>;

    fn layer(&self, inner: S) -> Writes<S> {
        Writes {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that [`WritesLayer`] makes.
#[derive(Clone)]
pub(crate) struct Writes<S> {
    inner: S,
    layer: WritesLayer,
}

impl<S> Service<Request<Body>> for Writes<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = UpstreamError>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = UpstreamError;
    type Future = BoxFuture<'static, Result<Response<Body>, UpstreamError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let layer = self.layer.clone();
        let path = layer.base.api_path(request.uri().path());
        let path = place(path.strip_prefix("/api/uploads").unwrap_or(path));
        // What may be sent twice changes nothing: a token that is asked for, say.
        if request.method().is_safe() || may_be_repeated(&request) {
            let answer = self.inner.call(request);
            return Box::pin(async move {
                let response = answer.await?;
                layer.numbers.learn(&path, response.headers());
                Ok(response)
            });
        }
        let credential = Credential::of(&request);
        let scope = layer.scopes.principal(credential.as_ref());
        let scope = layer.scopes.scope_of(scope);
        let sending = Sending::default();
        request.extensions_mut().insert(sending.clone());
        let write = Write {
            layer,
            path,
            scope,
            sending,
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            if has_changed_nothing(response.status()) {
                write.sending.cancel();
            }
            Ok(response)
        })
    }
}

/// Whether a request is on its way to GitHub, or has been: the rest of a write's fate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sending(Arc<AtomicBool>);

impl Sending {
    /// From here on it may change something.
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn cancel(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A write on its way. Once it has been sent, what it may have changed is void when it is over:
/// however that comes about, be it that its answer is lost, or its client leaves.
struct Write {
    layer: WritesLayer,
    path: String,
    scope: Scope,
    sending: Sending,
}

impl Drop for Write {
    fn drop(&mut self) {
        if self.sending.0.load(Ordering::Relaxed) {
            self.layer.invalidate(&self.path, self.scope);
        }
    }
}

impl WritesLayer {
    fn invalidate(&self, path: &str, scope: Scope) {
        self.cache.invalidate_path(graphql_of(scope));
        if path == graphql::PATH {
            return;
        }
        self.invalidate_around(path);
        let elsewhere = self.numbers.elsewhere(path);
        self.numbers.changed(path);
        match elsewhere {
            Elsewhere::At(path) => self.invalidate_around(&path),
            Elsewhere::Among(names) => self.cache.invalidate_path(Path::new(names)),
            Elsewhere::Nowhere => {}
        }
    }

    fn invalidate_around(&self, path: &str) {
        self.cache.invalidate_path(Path::new(path));
        for above in above(path) {
            self.cache.invalidate_path(filed_at(above));
        }
    }
}

/// Whether GitHub has refused a write. After anything else, a server error too, it may be done.
fn has_changed_nothing(status: StatusCode) -> bool {
    status.is_client_error()
}

/// The paths above a path, up to the repository, organisation or user that it belongs to.
fn above(path: &str) -> impl Iterator<Item = &str> {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let top = match segments.clone().next() {
        Some("repos") => 3,
        Some("orgs" | "users" | "repositories" | "organizations" | "enterprises" | "teams") => 2,
        _ => 1,
    };
    let above = std::iter::successors(Some(path), |path| {
        path.rfind('/').map(|slash| &path[..slash])
    });
    above
        .skip(1)
        .take_while(move |above| above.matches('/').count() >= top)
}

#[cfg(test)]
mod tests;
