//! Asking GitHub on behalf of the cache, and judging what comes back.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cache_core::{Entry, Fetched, Lifetime};
use futures::{StreamExt, stream};
use http::header::{self, HeaderMap};
use http::{Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use tokio::sync::oneshot;
use tokio::task;
use tower::{Service, ServiceExt};

use crate::body::{Body, BoxError};
use crate::credential::Credential;
use crate::error::UpstreamError;
use crate::policy::{self, API_VERSION_HEADER, Question};
use crate::stored::Stored;
use crate::ttl;
use crate::upstream::USER_AGENT;

/// The operator's bounds on what is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keeping {
    pub(crate) default_ttl: Duration,
    pub(crate) stale_for: Duration,
    pub(crate) max_entry_bytes: usize,
}

/// One question to GitHub, asked with the credential of the client that needs the answer.
#[derive(Debug)]
pub(crate) struct Ask<S> {
    pub(crate) upstream: S,
    pub(crate) question: Question,
    pub(crate) credential: Option<Credential>,
    pub(crate) keeping: Keeping,
    /// Where an answer goes that only this client can have.
    pub(crate) private: oneshot::Sender<Response<Body>>,
}

/// GitHub answered that it cannot answer now: a server error, or a limit. Where there is a stale
/// entry it is the better answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("GitHub answered {}", .0.status)]
pub(crate) struct Unavailable(pub(crate) Stored);

impl<S> Ask<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = UpstreamError>,
{
    /// Asks, with the stale entry's validator where there is one.
    pub(crate) async fn run(self, stale: Option<Entry>) -> Result<Fetched, BoxError> {
        let stale = stale
            .as_ref()
            .and_then(Entry::as_value)
            .and_then(|value| Stored::decode(value).ok());
        let request = self.request(stale.as_ref());
        let upstream = self.upstream;
        let response = upstream.oneshot(request).await?;
        let (parts, body) = response.into_parts();

        if parts.status == StatusCode::NOT_MODIFIED
            && let Some(stored) = stale
        {
            let stored = stored.revalidated(&parts.headers);
            let lifetime = self.keeping.lifetime(self.question.path(), &stored.body);
            return Ok(Fetched::Revalidated(stored.encode()?, lifetime));
        }
        let body = match collect(body, self.keeping.max_entry_bytes).await {
            Collected::Complete(body) => body,
            Collected::Unfinished(body) => {
                // Nobody waits any more where the client has left.
                let _ = self.private.send(Response::from_parts(parts, body));
                return Ok(Fetched::Private);
            }
        };
        let keep = policy::may_be_kept(parts.status, &parts.headers);
        let unavailable =
            parts.status.is_server_error() || policy::is_rate_limited(parts.status, &parts.headers);
        if !keep && must_not_be_shared(&parts.headers) {
            let response = Response::from_parts(parts, Body::full(body));
            let _ = self.private.send(response);
            return Ok(Fetched::Private);
        }
        let stored = Stored::new(parts.status, parts.headers, body);
        if unavailable {
            return Err(Unavailable(stored).into());
        }
        let value = stored.encode()?;
        if !keep {
            return Ok(Fetched::Passing(value));
        }
        let lifetime = self.keeping.lifetime(self.question.path(), &stored.body);
        Ok(Fetched::New(value, lifetime))
    }

    fn request(&self, stale: Option<&Stored>) -> Request<Body> {
        let mut request = self.question.to_request(self.credential.as_ref());
        let headers = request.headers_mut();
        let validator = |name| stale.and_then(|stored| stored.headers.get(name).cloned());
        // An ETag says more than a date: RFC 9110, section 13.1.3.
        if let Some(etag) = validator(header::ETAG) {
            headers.insert(header::IF_NONE_MATCH, etag);
        } else if let Some(modified) = validator(header::LAST_MODIFIED) {
            headers.insert(header::IF_MODIFIED_SINCE, modified);
        }
        request
    }
}

impl Question {
    /// The question in the one form in which it is sent upstream, whoever asks.
    pub(crate) fn to_request(&self, credential: Option<&Credential>) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        // A target comes from a URI that has been parsed; what does not parse goes to the root.
        *request.uri_mut() = self.target.parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, self.accept.clone());
        headers.insert(API_VERSION_HEADER, self.api_version.clone());
        headers.insert(header::USER_AGENT, USER_AGENT);
        if let Some(credential) = credential {
            headers.insert(header::AUTHORIZATION, credential.as_header().clone());
        }
        request
    }
}

impl Keeping {
    fn lifetime(&self, path: &str, body: &[u8]) -> Lifetime {
        Lifetime::fresh_for(ttl::ttl(path, body, self.default_ttl)).and_stale_for(self.stale_for)
    }
}

fn must_not_be_shared(headers: &HeaderMap) -> bool {
    headers.contains_key(header::SET_COOKIE)
}

enum Collected {
    Complete(Bytes),
    /// The body is too large, or it broke off: what has arrived, and then what follows.
    Unfinished(Body),
}

/// Reads a body to its end, as long as it keeps within `limit` bytes.
async fn collect(mut body: Body, limit: usize) -> Collected {
    if body.size_hint().lower() > limit as u64 {
        return Collected::Unfinished(body);
    }
    let mut arrived = BytesMut::new();
    loop {
        match body.frame().await {
            None => return Collected::Complete(arrived.freeze()),
            Some(Ok(frame)) => {
                // Trailers are not kept; GitHub sends none.
                let Ok(chunk) = frame.into_data() else {
                    continue;
                };
                arrived.extend_from_slice(&chunk);
                if arrived.len() > limit {
                    let rest = BodyStream::new(body);
                    return Collected::Unfinished(resume(arrived.freeze(), rest));
                }
            }
            Some(Err(error)) => {
                // hyper throws away what it has not written when a body fails; let it write first.
                let broken = stream::once(async {
                    task::yield_now().await;
                    Err(error)
                });
                return Collected::Unfinished(resume(arrived.freeze(), broken));
            }
        }
    }
}

/// A body that begins with what has arrived already.
fn resume<R>(arrived: Bytes, rest: R) -> Body
where
    R: futures::Stream<Item = Result<Frame<Bytes>, BoxError>> + Send + Sync + 'static,
{
    let first = stream::once(async { Ok(Frame::data(arrived)) });
    Body::streaming(StreamBody::new(first.chain(rest)))
}

#[cfg(test)]
mod tests;
