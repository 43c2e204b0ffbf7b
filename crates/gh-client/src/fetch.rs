//! Asking GitHub on behalf of the cache, and judging what comes back.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Entry, Fetched, Freshness, Key, MeshTime, Resource, Scope, Source, State};
use http::header::{self, HeaderMap};
use http::response::Parts;
use http::{Request, Response, StatusCode};
use tokio::sync::{Semaphore, oneshot};
use tokio::time;
use tower::{Service, ServiceExt};

use crate::body::{Body, BoxError};
use crate::collect::{Collected, collect};
use crate::credential::Credential;
use crate::error::UpstreamError;
use crate::etag;
use crate::graphql;
use crate::limits::{self, Limits};
use crate::policy::{self, Keeping};
use crate::proof::{Proofs, Proven};
use crate::question::Question;
use crate::retry::Attempts;
use crate::scope::{Scopes, Standing};
use crate::stored::{NotAnAnswer, Stored};

/// How long upstream has until the headers of its answer are here, all attempts and waits
/// included, and as long again until the body is. GitHub itself gives up after
/// [10 seconds](https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api).
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Answers that are read into memory at one time, each up to the largest that is kept. Further
/// questions wait until there is room; [`PATIENCE`] bounds how long each takes.
pub(crate) const ROOM: usize = 64;

/// What all questions of a client share.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) keeping: Arc<Keeping>,
    pub(crate) scopes: Scopes,
    pub(crate) limits: Limits,
    pub(crate) proofs: Proofs,
    /// Room for answers that are being read into memory.
    pub(crate) room: Arc<Semaphore>,
}

/// One question to GitHub, asked with the credential of the client that needs the answer.
pub(crate) struct Ask<S> {
    pub(crate) upstream: S,
    pub(crate) cache: Cache,
    pub(crate) desk: Desk,
    pub(crate) question: Question,
    pub(crate) credential: Option<Credential>,
    /// Who asks.
    pub(crate) principal: Scope,
    pub(crate) standing: Standing,
    /// What the answer is filed under.
    pub(crate) resource: Resource,
    /// How stale an answer this client takes where GitHub has none; `None` leaves it to the cache.
    pub(crate) stale_if_error: Option<Duration>,
    /// Where an answer goes that only this client can have.
    pub(crate) private: Private,
}

/// The way to the one client that has asked.
pub(crate) type Private = oneshot::Sender<Result<Response<Body>, UpstreamError>>;

/// GitHub answered that it cannot answer now: a server error, or a limit. Where there is a stale
/// entry it is the better answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("GitHub answered {}", .0.status)]
pub(crate) struct Unavailable(pub(crate) Stored);

/// What GitHub is asked about.
enum Basis {
    /// There is nothing.
    Nothing,
    /// A stale entry of the asker's own scope.
    Own(Entry, Stored),
    /// An entry of another scope, which the asker may turn out to have a right to.
    Theirs(Scope, Entry, Stored),
}

/// GitHub's reply.
enum Reply {
    NotModified(HeaderMap),
    Answer(Parts, Body),
}

/// Why there is no answer.
enum Failure {
    Said(Stored),
    Lost(UpstreamError),
}

impl<S> Ask<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = UpstreamError> + Clone,
{
    /// Asks, with a validator of what there is.
    pub(crate) async fn run(self, stale: Option<Entry>) -> Result<Fetched, BoxError> {
        // It goes with the task, which outlives a client that has left.
        let _room = Arc::clone(&self.desk.room).acquire_owned().await?;
        let proven = self.desk.proofs.find(&self.cache, &self.resource).await;
        let basis = self.basis(stale, proven.as_ref()).await;
        // An invalidation that comes in meanwhile is later than the proof, and voids it.
        let asked_at = self.cache.asked_at(&self.resource);
        let reply = time::timeout(PATIENCE, self.ask(&basis)).await;
        match reply.unwrap_or(Err(UpstreamError::TimedOut(PATIENCE))) {
            Ok(Reply::NotModified(headers)) => Ok(self.confirmed(basis, &headers, asked_at)?),
            Ok(Reply::Answer(parts, body)) => self.judge(basis, proven, parts, body).await,
            Err(error) => self.fail(&basis, proven, Failure::Lost(error)),
        }
    }

    async fn basis(&self, stale: Option<Entry>, proven: Option<&Proven>) -> Basis {
        if let Some(entry) = stale
            && let Ok(stored) = Stored::decode(entry.value())
        {
            return Basis::Own(entry, stored);
        }
        // Without a credential a 304 costs as much as an answer; and GraphQL has no 304.
        if self.credential.is_none() || self.question.query.is_some() {
            return Basis::Nothing;
        }
        let own = self.resource.key.scope;
        let family = self.cache.family(&self.resource.key.family).await;
        let others = family.into_iter().filter(|(scope, _)| *scope != own);
        let mut others: Vec<_> = others
            .filter_map(|(scope, entry)| Some((scope, Stored::decode(entry.value()).ok()?, entry)))
            .filter(|(_, stored, _)| is_positive(stored.status))
            .collect();
        // What was this principal's answer before is the most likely to be it again.
        let known = proven.map(|proven| proven.entry.digest());
        others.sort_by_key(|(_, _, entry)| Some(entry.digest()) != known);
        match others.into_iter().next() {
            Some((scope, stored, entry)) => Basis::Theirs(scope, entry, stored),
            None => Basis::Nothing,
        }
    }

    /// Asks once, and once more without conditions where a 304 makes no sense
    /// ([RFC 9111, section 4.3.3](https://www.rfc-editor.org/rfc/rfc9111#section-4.3.3)).
    async fn ask(&self, basis: &Basis) -> Result<Reply, UpstreamError> {
        let mut request = self.request(basis);
        let conditions = request.headers().clone();
        let is_conditional = conditions.contains_key(header::IF_NONE_MATCH)
            || conditions.contains_key(header::IF_MODIFIED_SINCE);
        for is_conditional in [is_conditional, false] {
            let response = self.upstream.clone().oneshot(request).await?;
            let (parts, body) = response.into_parts();
            if parts.status != StatusCode::NOT_MODIFIED {
                return Ok(Reply::Answer(parts, body));
            }
            if is_conditional && etag::confirms(&conditions, &parts.headers) {
                return Ok(Reply::NotModified(parts.headers));
            }
            request = self.question.to_request(self.credential.as_ref());
        }
        Err(UpstreamError::Unconditional304)
    }

    fn request(&self, basis: &Basis) -> Request<Body> {
        let mut request = self.question.to_request(self.credential.as_ref());
        let (stored, is_own) = match basis {
            Basis::Nothing => return request,
            Basis::Own(_, stored) => (stored, stored.shown_to == self.principal),
            Basis::Theirs(_, _, stored) => (stored, false),
        };
        // Where something can be served, nobody has to wait for many attempts.
        request.extensions_mut().insert(Attempts::FEW);
        if self.question.query.is_some() {
            return request;
        }
        if !is_own {
            // The date says nothing of what this principal would see: the tag alone is a proof.
            let etag = etag::computed(request.headers(), &stored.body);
            request.headers_mut().insert(header::IF_NONE_MATCH, etag);
            return request;
        }
        let validator = |name| stored.headers.get(name).cloned();
        let headers = request.headers_mut();
        // An ETag says more than a date: RFC 9110, section 13.1.3.
        if let Some(etag) = validator(header::ETAG) {
            headers.insert(header::IF_NONE_MATCH, etag);
        } else if let Some(modified) = validator(header::LAST_MODIFIED) {
            headers.insert(header::IF_MODIFIED_SINCE, modified);
        }
        request
    }

    /// GitHub has said that what there is, is the answer.
    fn confirmed(
        &self,
        basis: Basis,
        headers: &HeaderMap,
        asked_at: MeshTime,
    ) -> Result<Fetched, NotAnAnswer> {
        let (theirs, stored) = match basis {
            Basis::Nothing => return Err(NotAnAnswer),
            Basis::Own(_, stored) => (None, stored),
            Basis::Theirs(scope, entry, stored) => (Some((scope, entry)), stored),
        };
        let mut headers = headers.clone();
        // Another's tag is of no use to this client, should the 304 not name one.
        if stored.shown_to != self.principal && !headers.contains_key(header::ETAG) {
            let request = self.question.to_request(self.credential.as_ref());
            headers.insert(
                header::ETAG,
                etag::computed(request.headers(), &stored.body),
            );
        }
        let renewed = stored.clone().revalidated(self.principal, &headers);
        let value = renewed.encode()?;
        // A 304 may forbid what the 200 before it allowed.
        let may_be_kept = policy::may_be_kept(&headers);
        let lifetime = self.desk.keeping.lifetime(&self.question, &renewed);
        let Some(lifetime) = lifetime.filter(|_| may_be_kept) else {
            return Ok(Fetched::Passing(value));
        };
        let Some((scope, entry)) = theirs else {
            return Ok(Fetched::Revalidated(value, lifetime));
        };
        let dies_at = entry.stored_at().saturating_add(entry.lifetime().total());
        // What all may see is worth having in the scope of all; and who depends on an entry that
        // is about to die takes it over.
        if self.resource.key.scope != self.principal
            || dies_at <= asked_at.saturating_add(lifetime.ttl)
        {
            return Ok(Fetched::Revalidated(value, lifetime));
        }
        let shown = (scope, &entry, &stored);
        let key = self.resource.key;
        self.desk
            .proofs
            .record(key, shown, &headers, asked_at, lifetime);
        Ok(Fetched::Elsewhere(entry, Source::Revalidated))
    }

    /// GitHub has said something of its own.
    async fn judge(
        self,
        basis: Basis,
        proven: Option<Proven>,
        parts: Parts,
        body: Body,
    ) -> Result<Fetched, BoxError> {
        let body = match collect(body, self.desk.keeping.max_entry_bytes).await {
            Collected::Complete(body) => body,
            Collected::Unfinished(body) => {
                return Ok(self.privately(Ok(Response::from_parts(parts, body))));
            }
        };
        let is_private = policy::is_private(&parts.headers);
        let is_struck = policy::is_secondary_limit(parts.status, &body);
        let outcome = match self.question.query {
            Some(_) => graphql::Outcome::of(&body),
            None => graphql::Outcome::Complete,
        };
        let is_limited = is_struck
            || policy::is_rate_limited(parts.status, &parts.headers)
            || outcome == graphql::Outcome::Limited;
        let is_unavailable = parts.status.is_server_error() || is_limited;
        // Where a header tells of it, note has been taken.
        if is_struck && !policy::is_rate_limited(parts.status, &parts.headers) {
            let resource = limits::resource_of(self.question.path());
            let Desk { limits, .. } = &self.desk;
            limits.strike(self.principal, resource, parts.status, self.cache.now());
        }
        let has_other = !matches!(basis, Basis::Nothing) || proven.is_some();
        // What GitHub refuses to one credential says nothing of the others that share its scope.
        let is_shared = self.resource.key.scope != self.principal;
        let is_personal = is_shared && (is_limited || policy::ends_the_view(parts.status));
        if (is_private || is_personal) && !(is_unavailable && has_other) {
            if policy::ends_the_view(parts.status) {
                self.desk.scopes.doubt(self.principal);
            }
            let response = Response::from_parts(parts, Body::full(body));
            return Ok(self.privately(Ok(response)));
        }
        let stored = Stored::new(parts.status, parts.headers, body).given_to(self.principal);
        if is_unavailable {
            return self.fail(&basis, proven, Failure::Said(stored));
        }
        self.desk.proofs.end(&self.resource.key);
        // One on another member, where this credential may have proofs, included.
        let may_have_a_view = has_other && (self.standing == Standing::Known || !is_shared);
        if may_have_a_view && policy::ends_the_view(stored.status) {
            self.cache.invalidate(self.resource.key);
            self.desk.scopes.doubt(self.principal);
            return Ok(Fetched::Passing(stored.encode()?));
        }
        let value = stored.encode()?;
        let lifetime = self.desk.keeping.lifetime(&self.question, &stored);
        // What a stranger is refused must not take the place of what others see.
        let may_keep = (self.standing == Standing::Known || stored.status == StatusCode::OK)
            && outcome == graphql::Outcome::Complete;
        Ok(match lifetime.filter(|_| may_keep) {
            Some(lifetime) => Fetched::New(value, lifetime),
            None => Fetched::Passing(value),
        })
    }

    /// GitHub could not say anything. A stale entry is the better answer, to whom it may be shown;
    /// where it is the asker's own, the cache serves it.
    fn fail(
        self,
        basis: &Basis,
        proven: Option<Proven>,
        failure: Failure,
    ) -> Result<Fetched, BoxError> {
        let own = match basis {
            Basis::Own(entry, stored) => Some((entry, stored)),
            Basis::Nothing | Basis::Theirs(..) => None,
        };
        let is_forbidden = own.is_some_and(|(entry, stored)| !self.may_be_stale(entry, stored));
        if own.is_some() && (is_forbidden || self.standing == Standing::Unproven) {
            let answer = match failure {
                Failure::Said(stored) => Ok(stored.into_response()),
                Failure::Lost(error) => Err(error),
            };
            return Ok(self.privately(answer));
        }
        if let Some(proven) = proven.filter(|_| own.is_none() && self.standing == Standing::Known)
            && proven.state(self.cache.now(), Freshness::AS_STORED) != State::Dead
            && policy::may_be_stale(&self.question, &proven.stored.headers)
        {
            return Ok(Fetched::Elsewhere(proven.entry, Source::Stale));
        }
        Err(match failure {
            Failure::Said(stored) => Unavailable(stored).into(),
            Failure::Lost(error) => error.into(),
        })
    }

    fn may_be_stale(&self, entry: &Entry, stored: &Stored) -> bool {
        let staleness = entry
            .age(self.cache.now())
            .saturating_sub(entry.lifetime().ttl);
        policy::may_be_stale(&self.question, &stored.headers)
            && self.stale_if_error.is_none_or(|most| staleness <= most)
    }

    fn privately(self, answer: Result<Response<Body>, UpstreamError>) -> Fetched {
        // Nobody waits any more where the client has left.
        let _ = self.private.send(answer);
        Fetched::Private
    }
}

/// Whether an answer shows what was asked for.
fn is_positive(status: StatusCode) -> bool {
    matches!(status, StatusCode::OK | StatusCode::MOVED_PERMANENTLY)
}

impl Desk {
    /// What a principal may be shown of another's entry, for which it has a proof that is still as
    /// fresh as is asked for.
    pub(crate) async fn proven(
        &self,
        cache: &Cache,
        resource: &Resource,
        freshness: Freshness,
    ) -> Option<Proven> {
        let Key { scope, .. } = resource.key;
        if self.scopes.standing(scope) == Standing::Unproven {
            return None;
        }
        let proven = self.proofs.find(cache, resource).await?;
        let is_fresh = proven.state(cache.now(), freshness) == State::Fresh;
        is_fresh.then_some(proven)
    }
}
