//! Passing on what the cache does not answer, and heeding what its answers say of what the cache does.

use std::future::ready;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use cache_core::{Key, Scope};
use http::header::{self, HeaderMap};
use http::{Request, Response, StatusCode};
use tower::ServiceExt;
use tower_http::decompression::Decompression;

use super::{CacheFirst, CacheFirstLayer, Upward};
use crate::body::Body;
use crate::collect::{Collected, collect};
use crate::credential::Credential;
use crate::decision::Decision;
use crate::error::UpstreamError;
use crate::graphql::{self, Outcome};
use crate::limits;
use crate::policy;
use crate::question::Question;
use crate::retry::may_be_repeated;
use crate::writes::Sending;

/// The longest answer that is looked into, in bytes. Refusals are short.
const MAX_LOOK: usize = 64 * 1024;

impl<S: Upward> CacheFirst<S> {
    /// Passes a request on untouched.
    pub(super) async fn forward(
        self,
        request: Request<Body>,
        decision: Decision,
    ) -> Result<Response<Body>, UpstreamError> {
        let CacheFirstLayer { counters, .. } = &self.layer;
        counters.bypassed.fetch_add(1, Ordering::Relaxed);
        let passing = Passing::of(&request, &self.layer);
        if let Some(sending) = request.extensions().get::<Sending>()
            && !may_be_repeated(&request)
        {
            sending.begin();
        }
        let response = self.upstream.oneshot(request).await?;
        let response = passing.heed(response, &self.layer).await;
        Ok(decision.put_on(Duration::ZERO, response))
    }
}

/// A request that is passed on, as far as its answer may say something of others.
struct Passing {
    principal: Scope,
    resource: &'static str,
    is_graphql: bool,
    /// What the cache would have been asked, where it may hold an answer to it.
    key: Option<Key>,
}

impl Passing {
    fn of(request: &Request<Body>, layer: &CacheFirstLayer) -> Self {
        let credential = Credential::of(request);
        let principal = layer.desk.scopes.principal(credential.as_ref());
        let scope = layer.desk.scopes.scope_of(principal);
        let path = layer.base.api_path(request.uri().path());
        let question = Question::of(request, &layer.base);
        Self {
            principal,
            resource: limits::resource_of(path),
            is_graphql: path == graphql::PATH,
            key: question.map(|question| Key::new(question.family(&layer.base), scope)),
        }
    }

    /// A limit that was met holds for all that follows, and what is refused to a credential is
    /// refused to it in the cache as well.
    async fn heed(&self, response: Response<Body>, layer: &CacheFirstLayer) -> Response<Body> {
        let CacheFirstLayer { cache, desk, .. } = layer;
        let status = response.status();
        let is_limited = policy::is_rate_limited(status, response.headers());
        let (is_struck, response) = self.look_into(response, layer).await;
        if is_struck && !is_limited {
            let limits = &desk.limits;
            limits.strike(self.principal, self.resource, status, cache.now());
        }
        let is_refused = policy::ends_the_view(status) && !is_limited && !is_struck;
        if let Some(key) = self.key.filter(|_| is_refused) {
            let is_own = key.scope == self.principal;
            let had_a_view = is_own && (desk.proofs.end(&key) || cache.peek(&key).await.is_some());
            desk.end_the_view(cache, self.principal, key, had_a_view);
        }
        response
    }

    /// Whether the body of an answer tells of a secondary limit, which headers do not always.
    async fn look_into(
        &self,
        response: Response<Body>,
        layer: &CacheFirstLayer,
    ) -> (bool, Response<Body>) {
        let status = response.status();
        let may_tell = match status {
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::OK => self.is_graphql,
            _ => false,
        };
        if !may_tell {
            return (false, response);
        }
        let (parts, body) = response.into_parts();
        match collect(body, MAX_LOOK, &layer.desk.room).await {
            Collected::Unfinished(body) => (false, Response::from_parts(parts, body)),
            Collected::Complete(body) => {
                let text = decoded(&parts.headers, body.clone()).await;
                let is_struck = policy::is_secondary_limit(status, &text)
                    || (self.is_graphql && Outcome::of(&text) == Outcome::Struck);
                (is_struck, Response::from_parts(parts, Body::full(body)))
            }
        }
    }
}

/// A body as it was before it was compressed for the client; nothing where that cannot be undone.
async fn decoded(headers: &HeaderMap, body: Bytes) -> Bytes {
    let Some(coding) = headers.get(header::CONTENT_ENCODING) else {
        return body;
    };
    let mut coded = Response::new(Body::full(body));
    let headers = coded.headers_mut();
    headers.insert(header::CONTENT_ENCODING, coding.clone());
    let mut coded = Some(coded);
    let coded =
        tower::service_fn(move |_: Request<Body>| ready(coded.take().ok_or(UpstreamError::Lost)));
    let Ok(response) = Decompression::new(coded).oneshot(Request::default()).await else {
        return Bytes::new();
    };
    // Few bytes may stand for many.
    let body = http_body_util::Limited::new(response.into_body(), MAX_LOOK);
    let body = http_body_util::BodyExt::collect(body).await;
    body.map(http_body_util::Collected::to_bytes)
        .unwrap_or_default()
}
