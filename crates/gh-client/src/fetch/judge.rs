//! Judging what GitHub has said, and what to do where it has said nothing.

use cache_core::{Entry, Fetched, Freshness, MeshTime, Scope, Source, State};
use http::header::{self, HeaderMap, HeaderValue};
use http::response::Parts;
use http::{Response, StatusCode};

use super::{Ask, Basis, Desk, Unavailable};
use crate::body::{Body, BoxError};
use crate::collect::{Collected, collect};
use crate::decision::Decision;
use crate::error::UpstreamError;
use crate::etag;
use crate::graphql;
use crate::limits;
use crate::policy;
use crate::proof::Proven;
use crate::scope::Standing;
use crate::stored::{NotAnAnswer, Stored};

/// What there is for a client where GitHub has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WayOut {
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
pub(super) enum Failure {
    Said(Stored, Decision),
    Lost(UpstreamError),
}

impl<S> Ask<S> {
    /// GitHub has said that what there is, is the answer.
    pub(super) fn confirmed(
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
    pub(super) async fn judge(
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
        let decision = parts.extensions.get().copied().unwrap_or(Decision::Miss);
        let stored = Stored::new(parts.status, parts.headers, body).given_to(self.principal);
        if is_unavailable {
            return self.fail(&basis, proven, Failure::Said(stored, decision));
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
    pub(super) fn fail(
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
                Failure::Said(stored, decision) => {
                    let mut response = stored.into_response();
                    response.extensions_mut().insert(decision);
                    Ok(response)
                }
                Failure::Lost(error) => Err(error),
            },
            _ => {
                return Err(match failure {
                    Failure::Said(stored, decision) => Unavailable(stored, decision).into(),
                    Failure::Lost(error) => error.into(),
                });
            }
        };
        Ok(self.privately(answer))
    }

    /// What may be served where GitHub has no answer.
    pub(super) fn way_out(&self, basis: &Basis, proven: Option<&Proven>) -> WayOut {
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

    pub(super) fn privately(self, answer: Result<Response<Body>, UpstreamError>) -> Fetched {
        // Nobody waits any more where the client has left.
        let _ = self.private.send(answer);
        Fetched::Private
    }
}

/// There are [too many](super::UNDER_WAY) questions under way.
pub(super) fn too_busy() -> Stored {
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
