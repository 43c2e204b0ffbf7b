//! The decorator that answers from the cache first.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use cache_core::{Answer, Cache, Freshness, Key, Path, Resource, Scope};
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, StatusCode};
use tokio::sync::{Semaphore, oneshot};
use tower::{Layer, Service, ServiceExt};
use tower_http::decompression::{Decompression, DecompressionBody};

use crate::body::Body;
use crate::cache_status::CacheStatus;
use crate::condition::Condition;
use crate::credential::{Credential, PrincipalKey};
use crate::error::UpstreamError;
use crate::fetch::{Ask, Keeping, Unavailable};
use crate::policy::{Plan, Question};
use crate::rate_limit::RateLimits;
use crate::stats::Counters;
use crate::stored::Stored;
use crate::upstream::BaseUrl;

/// Answers what may be cached from a [`Cache`], and passes everything else on untouched.
#[derive(Clone)]
pub(crate) struct CacheFirstLayer {
    pub(crate) cache: Cache,
    pub(crate) base: Arc<BaseUrl>,
    pub(crate) key: PrincipalKey,
    pub(crate) keeping: Keeping,
    /// Room for answers that are being read into memory.
    pub(crate) room: Arc<Semaphore>,
    pub(crate) limits: RateLimits,
    pub(crate) counters: Arc<Counters>,
}

impl<S> Layer<S> for CacheFirstLayer {
    type Service = CacheFirst<S>;

    fn layer(&self, upstream: S) -> CacheFirst<S> {
        CacheFirst {
            upstream,
            layer: self.clone(),
        }
    }
}

/// The service that [`CacheFirstLayer`] makes.
#[derive(Clone)]
pub(crate) struct CacheFirst<S> {
    upstream: S,
    layer: CacheFirstLayer,
}

impl<S> Service<Request<Body>> for CacheFirst<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = UpstreamError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    type Response = Response<Body>;
    type Error = UpstreamError;
    type Future = BoxFuture<'static, Result<Response<Body>, UpstreamError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        // What is answered from the cache waits for nobody; `oneshot` waits where upstream is
        // asked.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let this = self.clone();
        match Plan::of(&request, &self.layer.base) {
            Plan::Look(question) => Box::pin(this.look_up(question, request)),
            Plan::ForwardMethod => Box::pin(this.forward(request, CacheStatus::Method)),
            Plan::Bypass => Box::pin(this.forward(request, CacheStatus::Bypass)),
        }
    }
}

impl<S> CacheFirst<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = UpstreamError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    async fn forward(
        self,
        request: Request<Body>,
        status: CacheStatus,
    ) -> Result<Response<Body>, UpstreamError> {
        self.layer.counters.bypassed.fetch_add(1, Ordering::Relaxed);
        let response = self.upstream.oneshot(request).await?;
        Ok(status.put_on(response))
    }

    async fn look_up(
        self,
        question: Question,
        request: Request<Body>,
    ) -> Result<Response<Body>, UpstreamError> {
        let asker = Asker::of(request.headers(), &self.layer.key);
        let answered = self.answer(&question, &asker, question.freshness).await?;
        if let Some(response) = answered {
            return Ok(response);
        }
        // What is stored says nothing to us: a peer of another release wrote it. Replace it.
        let answered = self
            .answer(&question, &asker, Freshness::REVALIDATE)
            .await?;
        answered.ok_or(UpstreamError::Lost)
    }

    /// The answer to a question; nothing where the one that is stored cannot be read.
    async fn answer(
        &self,
        question: &Question,
        asker: &Asker,
        freshness: Freshness,
    ) -> Result<Option<Response<Body>>, UpstreamError> {
        let key = Key::new(question.family(&self.layer.base), asker.scope);
        let resource = Resource::new(key, Path::new(question.path()));
        let (private, privately) = oneshot::channel();
        let ask = Ask {
            upstream: decoding(self.upstream.clone()),
            question: question.clone(),
            credential: asker.credential.clone(),
            keeping: self.layer.keeping,
            room: Arc::clone(&self.layer.room),
            private,
        };
        let fetch = |stale| ask.run(stale);
        let answer = self.layer.cache.get_or_fetch(resource, freshness, fetch);
        let (value, status) = match answer.await {
            Ok(Answer::Entry { entry, source, age }) => {
                (entry.value().clone(), CacheStatus::Lookup(source, age))
            }
            Ok(Answer::Passing { value, source }) => {
                (value, CacheStatus::Lookup(source, Duration::ZERO))
            }
            Ok(Answer::Private) => {
                let response = privately.await.map_err(|_| UpstreamError::Lost)?;
                return Ok(Some(CacheStatus::MISS.put_on(response)));
            }
            Err(error) => match error.downcast_ref::<Unavailable>() {
                Some(Unavailable(stored)) => {
                    let response = self.present(stored.clone(), asker, CacheStatus::MISS);
                    return Ok(Some(response));
                }
                None => return Err(error.into()),
            },
        };
        let stored = Stored::decode(&value).ok();
        Ok(stored.map(|stored| self.present(stored, asker, status)))
    }

    /// A stored answer in the form that this client gets.
    fn present(&self, mut stored: Stored, asker: &Asker, status: CacheStatus) -> Response<Body> {
        self.layer.limits.apply(asker.scope, &mut stored.headers);
        let not_modified = asker.condition.is_met_by(&stored);
        let mut response = stored.into_response();
        if not_modified {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Body::empty();
        }
        status.put_on(response)
    }
}

/// Who asks, and what they have already.
struct Asker {
    credential: Option<Credential>,
    scope: Scope,
    condition: Condition,
}

impl Asker {
    fn of(headers: &HeaderMap, key: &PrincipalKey) -> Self {
        let credential = Credential::of(headers);
        Self {
            scope: key.scope(credential.as_ref()),
            credential,
            condition: Condition::of(headers),
        }
    }
}

/// Asks for gzip and undoes it. What is stored is the body itself; how it was coded on the way
/// does not matter.
fn decoding<S>(
    upstream: S,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = UpstreamError, Future: Send>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = UpstreamError, Future: Send>,
{
    Decompression::new(upstream)
        .map_response(|response: Response<DecompressionBody<Body>>| response.map(Body::streaming))
}

#[cfg(test)]
mod tests;
