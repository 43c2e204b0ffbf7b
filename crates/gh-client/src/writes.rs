//! The decorator that makes void what a write has changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use cache_core::{Cache, Path, Scope};
use futures::future::BoxFuture;
use http::header::{self, HeaderMap};
use http::{Request, Response, StatusCode};
use moka::policy::EvictionPolicy;
use moka::sync;
use tower::{Layer, Service};

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::credential::Credential;
use crate::error::UpstreamError;
use crate::graphql;
use crate::question::{filed_at, graphql_of, place};
use crate::scope::Scopes;

/// Repositories and organisations whose numbers are remembered. At the bound those that were not
/// heard of for longest are forgotten, and a write to one of them makes more void.
const MAX_NUMBERS: u64 = 16_384;

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
    /// The numbers that stand for a name in the links to further pages, by name, and the names by
    /// number.
    numbers: sync::Cache<String, String>,
    names: sync::Cache<String, String>,
}

impl WritesLayer {
    pub(crate) fn new(cache: Cache, base: Arc<BaseUrl>, scopes: Scopes) -> Self {
        let table = || {
            let table = sync::Cache::builder().max_capacity(MAX_NUMBERS);
            table.eviction_policy(EvictionPolicy::lru()).build()
        };
        Self {
            cache,
            base,
            scopes,
            numbers: table(),
            names: table(),
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
        if request.method().is_safe() {
            let answer = self.inner.call(request);
            return Box::pin(async move {
                let response = answer.await?;
                layer.learn(&path, response.headers());
                Ok(response)
            });
        }
        let credential = Credential::of(request.headers());
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
        // The other name of the same thing, or where it must be.
        let (known, elsewhere, rest) = match (named(path), numbered(path)) {
            (Some((name, numbers, rest)), _) => (self.numbers.get(&name), numbers, rest),
            (_, Some((number, names, rest))) => (self.names.get(number), names, rest),
            (None, None) => return,
        };
        if rest.is_empty() {
            // It may have another name from now on.
            self.names.invalidate_all();
        }
        match known {
            Some(other) => self.invalidate_around(&format!("{other}{rest}")),
            None => self.cache.invalidate_path(Path::new(elsewhere)),
        }
    }

    fn invalidate_around(&self, path: &str) {
        self.cache.invalidate_path(Path::new(path));
        for above in above(path) {
            self.cache.invalidate_path(filed_at(above));
        }
    }

    /// Takes note of the number that GitHub's links have in place of a name.
    fn learn(&self, path: &str, headers: &HeaderMap) {
        let Some((name, number_space, _)) = named(path) else {
            return;
        };
        let links = headers.get_all(header::LINK).iter();
        let links = links.filter_map(|link| link.to_str().ok());
        let number = links
            .filter_map(|link| link.split_once(&format!("{number_space}/")))
            .map(|(_, after)| {
                let end = after.find(|c: char| !c.is_ascii_digit());
                &after[..end.unwrap_or(after.len())]
            })
            .find(|number| !number.is_empty());
        if let Some(number) = number {
            let number = format!("{number_space}/{number}");
            self.names.insert(number.clone(), name.clone());
            self.numbers.insert(name, number);
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

/// The name in a path that may go by a number as well, where the numbers are, and the rest.
fn named(path: &str) -> Option<(String, &'static str, &str)> {
    let mut segments = path.split('/').skip(1);
    let (names, number_space) = match segments.next()? {
        "repos" => (2, "/repositories"),
        "orgs" => (1, "/organizations"),
        "users" => (1, "/user"),
        _ => return None,
    };
    let mut ends = path.match_indices('/').map(|(at, _)| at);
    let end = ends.nth(1 + names).unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    let is_whole = name
        .split('/')
        .skip(2)
        .filter(|name| !name.is_empty())
        .count()
        == names;
    is_whole.then(|| (name.to_owned(), number_space, rest))
}

/// The number in a path that may go by a name as well, where the names are, and the rest.
fn numbered(path: &str) -> Option<(&str, &'static str, &str)> {
    let mut segments = path.split('/').skip(1);
    let names = match segments.next()? {
        "repositories" => "/repos",
        "organizations" => "/orgs",
        "user" => "/users",
        _ => return None,
    };
    let number = segments.next()?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let end = path
        .match_indices('/')
        .nth(2)
        .map_or(path.len(), |(at, _)| at);
    let (number, rest) = path.split_at(end);
    is_number.then_some((number, names, rest))
}

#[cfg(test)]
mod tests;
