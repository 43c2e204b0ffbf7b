//! The primary rate limit: so many calls an hour for each token, and for all who have none.
//!
//! <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::tokens::Caller;

const HOUR: u64 = 3600;

/// What is left of a caller's hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quota {
    pub(super) limit: u32,
    pub(super) used: u32,
    /// When the next hour begins, in seconds since 1970.
    pub(super) reset: u64,
}

impl Quota {
    pub(super) fn remaining(&self) -> u32 {
        self.limit.saturating_sub(self.used)
    }

    pub(super) fn write_to(&self, headers: &mut HeaderMap) {
        headers.insert("x-ratelimit-limit", self.limit.into());
        headers.insert("x-ratelimit-remaining", self.remaining().into());
        headers.insert("x-ratelimit-used", self.used.min(self.limit).into());
        headers.insert("x-ratelimit-reset", self.reset.into());
        headers.insert("x-ratelimit-resource", HeaderValue::from_static("core"));
    }

    fn to_json(self) -> Value {
        json!({
            "limit": self.limit,
            "used": self.used.min(self.limit),
            "remaining": self.remaining(),
            "reset": self.reset,
            "resource": "core",
        })
    }
}

/// Every caller's quota. An hour begins with its first call, and ends 3600 seconds later.
#[derive(Debug)]
pub(super) struct Limits {
    anonymous: u32,
    hours: BTreeMap<Option<String>, (u32, u64)>,
}

impl Limits {
    /// `anonymous` calls an hour for all who send no token, taken together.
    pub(super) fn new(anonymous: u32) -> Self {
        Self {
            anonymous,
            hours: BTreeMap::new(),
        }
    }

    /// What the caller has left at `now`, in seconds since 1970.
    pub(super) fn quota(&self, caller: &Caller, now: u64) -> Quota {
        let limit = caller.token().map_or(self.anonymous, |token| token.limit);
        let (used, reset) = self
            .hours
            .get(&name(caller))
            .copied()
            .filter(|&(_, reset)| now < reset)
            .unwrap_or((0, now + HOUR));
        Quota { limit, used, reset }
    }

    /// Takes one call from what the caller has left; `false` where there is none.
    pub(super) fn charge(&mut self, caller: &Caller, now: u64) -> bool {
        let quota = self.quota(caller, now);
        if quota.remaining() == 0 {
            return false;
        }
        self.hours
            .insert(name(caller), (quota.used + 1, quota.reset));
        true
    }

    /// Takes all that the caller has left of this hour.
    pub(super) fn exhaust(&mut self, caller: &Caller, now: u64) {
        let quota = self.quota(caller, now);
        self.hours
            .insert(name(caller), (quota.limit.max(quota.used), quota.reset));
    }

    /// The body of `GET /rate_limit`. Nothing but `core` is counted here; the other resources are
    /// listed, unused, because clients' models ask for them.
    pub(super) fn overview(&self, caller: &Caller, now: u64) -> Value {
        let unused = |limit: u32, resource: &str| {
            json!({
                "limit": limit,
                "used": 0,
                "remaining": limit,
                "reset": now + HOUR,
                "resource": resource,
            })
        };
        let core = self.quota(caller, now).to_json();
        let (search, graphql) = if caller.is_anonymous() {
            (10, 0)
        } else {
            (30, 5000)
        };
        json!({
            "resources": {
                "core": core,
                "search": unused(search, "search"),
                "graphql": unused(graphql, "graphql"),
            },
            "rate": core,
        })
    }
}

fn name(caller: &Caller) -> Option<String> {
    caller.token().map(|token| token.text.clone())
}
