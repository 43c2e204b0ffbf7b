//! The decorator that answers from the cache first.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use cache_core::{Answer, Cache, Freshness, Key, Resource, Scope, Source, State};
use futures::future::BoxFuture;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::collect::{Collected, collect};
use crate::condition::Condition;
use crate::credential::Credential;
use crate::decision::Decision;
use crate::directives::Wishes;
use crate::error::UpstreamError;
use crate::etag;
use crate::fetch::{Ask, Desk, PATIENCE, Unavailable};
use crate::graphql::{self, Query};
use crate::policy;
use crate::question::{Plan, Question};
use crate::retry::Repeatable;
use crate::scope::Standing;
use crate::stats::Counters;
use crate::stored::Stored;

mod decoding;
mod forward;

use decoding::Decoding;

/// Answers what may be cached from a [`Cache`], and passes everything else on untouched.
#[derive(Clone)]
pub(crate) struct CacheFirstLayer {
    pub(crate) cache: Cache,
    pub(crate) base: Arc<BaseUrl>,
    pub(crate) desk: Desk,
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

/// What the cache stands before.
pub(crate) trait Upward:
    Service<Request<Body>, Response = Response<Body>, Error = UpstreamError, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Upward for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = UpstreamError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

impl<S: Upward> Service<Request<Body>> for CacheFirst<S> {
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
            Plan::Look(question) => Box::pin(this.look_up(*question, request)),
            Plan::Read => Box::pin(this.read(request)),
            Plan::ForwardMethod => Box::pin(this.forward(request, Decision::Method)),
            Plan::Bypass => Box::pin(this.forward(request, Decision::Bypass)),
        }
    }
}

impl<S: Upward> CacheFirst<S> {
    /// Reads what GraphQL is asked.
    async fn read(self, request: Request<Body>) -> Result<Response<Body>, UpstreamError> {
        let (parts, body) = request.into_parts();
        let body = match collect(body, graphql::MAX_REQUEST, &self.layer.desk.room).await {
            Collected::Complete(body) => body,
            Collected::Unfinished(body) => {
                let request = Request::from_parts(parts, body);
                return self.forward(request, Decision::Method).await;
            }
        };
        let query = Query::read(&parts.headers, body.clone());
        let is_apart = Wishes::of(&parts.headers).no_store;
        let mut request = Request::from_parts(parts, Body::full(body));
        let Some(query) = query else {
            return self.forward(request, Decision::Method).await;
        };
        // Whatever becomes of it, it changes nothing.
        request.extensions_mut().insert(Repeatable);
        match Question::of_query(request.headers(), query).filter(|_| !is_apart) {
            Some(question) => self.look_up(question, request).await,
            None => self.forward(request, Decision::Bypass).await,
        }
    }

    async fn look_up(
        self,
        question: Question,
        request: Request<Body>,
    ) -> Result<Response<Body>, UpstreamError> {
        let asker = Asker::of(&request, &self.layer.desk);
        let lookup = Lookup {
            resource: Resource::new(
                Key::new(question.family(&self.layer.base), asker.scope),
                question.filed(asker.scope),
            ),
            question,
            asker,
            deadline: Instant::now() + PATIENCE,
        };
        let freshness = self.freshness(&lookup).await;
        if lookup.asker.wishes.only_if_cached {
            return Ok(self.only_if_cached(&lookup, freshness).await);
        }
        if let Some(response) = self.answer_proven(&lookup, freshness).await {
            return Ok(response);
        }
        if let Some(response) = self.answer(&lookup, freshness).await? {
            return Ok(response);
        }
        // What is stored says nothing to us, because a peer of another release wrote it; or a peer
        // has asked in vain. Go ourselves.
        let answered = self.answer(&lookup, Freshness::AGAIN).await?;
        answered.ok_or(UpstreamError::Lost)
    }

    /// How fresh the answer has to be, by what the client wishes and by what is held.
    async fn freshness(&self, lookup: &Lookup) -> Freshness {
        let wishes = &lookup.asker.wishes;
        if wishes.freshness == Freshness::AS_STORED && wishes.min_fresh.is_none() {
            return wishes.freshness;
        }
        let entry = self.layer.cache.peek(&lookup.resource.key).await;
        let Some((ttl, stored)) = entry.and_then(|entry| {
            let stored = Stored::decode(entry.value()).ok()?;
            Some((entry.lifetime().ttl, stored))
        }) else {
            return wishes.freshness;
        };
        // RFC 9111, section 4.2.4: what must be revalidated is, whatever the client is content with.
        let is_strict = !policy::may_be_stale(&lookup.question, &stored.headers);
        match wishes.min_fresh {
            None if !is_strict => wishes.freshness,
            // Section 5.2.1.3.
            min_fresh => {
                let ttl = ttl.saturating_sub(min_fresh.unwrap_or_default());
                Freshness::at_most(wishes.max_age.map_or(ttl, |max_age| max_age.min(ttl)))
            }
        }
    }

    /// What this principal may see of another's entry.
    async fn answer_proven(&self, lookup: &Lookup, freshness: Freshness) -> Option<Response<Body>> {
        let CacheFirstLayer { cache, desk, .. } = &self.layer;
        let proven = desk.proven(cache, &lookup.resource, freshness).await?;
        let source = cache.source_of(&proven.entry);
        cache.count(source);
        let age = cache.now().since(proven.at);
        Some(self.present(proven.stored, lookup, source.into(), age))
    }

    /// [RFC 9111, section 5.2.1.7](https://www.rfc-editor.org/rfc/rfc9111#section-5.2.1.7): what is
    /// stored, or 504.
    async fn only_if_cached(&self, lookup: &Lookup, freshness: Freshness) -> Response<Body> {
        if let Some(response) = self.answer_proven(lookup, freshness).await {
            return response;
        }
        let cache = &self.layer.cache;
        if self.standing(lookup) == Standing::Known
            && let Some(entry) = cache.peek(&lookup.resource.key).await
            && let Ok(stored) = Stored::decode(entry.value())
        {
            let (now, age) = (cache.now(), entry.age(cache.now()));
            let source = match entry.state(now, freshness) {
                State::Fresh => Some(cache.source_of(&entry)),
                _ => freshness
                    .tolerates(entry.lifetime(), age)
                    .then_some(Source::Stale),
            };
            if let Some(source) = source {
                cache.count(source);
                return self.present(stored, lookup, source.into(), age);
            }
        }
        cache.count(Source::Fetched);
        let mut response = Response::new(Body::full(
            r#"{"message":"ghmesh has no answer to this in its cache, and was told not to ask GitHub"}"#,
        ));
        *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        Decision::Absent.put_on(Duration::ZERO, response)
    }

    /// What its asker may be shown before GitHub is asked.
    fn standing(&self, lookup: &Lookup) -> Standing {
        let CacheFirstLayer { cache, desk, .. } = &self.layer;
        let family = lookup.resource.key.family;
        let principal = lookup.asker.principal;
        desk.scopes.standing_at(principal, family, cache.now())
    }

    /// The answer to a question; nothing where the one that is stored cannot be read.
    async fn answer(
        &self,
        lookup: &Lookup,
        freshness: Freshness,
    ) -> Result<Option<Response<Body>>, UpstreamError> {
        let asker = &lookup.asker;
        let CacheFirstLayer { cache, desk, .. } = &self.layer;
        let standing = self.standing(lookup);
        let freshness = match standing {
            Standing::Unproven if freshness != Freshness::AGAIN => Freshness::ALONE,
            _ => freshness,
        };
        let (private, privately) = oneshot::channel();
        let ask = || Ask {
            upstream: Decoding(self.upstream.clone()),
            cache: cache.clone(),
            desk: desk.clone(),
            question: lookup.question.clone(),
            credential: asker.credential.clone(),
            principal: asker.principal,
            standing,
            deadline: lookup.deadline,
            resource: lookup.resource.clone(),
            stale_if_error: asker.wishes.stale_if_error,
            condition: asker.condition.clone(),
            private,
        };
        let ask = ask();
        let fetch = |stale| ask.run(stale);
        let answer = cache.get_or_fetch(lookup.resource.clone(), freshness, fetch);
        let (value, source, age) = match answer.await {
            Ok(Answer::Entry { entry, source, age }) => (entry.value().clone(), source, age),
            Ok(Answer::Passing { value, source }) => (value, source, Duration::ZERO),
            Ok(Answer::Private) => {
                let response = privately.await.map_err(|_| UpstreamError::Lost)??;
                let decision = response.extensions().get().copied();
                let decision = decision.unwrap_or(Decision::Miss);
                return Ok(Some(
                    decision.put_on(Duration::ZERO, lookup.shaped(response)),
                ));
            }
            Err(error) => match error.downcast_ref::<Unavailable>() {
                Some(Unavailable(stored, decision)) => {
                    let stored = stored.clone();
                    let response = self.present(stored, lookup, *decision, Duration::ZERO);
                    return Ok(Some(response));
                }
                // What GitHub has said to it, another member could not pass on: hear it ourselves.
                None if error.is_of_a_peer() => return Ok(None),
                None => return Err(error.into()),
            },
        };
        let Ok(stored) = Stored::decode(&value) else {
            return Ok(None);
        };
        // Another's entry: what is known of it for this principal says when it was confirmed.
        if stored.shown_to != asker.principal
            && let Some(proven) = desk.proofs.find(cache, &lookup.resource).await
        {
            let age = cache.now().since(proven.at);
            return Ok(Some(self.present(
                proven.stored,
                lookup,
                source.into(),
                age,
            )));
        }
        Ok(Some(self.present(stored, lookup, source.into(), age)))
    }

    /// A stored answer in the form that this client gets.
    fn present(
        &self,
        mut stored: Stored,
        lookup: &Lookup,
        decision: Decision,
        age: Duration,
    ) -> Response<Body> {
        let asker = &lookup.asker;
        if stored.shown_to != asker.principal {
            stored = stored.seen_by(asker.principal);
            if stored.headers.contains_key(header::ETAG) {
                let request = lookup.question.to_request(asker.credential.as_ref());
                let etag = etag::computed(request.headers(), &stored.body);
                stored.headers.insert(header::ETAG, etag);
            }
        }
        self.layer
            .desk
            .limits
            .apply(asker.principal, &mut stored.headers);
        let not_modified = asker.condition.is_met_by(&stored);
        let mut response = stored.into_response();
        if not_modified {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Body::empty();
            // RFC 9110, section 15.4.5: there is no content that it could describe.
            response.headers_mut().remove(header::CONTENT_TYPE);
        }
        decision.put_on(age, lookup.shaped(response))
    }
}

/// A question, and who asks it.
struct Lookup {
    question: Question,
    asker: Asker,
    resource: Resource,
    /// Until when it waits for the head of an answer, whoever asks GitHub for it.
    deadline: Instant,
}

impl Lookup {
    /// To a HEAD, what the GET would be answered, without its content:
    /// [RFC 9110, section 9.3.2](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2).
    fn shaped(&self, mut response: Response<Body>) -> Response<Body> {
        if self.asker.is_head && response.status() != StatusCode::NOT_MODIFIED {
            if let Some(len) = http_body::Body::size_hint(response.body()).exact() {
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(len));
            }
            *response.body_mut() = Body::empty();
        }
        response
    }
}

/// Who asks, what they have already, and what they wish for.
struct Asker {
    credential: Option<Credential>,
    principal: Scope,
    /// Where the answers that they may see are filed.
    scope: Scope,
    condition: Condition,
    wishes: Wishes,
    is_head: bool,
}

impl Asker {
    fn of(request: &Request<Body>, desk: &Desk) -> Self {
        let headers: &HeaderMap = request.headers();
        let credential = Credential::of(request);
        let principal = desk.scopes.principal(credential.as_ref());
        Self {
            credential,
            principal,
            scope: desk.scopes.scope_of(principal),
            condition: Condition::of(headers),
            wishes: Wishes::of(headers),
            is_head: request.method() == Method::HEAD,
        }
    }
}

#[cfg(test)]
mod tests;
