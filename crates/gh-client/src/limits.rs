//! What GitHub's limits are, for each principal and resource, and what they forbid.

use std::cmp::Reverse;

use cache_core::notes::Bell;
use cache_core::{MeshTime, Scope};
use http::header::{self, HeaderMap};
use http::{Method, Request, Response, StatusCode};
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use serde::{Deserialize, Serialize};

use crate::body::Body;
use crate::pattern;
use crate::policy;
use crate::question::RATE_LIMIT;

mod row;

use row::{Kind, LimitRow, Quota, RESOURCE, Refusal, WINDOW, text};

/// The state of one [rate limit](https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#checking-the-status-of-your-rate-limit).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RateLimit {
    /// Whose limit it is: a digest of the credential, or `public` for requests without one.
    pub principal: String,
    /// What is limited: `core`, `search`, `graphql`, …
    pub resource: String,
    /// Calls per window.
    pub limit: u64,
    /// Calls left in this window.
    pub remaining: u64,
    /// Calls made in this window.
    pub used: u64,
    /// When the next window begins, in seconds since the Unix epoch.
    pub reset: u64,
    /// Until when GitHub wants nothing sent, in seconds since the Unix epoch, where it has last
    /// refused a call for having asked too much at a time. It may be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_until: Option<u64>,
}

/// What is asked of GitHub, as far as the limits are concerned.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) principal: Scope,
    pub(crate) resource: &'a str,
    pub(crate) price: Price,
}

/// What a call costs of the primary limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Price {
    /// One of the calls that are left.
    One,
    /// Nothing where GitHub answers 304 to who has a credential: it names a validator.
    NoneIfConfirmed,
    /// Nothing: it asks what is left.
    None,
}

impl Price {
    /// What a request costs that is for this path, below the API's own.
    pub(crate) fn of<B>(request: &Request<B>, path: &str) -> Self {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return Self::One;
        }
        let headers = request.headers();
        if path == RATE_LIMIT {
            Self::None
        } else if headers.contains_key(header::IF_NONE_MATCH)
            || headers.contains_key(header::IF_MODIFIED_SINCE)
        {
            Self::NoneIfConfirmed
        } else {
            Self::One
        }
    }
}

/// Limits that are remembered. At the bound those that nobody asks for are forgotten; answers from
/// the cache then go out without them, and GitHub says no by itself.
const MAX_LIMITS: u64 = 4096;

/// A limit that is over or nears its end by so much is no news, in milliseconds: of many calls under
/// way, each is refused for a little longer than the one before.
const NO_NEWS: u64 = 1000;

/// The limits of all principals that have been seen here, or that other members have told of.
///
/// Members tell each other of them every 30 seconds, and at once where one is met.
#[derive(Clone, Debug)]
pub struct Limits {
    known: Cache<(Scope, String), Known>,
    /// Rung where a limit is met.
    bell: Bell,
}

/// What is known of one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    row: LimitRow,
    /// Whether it was here that GitHub told of the calls that are left.
    is_ours: bool,
}

impl Limits {
    pub(crate) fn new() -> Self {
        Self {
            // The newest is what counts, however often others are asked for.
            known: Cache::builder()
                .max_capacity(MAX_LIMITS)
                .eviction_policy(EvictionPolicy::lru())
                .build(),
            bell: Bell::default(),
        }
    }

    /// Has the members told at once where a limit is met.
    pub(crate) fn with_bell(self, bell: Bell) -> Self {
        Self { bell, ..self }
    }

    /// All that are known, in a stable order.
    pub fn snapshot(&self) -> Vec<RateLimit> {
        let limits = self.known.iter().map(|(_, known)| known.row.to_limit());
        let mut limits: Vec<_> = limits.flatten().collect();
        limits.sort_by(|a, b| (&a.principal, &a.resource).cmp(&(&b.principal, &b.resource)));
        limits
    }

    /// What there is to tell other members, in at most so many bytes: what GitHub has told here, and
    /// what is forbidden, whoever has met it, since that must not be lost with its member. What
    /// forbids most, and then what is newest, comes first.
    pub(crate) fn write(&self, now: MeshTime, room: usize) -> Vec<u8> {
        let forbids = |row: &LimitRow| row.forbids(now).map(|(until, ..)| until);
        let is_worth_telling = |known: &Known| {
            let quota = known.row.quota.filter(|_| known.is_ours);
            let is_of_now = quota.is_some_and(|quota| quota.as_of.saturating_add(WINDOW) > now);
            // Who sends no credential is limited by address: that is ours alone.
            known.row.principal != Scope::PUBLIC && (is_of_now || forbids(&known.row).is_some())
        };
        let known = self.known.iter().map(|(_, known)| known);
        let mut rows: Vec<_> = known
            .filter(is_worth_telling)
            .map(|known| known.row)
            .collect();
        rows.sort_by_cached_key(|row| Reverse((forbids(row), row.quota)));
        let mut written = Vec::new();
        for row in rows {
            // It holds nothing that cannot be written.
            let row = postcard::to_allocvec(&row).unwrap_or_default();
            if written.len() + row.len() <= room {
                written.extend_from_slice(&row);
            }
        }
        written
    }

    /// Takes over what another member has [written](Self::write), as far as it can be believed:
    /// of each part of a limit what is known later.
    pub(crate) fn read(&self, mut written: &[u8], now: MeshTime) {
        // Whatever does not read ends it.
        while let Ok((row, rest)) = postcard::take_from_bytes::<LimitRow>(written) {
            written = rest;
            if let Some(row) = row.believed(now) {
                self.merge(&row);
            }
        }
    }

    fn merge(&self, row: &LimitRow) {
        let key = (row.principal, row.resource.clone());
        self.known.entry(key).and_compute_with(|held| {
            let mut known = match held {
                Some(held) => held.into_value(),
                None => Known {
                    row: LimitRow::new(row.principal, &row.resource),
                    is_ours: false,
                },
            };
            let before = known.row.quota;
            if !known.row.merge(row) {
                return Op::Nop;
            }
            known.is_ours &= known.row.quota == before;
            Op::Put(known)
        });
    }

    /// Takes note of what an answer says.
    pub(crate) fn observe(
        &self,
        call: &Call<'_>,
        status: StatusCode,
        headers: &HeaderMap,
        now: MeshTime,
    ) {
        let quota = Quota::of(headers, now);
        let is_refusal = policy::is_rate_limited(status, headers);
        if quota.is_none() && !is_refusal {
            return;
        }
        let resource = text(headers, &RESOURCE).unwrap_or(call.resource);
        self.update(call.principal, resource, now, |known| {
            if let Some(quota) = quota {
                known.heard(quota);
            }
            if is_refusal {
                let strikes = known.row.secondary.map_or(0, |refusal| refusal.strikes);
                let refusal = Refusal::of(status, headers, strikes, now);
                known.row.refused(refusal, now);
            } else {
                // A call that was under way when another was refused proves nothing.
                known.row.forget_what_is_over(now);
            }
        });
    }

    /// Takes note of a refusal for a secondary limit that only the body tells of.
    pub(crate) fn strike(
        &self,
        principal: Scope,
        resource: &str,
        status: StatusCode,
        now: MeshTime,
    ) {
        self.update(principal, resource, now, |known| {
            let strikes = known.row.secondary.map_or(0, |refusal| refusal.strikes);
            let refusal = Refusal::undated(status, strikes, now);
            known.row.refused((Kind::Secondary, refusal), now);
        });
    }

    /// What a call would be answered now, if the limits forbid it.
    pub(crate) fn refuse(&self, call: &Call<'_>, now: MeshTime) -> Option<Response<Body>> {
        let key = (call.principal, call.resource.to_owned());
        self.known.get(&key)?.row.refuses(call, now)
    }

    /// Puts the limits of today on an answer that was stored some other day.
    pub(crate) fn apply(&self, principal: Scope, headers: &mut HeaderMap) {
        let resource = text(headers, &RESOURCE).unwrap_or("core").to_owned();
        let known = self.known.get(&(principal, resource));
        if let Some(quota) = known.and_then(|known| known.row.quota) {
            quota.write_to(headers);
        }
    }

    /// Changes what is known of a limit, and has the members told where that forbids more.
    fn update(
        &self,
        principal: Scope,
        resource: &str,
        now: MeshTime,
        change: impl FnOnce(&mut Known),
    ) {
        let key = (principal, resource.to_owned());
        let end = |known: &Known| {
            known
                .row
                .forbids(now)
                .map_or(0, |(end, ..)| end.as_millis())
        };
        let mut is_met = false;
        self.known.entry(key).and_compute_with(|held| {
            let mut known = match held {
                Some(held) => held.into_value(),
                None => Known {
                    row: LimitRow::new(principal, resource),
                    is_ours: true,
                },
            };
            let before = end(&known);
            change(&mut known);
            is_met = end(&known) > before.saturating_add(NO_NEWS);
            Op::Put(known)
        });
        if is_met {
            self.bell.ring();
        }
    }
}

impl Known {
    /// GitHub has told of the calls that are left. Of what another member has told nothing is
    /// believed any more.
    fn heard(&mut self, quota: Quota) {
        // Answers overtake each other.
        let is_overtaken = |held: &Quota| self.is_ours && held.is_after(&quota);
        if !self.row.quota.as_ref().is_some_and(is_overtaken) {
            self.row.quota = Some(quota);
            self.is_ours = true;
        }
    }
}

/// What is charged to a [resource](https://docs.github.com/en/rest/rate-limit/rate-limit) other than
/// `core`, as far as the path tells. The first row that matches counts.
const RESOURCES: &[(&str, &str)] = &[
    ("/graphql", "graphql"),
    ("/search/code", "code_search"),
    ("/search/**", "search"),
    ("/scim/**", "scim"),
    ("/app-manifests/**", "integration_manifest"),
    ("/orgs/*/audit-log", "audit_log"),
    ("/enterprises/*/audit-log", "audit_log"),
    (
        "/orgs/*/actions/runners/registration-token",
        "actions_runner_registration",
    ),
    (
        "/enterprises/*/actions/runners/registration-token",
        "actions_runner_registration",
    ),
    (
        "/repos/*/*/actions/runners/registration-token",
        "actions_runner_registration",
    ),
    ("/repos/*/*/code-scanning/sarifs", "code_scanning_upload"),
    (
        "/repos/*/*/dependency-graph/snapshots",
        "dependency_snapshots",
    ),
    ("/repos/*/*/dependency-graph/sbom", "dependency_sbom"),
];

/// The resource that a call to this path, below the API's own, is charged to.
pub(crate) fn resource_of(path: &str) -> &'static str {
    let row = RESOURCES
        .iter()
        .find(|(row, _)| pattern::matches(row, path));
    row.map_or("core", |(_, resource)| *resource)
}

#[cfg(test)]
mod tests;
