//! The decorator that stays under GitHub's secondary limits, so that it never meets them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use cache_core::Scope;
use futures::future::BoxFuture;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{self, Instant};
use tower::{Layer, Service, ServiceExt};

use crate::body::Body;
use crate::credential::Credential;
use crate::decision::Decision;
use crate::error::UpstreamError;
use crate::retry::may_be_repeated;
use crate::scope::Scopes;

/// Requests that GitHub works on at one time; it allows
/// [100](https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits).
pub(crate) const IN_FLIGHT: usize = 90;

/// Of these, so many may be writes: uploads that stall leave room for questions.
const WRITES_IN_FLIGHT: usize = 60;

/// Who would have to wait for longer gets 429.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What a request costs of the 900 points that a principal has in a minute; a query of GraphQL's is
/// a [read](https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api#secondary-rate-limits).
const READ: NonZeroU32 = NonZeroU32::MIN;
const WRITE: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);

/// Of the points, so many may be spent at once, and so many come back each second: together 900 in
/// any minute.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(299);
const POINTS_A_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// Principals whose pace is remembered. At the bound those that are at rest are forgotten, which
/// makes no difference to them; where none is, new ones are told to wait.
const MAX_PRINCIPALS: usize = 16_384;

/// Spreads requests in time.
#[derive(Clone)]
pub(crate) struct PaceLayer {
    scopes: Scopes,
    pace: Option<Arc<Pace>>,
}

struct Pace {
    in_flight: Arc<Semaphore>,
    writes_in_flight: Arc<Semaphore>,
    /// One write a second.
    writes: Limiter,
    points: Limiter,
}

/// The generic cell rate algorithm, for each principal.
type Limiter = RateLimiter<Scope, HashMapStateStore<Scope>, TokioClock, NoOpMiddleware<Duration>>;

impl PaceLayer {
    /// `is_on` is the operator's word: an Enterprise Server may have no such limits.
    pub(crate) fn new(scopes: Scopes, is_on: bool) -> Self {
        let clock = TokioClock(Instant::now());
        let limiter = |quota| RateLimiter::new(quota, HashMapStateStore::default(), clock);
        let pace = is_on.then(|| {
            Arc::new(Pace {
                in_flight: Arc::new(Semaphore::new(IN_FLIGHT)),
                writes_in_flight: Arc::new(Semaphore::new(WRITES_IN_FLIGHT)),
                writes: limiter(Quota::per_second(NonZeroU32::MIN)),
                points: limiter(Quota::per_second(POINTS_A_SECOND).allow_burst(BURST)),
            })
        });
        Self { scopes, pace }
    }
}

impl<S> Layer<S> for PaceLayer {
    type Service = Paced<S>;

    fn layer(&self, inner: S) -> Paced<S> {
        Paced {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that [`PaceLayer`] makes.
#[derive(Clone)]
pub(crate) struct Paced<S> {
    inner: S,
    layer: PaceLayer,
}

impl<S> Service<Request<Body>> for Paced<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = UpstreamError>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = UpstreamError;
    type Future = BoxFuture<'static, Result<Response<Body>, UpstreamError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        // Whose turn it is depends on the request.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = self.inner.clone();
        let Some(pace) = self.layer.pace.clone() else {
            return Box::pin(inner.oneshot(request));
        };
        let credential = Credential::of(&request);
        let principal = self.layer.scopes.principal(credential.as_ref());
        Box::pin(async move {
            let is_write = !request.method().is_safe() && !may_be_repeated(&request);
            match pace.turn(principal, is_write).await {
                // Until the head of the answer is here: then GitHub's work is done, and how fast
                // the client reads the rest is no concern of the others.
                Ok(_permits) => inner.oneshot(request).await,
                Err(TooLong(wait)) => Ok(too_long(wait)),
            }
        })
    }
}

/// It is not this request's turn within [`LONGEST_WAIT`], but only after so long.
struct TooLong(Duration);

impl Pace {
    async fn turn(
        &self,
        principal: Scope,
        is_write: bool,
    ) -> Result<[Option<OwnedSemaphorePermit>; 2], TooLong> {
        let deadline = Instant::now() + LONGEST_WAIT;
        if is_write {
            wait_for(&self.writes, principal, READ, deadline).await?;
        }
        let points = if is_write { WRITE } else { READ };
        wait_for(&self.points, principal, points, deadline).await?;
        let write = match is_write {
            true => Some(permit(&self.writes_in_flight, deadline).await?),
            false => None,
        };
        Ok([write, Some(permit(&self.in_flight, deadline).await?)])
    }
}

async fn permit(
    semaphore: &Arc<Semaphore>,
    deadline: Instant,
) -> Result<OwnedSemaphorePermit, TooLong> {
    let permit = Arc::clone(semaphore).acquire_owned();
    match time::timeout_at(deadline, permit).await {
        Ok(Ok(permit)) => Ok(permit),
        // It is never closed.
        Ok(Err(_)) | Err(_) => Err(TooLong(Duration::from_secs(1))),
    }
}

async fn wait_for(
    limiter: &Limiter,
    principal: Scope,
    points: NonZeroU32,
    deadline: Instant,
) -> Result<(), TooLong> {
    if limiter.len() >= MAX_PRINCIPALS {
        limiter.retain_recent();
        if limiter.len() >= MAX_PRINCIPALS {
            return Err(TooLong(LONGEST_WAIT));
        }
    }
    loop {
        let Ok(Err(not_until)) = limiter.check_key_n(&principal, points) else {
            // More points than there ever are at once is a mistake of ours, not the client's.
            return Ok(());
        };
        let wait = not_until.wait_time_from(limiter.clock().now());
        if Instant::now() + wait > deadline {
            return Err(TooLong(wait));
        }
        time::sleep(wait).await;
    }
}

/// Told in the words of GitHub's secondary limits, which clients know.
fn too_long(wait: Duration) -> Response<Body> {
    let body = serde_json::json!({
        "message": "ghmesh has sent as much as GitHub's secondary rate limit allows. Please wait \
                    before you try again.",
        "documentation_url":
            "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api",
    });
    let mut response = Response::new(Body::full(body.to_string()));
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, json);
    let seconds = wait.as_millis().div_ceil(1000).max(1);
    let seconds = HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX));
    headers.insert(header::RETRY_AFTER, seconds);
    response.extensions_mut().insert(Decision::Refused);
    response
}

/// Tokio's clock, which tests can pause.
#[derive(Clone, Copy, Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests;
