//! The decorator that gives up on an attempt, so that there is time for another.

use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response};
use tokio::time;
use tower::{Layer, Service};

use crate::body::Body;
use crate::error::UpstreamError;
use crate::retry::{Attempts, may_be_repeated};

/// How long an attempt may take until the head of its answer is here. GitHub itself gives up after
/// [10 seconds](https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api).
pub(crate) const ATTEMPT: Duration = Duration::from_secs(12);

/// The same where there is something to serve in place of an answer.
pub(crate) const SHORT_ATTEMPT: Duration = Duration::from_secs(3);

/// Bounds each attempt at what may be tried again. What may not, an upload say, takes as long as it
/// takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PatienceLayer;

impl<S> Layer<S> for PatienceLayer {
    type Service = Patient<S>;

    fn layer(&self, inner: S) -> Patient<S> {
        Patient(inner)
    }
}

/// The service that [`PatienceLayer`] makes.
#[derive(Clone, Debug)]
pub(crate) struct Patient<S>(S);

impl<S> Service<Request<Body>> for Patient<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = UpstreamError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = UpstreamError;
    type Future = BoxFuture<'static, Result<Response<Body>, UpstreamError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let is_bounded = may_be_repeated(&request);
        let patience = match request.extensions().get() {
            Some(&Attempts::FEW) => SHORT_ATTEMPT,
            _ => ATTEMPT,
        };
        let answer = self.0.call(request);
        if !is_bounded {
            return Box::pin(answer);
        }
        Box::pin(async move {
            let answer = time::timeout(patience, answer).await;
            answer.unwrap_or(Err(UpstreamError::TimedOut(patience)))
        })
    }
}
