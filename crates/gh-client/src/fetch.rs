//! Asking GitHub on behalf of the cache, and judging what comes back.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Entry, Fetched, Freshness, Key, MeshTime, Resource, Scope, Source, State};
use http::header::{self, HeaderMap, HeaderValue};
use http::response::Parts;
use http::{Request, Response, StatusCode};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{self, Instant};
use tower::{Service, ServiceExt};

use crate::body::{Body, BoxError};
use crate::collect::{Collected, Room, collect};
use crate::condition::Condition;
use crate::credential::Credential;
use crate::error::UpstreamError;
use crate::etag;
use crate::graphql;
use crate::limits::{self, Call, Limits, Price};
use crate::policy::{self, Keeping};
use crate::proof::{Proofs, Proven};
use crate::question::Question;
use crate::retry::{Attempts, Deadline};
use crate::scope::{Scopes, Standing};
use crate::stored::{NotAnAnswer, Stored};

/// How long upstream has until the headers of its answer are here, all attempts and waits
/// included, and as long again until the body is. GitHub itself gives up after
/// [10 seconds](https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api).
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Questions that are being asked at one time, those included whose clients have left; [`PATIENCE`]
/// bounds how long each takes. Further ones are answered 503, or by what is stale.
pub(crate) const UNDER_WAY: usize = 1024;

/// What all questions of a client share.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) keeping: Arc<Keeping>,
    pub(crate) scopes: Scopes,
    pub(crate) limits: Limits,
    pub(crate) proofs: Proofs,
    pub(crate) room: Arc<Room>,
    /// For the questions that are under way.
    pub(crate) places: Arc<Semaphore>,
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
    /// Until when the client waits for the head of an answer.
    pub(crate) deadline: Instant,
    /// What the answer is filed under.
    pub(crate) resource: Resource,
    /// How stale an answer this client takes where GitHub has none; `None` leaves it to the cache.
    pub(crate) stale_if_error: Option<Duration>,
    /// What the client itself holds.
    pub(crate) condition: Condition,
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

impl Reply {
    /// Whether it shows what was asked for to who has asked.
    fn shows_something(&self) -> bool {
        match self {
            Self::NotModified(_) => true,
            Self::Answer(parts, _) => parts.status.is_success(),
        }
    }
}

/// What there is for a client where GitHub has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WayOut {
    /// Nothing.
    None,
    /// An entry of its own scope, which the cache serves.
    Own,
    /// Such an entry, which this client must not see, or not so stale.
    Barred,
    /// Another's entry, for which it has had a proof.
    Proven,
    /// An entry that GitHub has shown to everybody.
    Public,
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
        let proven = self.desk.proofs.find(&self.cache, &self.resource).await;
        let basis = self.basis(stale, proven.as_ref()).await;
        // It goes with the task, which outlives a client that has left.
        let Ok(_place) = Arc::clone(&self.desk.places).try_acquire_owned() else {
            return self.fail(&basis, proven, Failure::Said(too_busy()));
        };
        // An invalidation that comes in meanwhile is later than the proof, and voids it.
        let asked_at = self.cache.asked_at(&self.resource);
        let way_out = self.way_out(&basis, proven.as_ref());
        let reply = time::timeout_at(self.deadline, self.ask(&basis, way_out)).await;
        let reply = reply.unwrap_or(Err(UpstreamError::TimedOut(PATIENCE)));
        if reply.as_ref().is_ok_and(Reply::shows_something) {
            let family = self.resource.key.family;
            self.desk
                .scopes
                .show(self.principal, family, self.cache.now());
        }
        match reply {
            // The client holds it; there is nothing to keep.
            Ok(Reply::NotModified(headers)) if matches!(basis, Basis::Nothing) => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                *response.headers_mut() = headers;
                Ok(self.privately(Ok(response)))
            }
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
        // And what everybody may see can be shown where GitHub has no answer.
        others.sort_by_key(|(scope, _, entry)| {
            (Some(entry.digest()) != known, *scope != Scope::PUBLIC)
        });
        match others.into_iter().next() {
            Some((scope, stored, entry)) => Basis::Theirs(scope, entry, stored),
            None => Basis::Nothing,
        }
    }

    /// Asks once, and once more without conditions where a 304 makes no sense
    /// ([RFC 9111, section 4.3.3](https://www.rfc-editor.org/rfc/rfc9111#section-4.3.3)).
    async fn ask(&self, basis: &Basis, way_out: WayOut) -> Result<Reply, UpstreamError> {
        let mut request = self.request(basis);
        // Where something can be served, nobody has to wait for many attempts.
        let attempts = match way_out {
            WayOut::None | WayOut::Barred => Attempts::ALL,
            WayOut::Own | WayOut::Proven | WayOut::Public => Attempts::FEW,
        };
        request.extensions_mut().insert(attempts);
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
            request = self.unconditional();
        }
        Err(UpstreamError::Unconditional304)
    }

    fn unconditional(&self) -> Request<Body> {
        let mut request = self.question.to_request(self.credential.as_ref());
        request.extensions_mut().insert(Deadline(self.deadline));
        request
    }

    fn request(&self, basis: &Basis) -> Request<Body> {
        let mut request = self.unconditional();
        let (stored, is_own) = match basis {
            Basis::Nothing => {
                if self.is_spent() {
                    self.condition.put_on(request.headers_mut());
                }
                return request;
            }
            Basis::Own(_, stored) => (stored, stored.shown_to == self.principal),
            Basis::Theirs(_, _, stored) => (stored, false),
        };
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

    /// Whether nothing may be sent but what GitHub answers for free: then who holds an answer can at
    /// least hear whether it is still right.
    fn is_spent(&self) -> bool {
        let is_refused = |price| {
            let call = Call {
                principal: self.principal,
                resource: limits::resource_of(self.question.path()),
                price,
            };
            let now = self.cache.now();
            self.desk.limits.refuse(&call, now).is_some()
        };
        let may_be_free = self.question.query.is_none() && self.credential.is_some();
        may_be_free && is_refused(Price::One) && !is_refused(Price::NoneIfConfirmed)
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
        let body = match collect(body, self.desk.keeping.max_entry_bytes, &self.desk.room).await {
            Collected::Complete(body) => body,
            Collected::Unfinished(body) => {
                return Ok(self.privately(Ok(Response::from_parts(parts, body))));
            }
        };
        let is_private = policy::is_private(&parts.headers);
        let outcome = match self.question.query {
            Some(_) => graphql::Outcome::of(&body),
            None => graphql::Outcome::Complete,
        };
        let is_struck =
            policy::is_secondary_limit(parts.status, &body) || outcome == graphql::Outcome::Struck;
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
        let is_refused = !is_limited && policy::ends_the_view(parts.status);
        // What GitHub refuses to one credential says nothing of the others that share its scope.
        let is_shared = self.resource.key.scope != self.principal;
        let is_personal = is_shared && (is_limited || is_refused);
        let had_a_view = !is_shared && (matches!(basis, Basis::Own(..)) || proven.is_some());
        if (is_private || is_personal) && !(is_unavailable && has_other) {
            if is_refused {
                self.end_the_view(had_a_view);
            }
            let response = Response::from_parts(parts, Body::full(body));
            return Ok(self.privately(Ok(response)));
        }
        let stored = Stored::new(parts.status, parts.headers, body).given_to(self.principal);
        if is_unavailable {
            return self.fail(&basis, proven, Failure::Said(stored));
        }
        self.desk.proofs.end(&self.resource.key);
        if is_refused && had_a_view {
            self.end_the_view(had_a_view);
            return Ok(Fetched::Passing(stored.encode()?));
        }
        let value = stored.encode()?;
        let lifetime = self.desk.keeping.lifetime(&self.question, &stored);
        // What a stranger is refused must not take the place of what others see.
        let may_keep = (self.standing == Standing::Known || stored.status == StatusCode::OK)
            && outcome == graphql::Outcome::Complete;
        let kept = lifetime.filter(|_| may_keep);
        // A refusal that is kept takes the place of what could be seen, on all members.
        if is_refused && kept.is_none() {
            self.end_the_view(had_a_view);
        }
        Ok(match kept {
            Some(lifetime) => Fetched::New(value, lifetime),
            None => Fetched::Passing(value),
        })
    }

    fn end_the_view(&self, had_a_view: bool) {
        let key = self.resource.key;
        self.desk
            .end_the_view(&self.cache, self.principal, key, had_a_view);
    }

    /// GitHub could not say anything. A stale entry is the better answer, to whom it may be shown;
    /// where it is the asker's own, the cache serves it.
    fn fail(
        self,
        basis: &Basis,
        proven: Option<Proven>,
        failure: Failure,
    ) -> Result<Fetched, BoxError> {
        let answer = match (self.way_out(basis, proven.as_ref()), proven, basis) {
            (WayOut::Proven, Some(proven), _) => {
                return Ok(Fetched::Elsewhere(proven.entry, Source::Stale));
            }
            (WayOut::Public, _, Basis::Theirs(_, entry, _)) => {
                return Ok(Fetched::Elsewhere(entry.clone(), Source::Stale));
            }
            (WayOut::Barred, ..) => match failure {
                Failure::Said(stored) => Ok(stored.into_response()),
                Failure::Lost(error) => Err(error),
            },
            _ => {
                return Err(match failure {
                    Failure::Said(stored) => Unavailable(stored).into(),
                    Failure::Lost(error) => error.into(),
                });
            }
        };
        Ok(self.privately(answer))
    }

    /// What may be served where GitHub has no answer.
    fn way_out(&self, basis: &Basis, proven: Option<&Proven>) -> WayOut {
        // Another call may have been refused meanwhile.
        let family = self.resource.key.family;
        let standing = self
            .desk
            .scopes
            .standing_at(self.principal, family, self.cache.now());
        let is_known = standing == Standing::Known;
        if let Basis::Own(entry, stored) = basis {
            return match is_known && self.may_be_stale(entry, stored) {
                true => WayOut::Own,
                false => WayOut::Barred,
            };
        }
        let is_of_use = |proven: &Proven| {
            proven.state(self.cache.now(), Freshness::AS_STORED) != State::Dead
                && policy::may_be_stale(&self.question, &proven.stored.headers)
        };
        if proven.filter(|_| is_known).is_some_and(is_of_use) {
            return WayOut::Proven;
        }
        match basis {
            Basis::Theirs(Scope::PUBLIC, entry, stored)
                if is_known && self.may_be_stale(entry, stored) =>
            {
                WayOut::Public
            }
            _ => WayOut::None,
        }
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

/// There are [too many](UNDER_WAY) questions under way.
fn too_busy() -> Stored {
    let body = r#"{"message":"ghmesh is asking GitHub as much as it can; try again in a moment"}"#;
    let headers = HeaderMap::from_iter([
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        ),
        (header::RETRY_AFTER, HeaderValue::from_static("1")),
    ]);
    Stored::new(StatusCode::SERVICE_UNAVAILABLE, headers, body.into())
}

/// Whether an answer shows what was asked for.
fn is_positive(status: StatusCode) -> bool {
    matches!(status, StatusCode::OK | StatusCode::MOVED_PERMANENTLY)
}

impl Desk {
    /// GitHub has refused an answer to a principal. Members are told, since any may hold what it
    /// could see. What is held here, it had of its own, and that is made void for all: no more than
    /// there is, so that nobody fills a table by asking for what it may not see.
    pub(crate) fn end_the_view(&self, cache: &Cache, principal: Scope, key: Key, had_a_view: bool) {
        self.scopes.refuse(principal, key.family, cache.now());
        if had_a_view {
            self.proofs.end(&key);
            cache.invalidate(key);
        }
    }

    /// What a principal may be shown of another's entry, for which it has a proof that is still as
    /// fresh as is asked for.
    pub(crate) async fn proven(
        &self,
        cache: &Cache,
        resource: &Resource,
        freshness: Freshness,
    ) -> Option<Proven> {
        let Key { scope, family } = resource.key;
        if self.scopes.standing_at(scope, family, cache.now()) == Standing::Unproven {
            return None;
        }
        let proven = self.proofs.find(cache, resource).await?;
        let is_fresh = proven.state(cache.now(), freshness) == State::Fresh;
        is_fresh.then_some(proven)
    }
}
