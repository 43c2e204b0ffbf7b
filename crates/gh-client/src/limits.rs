//! What GitHub's limits are, for each principal and resource, and what they forbid.

use std::time::Duration;

use cache_core::{MeshTime, Scope};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use moka::ops::compute::Op;
use moka::sync::Cache;
use serde::{Deserialize, Serialize};

use crate::body::Body;
use crate::policy;

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
}

/// All that is known of the limits of one principal and resource: what a member tells others, who
/// [merge](Limits::merge) it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRow {
    principal: Scope,
    resource: String,
    /// When GitHub said so.
    as_of: MeshTime,
    quota: Option<Quota>,
    refusal: Option<Refusal>,
}

/// The primary limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Quota {
    limit: u64,
    remaining: u64,
    used: u64,
    /// In seconds since the Unix epoch.
    reset: u64,
}

/// A refusal that says for how long nothing may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Refusal {
    until: MeshTime,
    status: u16,
    kind: Kind,
    /// How many refusals without a date there have been in a row.
    strikes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    /// The calls of this window are used up.
    Primary,
    /// Too much at a time.
    Secondary,
}

/// What is asked of GitHub, as far as the limits are concerned.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) principal: Scope,
    pub(crate) resource: &'a str,
    /// It names a validator: where it is confirmed, it costs nothing.
    pub(crate) is_conditional: bool,
}

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const USED: HeaderName = HeaderName::from_static("x-ratelimit-used");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const RESOURCE: HeaderName = HeaderName::from_static("x-ratelimit-resource");

/// How long nothing is sent after a refusal that does not say for how long: at least a minute, and
/// twice as long each time
/// ([GitHub](https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit)).
const UNDATED: Duration = Duration::from_secs(60);

/// And no longer than a window.
const LONGEST: Duration = Duration::from_secs(3600);

/// Limits that are remembered. At the bound those that nobody asks for are forgotten; answers from
/// the cache then go out without them, and GitHub says no by itself.
const MAX_LIMITS: u64 = 4096;

/// The limits of all principals that have been seen here, or that other members have told of.
#[derive(Clone, Debug)]
pub struct Limits {
    known: Cache<(Scope, String), LimitRow>,
}

impl Limits {
    pub(crate) fn new() -> Self {
        Self {
            known: Cache::new(MAX_LIMITS),
        }
    }

    /// All that are known, in a stable order.
    pub fn snapshot(&self) -> Vec<RateLimit> {
        let mut limits: Vec<_> = self.rows().iter().filter_map(LimitRow::to_limit).collect();
        limits.sort_by(|a, b| (&a.principal, &a.resource).cmp(&(&b.principal, &b.resource)));
        limits
    }

    /// All that there is to tell other members.
    pub fn rows(&self) -> Vec<LimitRow> {
        self.known.iter().map(|(_, row)| row).collect()
    }

    /// Takes over what another member has heard, where it is the later; tells whether it was.
    ///
    /// Of two of one moment the one that forbids more counts, so that the order in which they come
    /// makes no difference.
    pub fn merge(&self, row: LimitRow) -> bool {
        let key = (row.principal, row.resource.clone());
        let result = self.known.entry(key).and_compute_with(|held| match held {
            Some(held) if held.value().rank() >= row.rank() => Op::Nop,
            _ => Op::Put(row),
        });
        !matches!(result, moka::ops::compute::CompResult::Unchanged(_))
    }

    /// Takes note of what an answer says.
    pub(crate) fn observe(
        &self,
        call: &Call<'_>,
        status: StatusCode,
        headers: &HeaderMap,
        now: MeshTime,
    ) {
        let quota = Quota::of(headers);
        let is_refusal = policy::is_rate_limited(status, headers);
        if quota.is_none() && !is_refusal {
            return;
        }
        let resource = text(headers, &RESOURCE).unwrap_or(call.resource);
        self.update(call.principal, resource, |held| {
            let strikes = held.and_then(|row| row.refusal.map(|refusal| refusal.strikes));
            let in_force = held
                .and_then(|row| row.refusal)
                .filter(|refusal| refusal.until > now);
            let refusal = if is_refusal {
                Some(Refusal::of(status, headers, strikes.unwrap_or(0), now))
            } else {
                // A call that was under way when another was refused proves nothing.
                in_force
            };
            LimitRow {
                principal: call.principal,
                resource: resource.to_owned(),
                as_of: now,
                quota: quota.or(held.and_then(|row| row.quota)),
                refusal,
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
        self.update(principal, resource, |held| {
            let strikes = held.and_then(|row| row.refusal.map(|refusal| refusal.strikes));
            LimitRow {
                principal,
                resource: resource.to_owned(),
                as_of: now,
                quota: held.and_then(|row| row.quota),
                refusal: Some(Refusal::undated(status, strikes.unwrap_or(0), now)),
            }
        });
    }

    /// What a call would be answered now, if the limits forbid it.
    pub(crate) fn refuse(&self, call: &Call<'_>, now: MeshTime) -> Option<Response<Body>> {
        let row = self
            .known
            .get(&(call.principal, call.resource.to_owned()))?;
        let (until, kind, status) = row.forbids(now)?;
        // Only who has a credential is not charged for a 304.
        let is_free = call.is_conditional && call.principal != Scope::PUBLIC;
        if kind == Kind::Primary && is_free {
            return None;
        }
        let wait = until.since(now).as_millis().div_ceil(1000);
        Some(row.refusal_response(kind, status, u64::try_from(wait).unwrap_or(u64::MAX)))
    }

    /// Puts the limits of today on an answer that was stored some other day.
    pub(crate) fn apply(&self, principal: Scope, headers: &mut HeaderMap) {
        let resource = text(headers, &RESOURCE).unwrap_or("core").to_owned();
        if let Some(quota) = self
            .known
            .get(&(principal, resource))
            .and_then(|row| row.quota)
        {
            quota.write_to(headers);
        }
    }

    fn update(
        &self,
        principal: Scope,
        resource: &str,
        change: impl FnOnce(Option<&LimitRow>) -> LimitRow,
    ) {
        let key = (principal, resource.to_owned());
        self.known.entry(key).and_compute_with(|held| {
            let row = change(held.as_ref().map(moka::Entry::value));
            // Answers overtake each other: within a window, what has used more is the later.
            let is_older = held
                .as_ref()
                .is_some_and(|held| held.value().is_after(&row));
            if is_older { Op::Nop } else { Op::Put(row) }
        });
    }
}

impl LimitRow {
    /// Until when nothing may be sent, why, and with which status GitHub says so.
    fn forbids(&self, now: MeshTime) -> Option<(MeshTime, Kind, u16)> {
        if let Some(refusal) = self.refusal
            && refusal.until > now
        {
            return Some((refusal.until, refusal.kind, refusal.status));
        }
        let quota = self.quota.filter(|quota| quota.remaining == 0)?;
        let reset = MeshTime::from_millis(quota.reset.saturating_mul(1000));
        (reset > now).then_some((reset, Kind::Primary, 403))
    }

    fn is_after(&self, other: &Self) -> bool {
        match (self.quota, other.quota) {
            (Some(held), Some(new)) if other.refusal == self.refusal => {
                (held.reset, held.used) > (new.reset, new.used) && held.limit == new.limit
            }
            _ => false,
        }
    }

    fn rank(&self) -> (MeshTime, Option<MeshTime>, Option<u64>) {
        let until = self.refusal.map(|refusal| refusal.until);
        (self.as_of, until, self.quota.map(|quota| quota.used))
    }

    fn to_limit(&self) -> Option<RateLimit> {
        let quota = self.quota?;
        Some(RateLimit {
            principal: self.principal.to_string(),
            resource: self.resource.clone(),
            limit: quota.limit,
            remaining: quota.remaining,
            used: quota.used,
            reset: quota.reset,
        })
    }

    /// GitHub's refusal in GitHub's words, so that clients that know it wait as they would.
    fn refusal_response(&self, kind: Kind, status: u16, seconds: u64) -> Response<Body> {
        let message = match kind {
            Kind::Primary => "API rate limit exceeded. (ghmesh has not asked GitHub again.)",
            Kind::Secondary => {
                "You have exceeded a secondary rate limit. Please wait a few minutes before you \
                 try again. (ghmesh has not asked GitHub again.)"
            }
        };
        let is_graphql = self.resource == "graphql" && kind == Kind::Primary;
        let (status, body) = if is_graphql {
            // <https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api>
            let error = serde_json::json!({ "type": "RATE_LIMITED", "message": message });
            (200, serde_json::json!({ "errors": [error] }))
        } else {
            let link =
                "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api";
            (
                status,
                serde_json::json!({ "message": message, "documentation_url": link }),
            )
        };
        let mut response = Response::new(Body::full(body.to_string()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        if let Some(quota) = self.quota {
            quota.write_to(headers);
        }
        if let Ok(resource) = HeaderValue::try_from(&self.resource) {
            headers.insert(RESOURCE, resource);
        }
        response
    }
}

impl Quota {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let number = |name| text(headers, name)?.parse().ok();
        Some(Self {
            limit: number(&LIMIT)?,
            remaining: number(&REMAINING)?,
            // An Enterprise Server's answers say less.
            used: number(&USED).unwrap_or_default(),
            reset: number(&RESET)?,
        })
    }

    fn write_to(self, headers: &mut HeaderMap) {
        for (name, number) in [
            (LIMIT, self.limit),
            (REMAINING, self.remaining),
            (USED, self.used),
            (RESET, self.reset),
        ] {
            headers.insert(name, HeaderValue::from(number));
        }
    }
}

impl Refusal {
    /// `retry-after` says until when; else, where the window is used up, its end; else a minute,
    /// doubled each time.
    fn of(status: StatusCode, headers: &HeaderMap, strikes: u32, now: MeshTime) -> Self {
        let retry_after = text(headers, &header::RETRY_AFTER).and_then(|text| text.parse().ok());
        if let Some(seconds) = retry_after {
            return Self {
                until: now.saturating_add(Duration::from_secs(seconds)),
                status: status.as_u16(),
                kind: Kind::Secondary,
                strikes: 0,
            };
        }
        match Quota::of(headers) {
            Some(quota) if quota.remaining == 0 => Self {
                until: MeshTime::from_millis(quota.reset.saturating_mul(1000)),
                status: status.as_u16(),
                kind: Kind::Primary,
                strikes: 0,
            },
            _ => Self::undated(status, strikes, now),
        }
    }

    fn undated(status: StatusCode, strikes: u32, now: MeshTime) -> Self {
        let wait = UNDATED.saturating_mul(2_u32.saturating_pow(strikes));
        Self {
            until: now.saturating_add(wait.min(LONGEST)),
            status: status.as_u16(),
            kind: Kind::Secondary,
            strikes: strikes.saturating_add(1),
        }
    }
}

/// The [resource](https://docs.github.com/en/rest/rate-limit/rate-limit) that a call to this path
/// is charged to, as far as the path tells.
pub(crate) fn resource_of(path: &str) -> &'static str {
    match path.trim_start_matches("/api/v3") {
        "/graphql" | "/api/graphql" => "graphql",
        "/search/code" => "code_search",
        path if path.starts_with("/search/") => "search",
        _ => "core",
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests;
