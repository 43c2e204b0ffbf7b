//! Asking GitHub on behalf of the cache, and judging what comes back.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cache_core::{Entry, Fetched, Lifetime};
use futures::{StreamExt, stream};
use http::header;
use http::{Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use tokio::sync::{Semaphore, oneshot};
use tokio::task;
use tokio::time::{self, Instant};
use tower::{Service, ServiceExt};

use crate::body::{Body, BoxError};
use crate::credential::Credential;
use crate::error::UpstreamError;
use crate::policy::{self, API_VERSION_HEADER, Question};
use crate::stored::Stored;
use crate::ttl;
use crate::upstream::USER_AGENT;

/// How long upstream has until the headers of its answer are here, and as long again until the
/// body is. GitHub itself gives up after
/// [10 seconds](https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api).
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers that are read into memory at one time, each up to the largest that is kept. Further
/// questions wait until there is room; [`PATIENCE`] bounds how long each takes.
pub(crate) const ROOM: usize = 64;

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
    /// Room for answers that are being read into memory.
    pub(crate) room: Arc<Semaphore>,
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
        let stale = stale.and_then(|entry| Stored::decode(entry.value()).ok());
        let request = self.request(stale.as_ref());
        let is_conditional = request.headers().contains_key(header::IF_NONE_MATCH)
            || request.headers().contains_key(header::IF_MODIFIED_SINCE);
        // It goes with the task, which outlives a client that has left.
        let _room = self.room.acquire_owned().await?;
        let asked = time::timeout(PATIENCE, self.upstream.oneshot(request)).await;
        let response = asked.map_err(|_| UpstreamError::TimedOut(PATIENCE))??;
        let (parts, body) = response.into_parts();

        if parts.status == StatusCode::NOT_MODIFIED {
            let stored = stale.filter(|_| is_conditional);
            let stored = stored.ok_or(UpstreamError::Unconditional304)?;
            let stored = stored.revalidated(&parts.headers);
            let value = stored.encode()?;
            // A 304 may forbid what the 200 before it allowed.
            if !policy::may_be_kept(stored.status, &parts.headers) {
                return Ok(Fetched::Passing(value));
            }
            let lifetime = self.keeping.lifetime(self.question.path(), &stored.body);
            return Ok(Fetched::Revalidated(value, lifetime));
        }
        let body = match collect(body, self.keeping.max_entry_bytes).await {
            Collected::Complete(body) => body,
            Collected::Unfinished(body) => {
                // Nobody waits any more where the client has left.
                let _ = self.private.send(Response::from_parts(parts, body));
                return Ok(Fetched::Private);
            }
        };
        let unavailable =
            parts.status.is_server_error() || policy::is_rate_limited(parts.status, &parts.headers);
        if policy::is_private(&parts.headers) && !(unavailable && stale.is_some()) {
            let response = Response::from_parts(parts, Body::full(body));
            let _ = self.private.send(response);
            return Ok(Fetched::Private);
        }
        let keep = policy::may_be_kept(parts.status, &parts.headers);
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
        *request.uri_mut() = self.target.clone().into();
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

enum Collected {
    Complete(Bytes),
    /// The body is too large or too slow, or it broke off: what has arrived, and then what follows.
    Unfinished(Body),
}

/// Reads a body to its end, as long as it keeps within `limit` bytes and [`PATIENCE`]. One that
/// stalls would otherwise keep all who wait for it.
async fn collect(mut body: Body, limit: usize) -> Collected {
    if body.size_hint().lower() > limit as u64 {
        return Collected::Unfinished(body);
    }
    let deadline = Instant::now() + PATIENCE;
    let mut arrived = BytesMut::new();
    loop {
        let Ok(frame) = time::timeout_at(deadline, body.frame()).await else {
            return Collected::Unfinished(resume(arrived.freeze(), BodyStream::new(body)));
        };
        match frame {
            None => return Collected::Complete(arrived.freeze()),
            Some(Ok(frame)) => {
                // Trailers are not kept; GitHub sends none.
                let Ok(chunk) = frame.into_data() else {
                    continue;
                };
                arrived.extend_from_slice(&chunk);
                if arrived.len() > limit {
                    return Collected::Unfinished(resume(arrived.freeze(), BodyStream::new(body)));
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
