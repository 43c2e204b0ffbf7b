//! Trying again what did not get through: tower's [`Retry`](tower::retry::Retry), by these rules.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use tokio::time::{Instant, Sleep};
use tower::retry::Policy;
use tower::retry::backoff::{
    Backoff, ExponentialBackoff, ExponentialBackoffMaker, InvalidBackoff, MakeBackoff,
};
use tower::retry::budget::{Budget, TpsBudget};
use tower::util::rng::HasherRng;

use crate::body::Body;
use crate::directives::retry_after;
use crate::error::UpstreamError;
use crate::fetch::PATIENCE;

/// How often a request is sent before its failure is believed. A request says so among its
/// extensions; those that do not are sent [as often as any](Attempts::ALL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempts(u32);

impl Attempts {
    /// Where there is nothing to serve in place of an answer.
    pub(crate) const ALL: Self = Self(5);
    /// Where there is.
    pub(crate) const FEW: Self = Self(2);
}

/// Until when the client waits that a request is for. One that does not say so among its extensions
/// has all of [`PATIENCE`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(pub(crate) Instant);

/// Marks a request as one that may be sent twice, though its method does not say so: a query of
/// GraphQL's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeatable;

/// Retries with an exponential, jittered back-off, what may be sent twice
/// ([RFC 9110, section 9.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2)), where GitHub
/// cannot be reached or answers with a 5xx, within the client's [`PATIENCE`].
///
/// All clients together have a budget of retries: where GitHub is gone altogether, they hear so at
/// once instead of each waiting for it.
#[derive(Clone, Debug)]
pub(crate) struct RetryPolicy {
    budget: Arc<TpsBudget>,
    backoff: ExponentialBackoff,
    sent: u32,
    until: Option<Instant>,
}

/// The least and the most that is waited before an attempt.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Half as long again, at most, so that clients that failed together do not come back together.
const JITTER: f64 = 0.5;

/// The window of the budget, its least number of retries a second, and their share in all requests.
const BUDGET: (Duration, u32, f32) = (Duration::from_secs(10), 2, 0.2);

impl RetryPolicy {
    pub(crate) fn new() -> Result<Self, InvalidBackoff> {
        let (least, most) = BACKOFF;
        let (window, least_retries, share) = BUDGET;
        let mut maker = ExponentialBackoffMaker::new(least, most, JITTER, HasherRng::default())?;
        Ok(Self {
            budget: Arc::new(TpsBudget::new(window, least_retries, share)),
            backoff: maker.make_backoff(),
            sent: 0,
            until: None,
        })
    }
}

impl Policy<Request<Body>, Response<Body>, UpstreamError> for RetryPolicy {
    type Future = Sleep;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        result: &mut Result<Response<Body>, UpstreamError>,
    ) -> Option<Sleep> {
        self.sent += 1;
        let asked_to_wait = match result {
            Ok(response) if is_passing(response.status()) => retry_after(response.headers()),
            Err(error) if error.may_pass() => None,
            _ => {
                self.budget.deposit();
                return None;
            }
        };
        let attempts = request.extensions().get().copied().unwrap_or(Attempts::ALL);
        // Whoever asks for a wait beyond all clocks is not waited for.
        let wait_until = Instant::now().checked_add(asked_to_wait.unwrap_or_default());
        let is_in_time = |until| wait_until.is_some_and(|wait_until| wait_until < until);
        if self.sent >= attempts.0 || !self.until.is_none_or(is_in_time) || !self.budget.withdraw()
        {
            return None;
        }
        match asked_to_wait {
            Some(wait) => Some(tokio::time::sleep(wait)),
            None => Some(self.backoff.next_backoff()),
        }
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        // It is called before each attempt; patience begins with the first.
        self.until.get_or_insert_with(|| {
            let deadline = request.extensions().get::<Deadline>();
            deadline.map_or_else(|| Instant::now() + PATIENCE, |deadline| deadline.0)
        });
        again(request)
    }
}

/// The same request once more, where it may be sent twice.
pub(crate) fn again(request: &Request<Body>) -> Option<Request<Body>> {
    if !may_be_repeated(request) {
        return None;
    }
    let mut again = Request::new(request.body().try_clone()?);
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    *again.extensions_mut() = request.extensions().clone();
    Some(again)
}

/// Whether a request changes nothing, however often it is sent.
pub(crate) fn may_be_repeated(request: &Request<Body>) -> bool {
    [Method::GET, Method::HEAD].contains(request.method())
        || request.extensions().get::<Repeatable>().is_some()
}

/// What may be over in a moment.
fn is_passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

#[cfg(test)]
mod tests;
