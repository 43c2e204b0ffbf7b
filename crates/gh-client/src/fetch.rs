//! Asking GitHub on behalf of the cache.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Entry, Fetched, Freshness, Key, Resource, Scope, State};
use http::header::{self, HeaderMap};
use http::response::Parts;
use http::{Request, Response, StatusCode};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{self, Instant};
use tower::{Service, ServiceExt};

use crate::body::{Body, BoxError};
use crate::collect::Room;
use crate::condition::Condition;
use crate::credential::Credential;
use crate::decision::Decision;
use crate::error::UpstreamError;
use crate::etag;
use crate::limits::{self, Call, Limits, Price};
use crate::policy::Keeping;
use crate::proof::{Proofs, Proven};
use crate::question::Question;
use crate::retry::{Attempts, Deadline};
use crate::scope::{Scopes, Standing};
use crate::stored::Stored;

mod judge;

use judge::{Failure, WayOut, too_busy};

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

/// GitHub answered that it cannot answer now: a server error, or a limit. Or we did in its stead, as
/// the decision says. Where there is a stale entry it is the better answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("GitHub answered {}", .0.status)]
pub(crate) struct Unavailable(pub(crate) Stored, pub(crate) Decision);

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
            return self.fail(&basis, proven, Failure::Said(too_busy(), Decision::Refused));
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
        // Whose credential is of the hour may have got it with an earlier one.
        let is_of_the_hour = self
            .credential
            .as_ref()
            .is_some_and(Credential::is_of_the_hour);
        if is_of_the_hour && stored.headers.contains_key(header::ETAG) {
            let etag = etag::computed(request.headers(), &stored.body);
            request.headers_mut().insert(header::IF_NONE_MATCH, etag);
            return request;
        }
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
