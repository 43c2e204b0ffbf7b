//! The primary rate limit: so many calls an hour for each token, and for all who have none.
//!
//! <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::tokens::Caller;

const HOUR: u64 = 3600;

/// How many calls an hour an App has that asks as itself.
const OF_AN_APP: u32 = 5000;

/// What is limited: calls of REST's, and of GraphQL's, where every query here costs a point.
pub(super) const CORE: &str = "core";
pub(super) const GRAPHQL: &str = "graphql";

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

    pub(super) fn write_to(&self, resource: &'static str, headers: &mut HeaderMap) {
        headers.insert("x-ratelimit-limit", self.limit.into());
        headers.insert("x-ratelimit-remaining", self.remaining().into());
        headers.insert("x-ratelimit-used", self.used.min(self.limit).into());
        headers.insert("x-ratelimit-reset", self.reset.into());
        headers.insert("x-ratelimit-resource", HeaderValue::from_static(resource));
    }

    fn to_json(self, resource: &str) -> Value {
        json!({
            "limit": self.limit,
            "used": self.used.min(self.limit),
            "remaining": self.remaining(),
            "reset": self.reset,
            "resource": resource,
        })
    }
}

/// Every caller's quota. An hour begins with its first call, and ends 3600 seconds later.
#[derive(Debug)]
pub(super) struct Limits {
    anonymous: u32,
    hours: BTreeMap<(Option<String>, &'static str), (u32, u64)>,
}

impl Limits {
    /// `anonymous` calls an hour for all who send no token, taken together.
    pub(super) fn new(anonymous: u32) -> Self {
        Self {
            anonymous,
            hours: BTreeMap::new(),
        }
    }

    /// What the caller has left of a resource at `now`, in seconds since 1970.
    pub(super) fn quota(&self, caller: &Caller, resource: &'static str, now: u64) -> Quota {
        let limit = match caller {
            Caller::Known(token) => token.limit,
            Caller::App(_) => OF_AN_APP,
            Caller::Anonymous if resource == GRAPHQL => 0,
            Caller::Anonymous => self.anonymous,
        };
        let (used, reset) = self
            .hours
            .get(&(name(caller), resource))
            .copied()
            .filter(|&(_, reset)| now < reset)
            .unwrap_or((0, now + HOUR));
        Quota { limit, used, reset }
    }

    /// Takes one call from what the caller has left; `false` where there is none.
    pub(super) fn charge(&mut self, caller: &Caller, resource: &'static str, now: u64) -> bool {
        let quota = self.quota(caller, resource, now);
        if quota.remaining() == 0 {
            return false;
        }
        self.hours
            .insert((name(caller), resource), (quota.used + 1, quota.reset));
        true
    }

    /// Takes all that the caller has left of this hour, of REST's calls.
    pub(super) fn exhaust(&mut self, caller: &Caller, now: u64) {
        let quota = self.quota(caller, CORE, now);
        self.hours.insert(
            (name(caller), CORE),
            (quota.limit.max(quota.used), quota.reset),
        );
    }

    /// The body of `GET /rate_limit`. Searches are not counted here, but
    /// listed, because clients' models ask for them.
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
        let core = self.quota(caller, CORE, now).to_json(CORE);
        let graphql = self.quota(caller, GRAPHQL, now).to_json(GRAPHQL);
        let search = if caller.is_anonymous() { 10 } else { 30 };
        json!({
            "resources": {
                "core": core,
                "search": unused(search, "search"),
                "graphql": graphql,
            },
            "rate": core,
        })
    }
}

fn name(caller: &Caller) -> Option<String> {
    match caller {
        Caller::Anonymous => None,
        Caller::Known(token) => Some(token.holder().to_owned()),
        Caller::App(id) => Some(format!("app {id}")),
    }
}
