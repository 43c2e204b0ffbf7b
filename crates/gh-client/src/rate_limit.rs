//! What GitHub last said about its limits, for each principal and resource.

use cache_core::Scope;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};

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

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const USED: HeaderName = HeaderName::from_static("x-ratelimit-used");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const RESOURCE: HeaderName = HeaderName::from_static("x-ratelimit-resource");

/// Limits that are remembered. At the bound those that nobody asks for are forgotten; answers from
/// the cache then go out without them.
const MAX_LIMITS: u64 = 4096;

/// The limits of all principals that have been seen here.
#[derive(Clone, Debug)]
pub(crate) struct RateLimits {
    known: Cache<(Scope, String), RateLimit>,
}

impl RateLimits {
    pub(crate) fn new() -> Self {
        Self {
            known: Cache::new(MAX_LIMITS),
        }
    }

    /// All that are known, in a stable order.
    pub(crate) fn snapshot(&self) -> Vec<RateLimit> {
        let mut limits: Vec<_> = self.known.iter().map(|(_, limit)| limit).collect();
        limits.sort_by(|a, b| (&a.principal, &a.resource).cmp(&(&b.principal, &b.resource)));
        limits
    }

    /// Takes note of what an answer says.
    pub(crate) fn observe(&self, scope: Scope, headers: &HeaderMap) {
        let number = |name| headers.get(name)?.to_str().ok()?.parse().ok();
        let limit = || {
            Some(RateLimit {
                principal: scope.to_string(),
                resource: resource(headers).to_owned(),
                limit: number(LIMIT)?,
                remaining: number(REMAINING)?,
                // An Enterprise Server's answers say less.
                used: number(USED).unwrap_or_default(),
                reset: number(RESET)?,
            })
        };
        if let Some(limit) = limit() {
            self.known.insert((scope, limit.resource.clone()), limit);
        }
    }

    /// Puts the limits of today on an answer that was stored some other day.
    pub(crate) fn apply(&self, scope: Scope, headers: &mut HeaderMap) {
        let limit = (scope, resource(headers).to_owned());
        let Some(known) = self.known.get(&limit) else {
            return;
        };
        for (name, number) in [
            (LIMIT, known.limit),
            (REMAINING, known.remaining),
            (USED, known.used),
            (RESET, known.reset),
        ] {
            headers.insert(name, HeaderValue::from(number));
        }
    }
}

/// What an answer was charged to.
fn resource(headers: &HeaderMap) -> &str {
    let named = headers.get(RESOURCE).and_then(|value| value.to_str().ok());
    named.unwrap_or("core")
}

#[cfg(test)]
mod tests;
