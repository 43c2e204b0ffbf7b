//! What this side of the cache counts: calls to GitHub, and requests that are never cached.

use std::sync::atomic::AtomicU64;

use serde::Serialize;

use crate::limits::RateLimit;

/// The counters of a [`Client`](crate::Client) at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Requests that are never cached, and were passed on.
    pub bypassed: u64,
    /// Calls to GitHub that counted against a limit: all but those with a credential that were
    /// answered with 304.
    pub api_calls_made: u64,
    /// The rate limits that GitHub last told, by principal and resource.
    pub rate_limits: Vec<RateLimit>,
}

/// The live counters.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) bypassed: AtomicU64,
    pub(crate) api_calls: AtomicU64,
}
