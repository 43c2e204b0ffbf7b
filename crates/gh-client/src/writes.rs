//! The decorator that makes void what a write has changed.

use std::task::{Context, Poll};

use cache_core::{Cache, Path, Scope};
use futures::future::BoxFuture;
use http::header::{self, HeaderMap};
use http::{Request, Response, StatusCode};
use moka::sync;
use tower::{Layer, Service};

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::credential::Credential;
use crate::decision::Decision;
use crate::error::UpstreamError;
use crate::graphql;
use crate::question::{filed_at, graphql_of, place};
use crate::scope::Scopes;

/// Repositories and organisations whose numbers are remembered. At the bound those that were not
/// heard of for longest are forgotten, and a write to one of them makes more void.
const MAX_NUMBERS: u64 = 16_384;

/// Invalidates, here and on all members, what a write that GitHub has accepted may have changed: the
/// path, what lies below it, the paths above it up to the repository (or organisation, or user), and
/// the principal's GraphQL answers
/// ([RFC 9111, section 4.4](https://www.rfc-editor.org/rfc/rfc9111#section-4.4)).
///
/// It is the outermost decorator: the writer's next request finds nothing that is older.
#[derive(Clone)]
pub(crate) struct WritesLayer {
    cache: Cache,
    base: std::sync::Arc<BaseUrl>,
    scopes: Scopes,
    /// The numbers that stand for a name in the links to further pages, by name.
    numbers: sync::Cache<String, String>,
}

impl WritesLayer {
    pub(crate) fn new(cache: Cache, base: std::sync::Arc<BaseUrl>, scopes: Scopes) -> Self {
        Self {
            cache,
            base,
            scopes,
            numbers: sync::Cache::new(MAX_NUMBERS),
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

    fn call(&mut self, request: Request<Body>) -> Self::Future {
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
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            // A query that was looked up changes nothing.
            let was_sent = response.extensions().get() == Some(&Decision::Method);
            if was_sent && may_have_changed(response.status()) {
                layer.invalidate(&path, scope);
            }
            Ok(response)
        })
    }
}

impl WritesLayer {
    fn invalidate(&self, path: &str, scope: Scope) {
        self.cache.invalidate_path(graphql_of(scope));
        if path == graphql::PATH {
            return;
        }
        self.invalidate_around(path);
        let Some((name, number_space, rest)) = named(path) else {
            return;
        };
        match self.numbers.get(&name) {
            Some(number) => self.invalidate_around(&format!("{number}{rest}")),
            // It may have any number.
            None => self.cache.invalidate_path(Path::new(number_space)),
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
            self.numbers
                .insert(name, format!("{number_space}/{number}"));
        }
    }
}

/// RFC 9111, section 4.4: what is no error. A redirect may come after the deed.
fn may_have_changed(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection()
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

#[cfg(test)]
mod tests;
