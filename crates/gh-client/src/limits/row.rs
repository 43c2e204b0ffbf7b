//! What is known of one principal's limit of one resource, and how two members' knowledge merges.

use std::time::Duration;

use cache_core::{MAX_SKEW, MeshTime, Scope};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::{Call, Price, RateLimit};
use crate::body::Body;
use crate::decision::Decision;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
pub(super) const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const USED: HeaderName = HeaderName::from_static("x-ratelimit-used");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
pub(super) const RESOURCE: HeaderName = HeaderName::from_static("x-ratelimit-resource");

/// How long nothing is sent after a refusal that does not say for how long: at least a minute, and
/// twice as long each time
/// ([GitHub](https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit)).
const UNDATED: Duration = Duration::from_secs(60);

/// GitHub's longest window. Nothing that was said longer ago forbids anything, whoever has said it
/// and until whenever: then GitHub is asked once more, and says so again if it is so.
pub(super) const WINDOW: Duration = Duration::from_secs(3600);

/// The longest name of a resource, in bytes.
const MAX_RESOURCE: usize = 64;

/// All that is known of the limits of one principal and resource.
///
/// Each of its parts [merges](Self::merge) for itself: what one member knows of the calls that are
/// left does not lift what another one has been refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LimitRow {
    pub(super) principal: Scope,
    pub(super) resource: String,
    pub(super) quota: Option<Quota>,
    /// The calls of this window are used up. A call that costs nothing may be sent.
    pub(super) primary: Option<Refusal>,
    /// Too much at a time. Nothing may be sent.
    pub(super) secondary: Option<Refusal>,
}

/// The primary limit, as GitHub last told of it. The order is that of what is known later, and then
/// one that is the same on all members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Quota {
    /// When GitHub said so.
    pub(super) as_of: MeshTime,
    /// When the next window begins, in seconds since the Unix epoch.
    pub(super) reset: u64,
    pub(super) used: u64,
    pub(super) limit: u64,
    pub(super) remaining: u64,
}

/// A refusal that says for how long nothing may be sent. The order is that of its end, and then one
/// that is the same on all members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Refusal {
    pub(super) until: MeshTime,
    /// When GitHub said so.
    pub(super) as_of: MeshTime,
    /// How many refusals without a date there have been in a row.
    pub(super) strikes: u32,
    pub(super) status: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Primary,
    Secondary,
}

impl LimitRow {
    pub(super) fn new(principal: Scope, resource: &str) -> Self {
        Self {
            principal,
            resource: resource.to_owned(),
            quota: None,
            primary: None,
            secondary: None,
        }
    }

    /// What may be believed of a row that another member has told: whatever it says, it forbids
    /// nothing for longer than GitHub does, and does not win over what is told after it.
    pub(super) fn believed(self, now: MeshTime) -> Option<Self> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        // Another member is limited by an address of its own.
        if self.principal == Scope::PUBLIC {
            return None;
        }
        if self.resource.len() > MAX_RESOURCE || !self.resource.bytes().all(is_name) {
            return None;
        }
        let is_of_now = |as_of: MeshTime| {
            as_of <= now.saturating_add(MAX_SKEW) && as_of.saturating_add(WINDOW) > now
        };
        let quota = self.quota.filter(|quota| is_of_now(quota.as_of));
        let refusal = |refusal: Option<Refusal>| {
            let refusal = refusal.filter(|refusal| is_of_now(refusal.as_of))?;
            let refusal = refusal.bounded();
            (refusal.until > now).then_some(refusal)
        };
        let believed = Self {
            quota,
            primary: refusal(self.primary),
            secondary: refusal(self.secondary),
            ..self
        };
        let says_something =
            believed.quota.is_some() || believed.primary.is_some() || believed.secondary.is_some();
        says_something.then_some(believed)
    }

    /// Takes over of another row of the same limit what is later there; tells whether anything was.
    pub(super) fn merge(&mut self, other: &Self) -> bool {
        let merged = Self {
            principal: self.principal,
            resource: self.resource.clone(),
            quota: self.quota.max(other.quota),
            primary: self.primary.max(other.primary),
            secondary: self.secondary.max(other.secondary),
        };
        let is_news = merged != *self;
        *self = merged;
        is_news
    }

    /// GitHub has refused a call.
    pub(super) fn refused(&mut self, (kind, refusal): (Kind, Refusal), now: MeshTime) {
        // Calls that were under way together are refused together: that is one strike.
        let in_force = self.secondary.filter(|held| held.until > now);
        if refusal.strikes > 0 && in_force.is_some() {
            return;
        }
        match kind {
            Kind::Primary => self.primary = self.primary.max(Some(refusal)),
            Kind::Secondary => self.secondary = in_force.max(Some(refusal)),
        }
    }

    /// GitHub has answered a call: no refusals follow on those that are over.
    pub(super) fn forget_what_is_over(&mut self, now: MeshTime) {
        let in_force = |refusal: &Refusal| refusal.until > now;
        self.primary = self.primary.filter(in_force);
        self.secondary = self.secondary.filter(in_force);
    }

    /// Until when nothing may be sent, why, and with which status GitHub says so.
    pub(super) fn forbids(&self, now: MeshTime) -> Option<(MeshTime, Kind, u16)> {
        let in_force = |refusal: &Refusal| refusal.until > now;
        if let Some(refusal) = self.secondary.filter(in_force) {
            return Some((refusal.until, Kind::Secondary, refusal.status()));
        }
        if let Some(refusal) = self.primary.filter(in_force) {
            return Some((refusal.until, Kind::Primary, refusal.status()));
        }
        let quota = self.quota.filter(|quota| quota.remaining == 0)?;
        let reset = quota.resets_at();
        (reset > now).then_some((reset, Kind::Primary, 403))
    }

    /// Whether a call must not be sent now; see [`forbids`](Self::forbids).
    pub(super) fn refuses(&self, call: &Call<'_>, now: MeshTime) -> Option<Response<Body>> {
        let (until, kind, status) = self.forbids(now)?;
        let is_free = match call.price {
            Price::One => false,
            // Only who has a credential is not charged for a 304.
            Price::NoneIfConfirmed => call.principal != Scope::PUBLIC,
            Price::None => true,
        };
        if kind == Kind::Primary && is_free {
            return None;
        }
        let wait = until.since(now).as_millis().div_ceil(1000);
        Some(self.refusal_response(kind, status, u64::try_from(wait).unwrap_or(u64::MAX)))
    }

    pub(super) fn to_limit(&self) -> Option<RateLimit> {
        let quota = self.quota?;
        Some(RateLimit {
            principal: self.principal.to_string(),
            resource: self.resource.clone(),
            limit: quota.limit,
            remaining: quota.remaining,
            used: quota.used,
            reset: quota.reset,
            refused_until: self
                .secondary
                .map(|refusal| refusal.until.as_millis().div_ceil(1000)),
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
        response.extensions_mut().insert(Decision::Refused);
        response
    }
}

impl Quota {
    pub(super) fn of(headers: &HeaderMap, now: MeshTime) -> Option<Self> {
        let number = |name| text(headers, name)?.parse().ok();
        Some(Self {
            as_of: now,
            limit: number(&LIMIT)?,
            remaining: number(&REMAINING)?,
            // An Enterprise Server's answers say less.
            used: number(&USED).unwrap_or_default(),
            reset: number(&RESET)?,
        })
    }

    pub(super) fn write_to(self, headers: &mut HeaderMap) {
        for (name, number) in [
            (LIMIT, self.limit),
            (REMAINING, self.remaining),
            (USED, self.used),
            (RESET, self.reset),
        ] {
            headers.insert(name, HeaderValue::from(number));
        }
    }

    /// Whether an answer that came before another one, and is this old, is yet the later: within a
    /// window, what has used more is.
    pub(super) fn is_after(&self, other: &Self) -> bool {
        self.limit == other.limit && (self.reset, self.used) > (other.reset, other.used)
    }

    fn resets_at(&self) -> MeshTime {
        let reset = MeshTime::from_millis(self.reset.saturating_mul(1000));
        reset.min(self.as_of.saturating_add(WINDOW))
    }
}

impl Refusal {
    /// `retry-after` says until when; else, where the window is used up, its end; else a minute,
    /// doubled each time.
    pub(super) fn of(
        status: StatusCode,
        headers: &HeaderMap,
        strikes: u32,
        now: MeshTime,
    ) -> (Kind, Self) {
        let until = |until, strikes| Self {
            until,
            as_of: now,
            strikes,
            status: status.as_u16(),
        };
        let retry_after = text(headers, &header::RETRY_AFTER).and_then(|text| text.parse().ok());
        if let Some(seconds) = retry_after {
            let end = now.saturating_add(Duration::from_secs(seconds));
            return (Kind::Secondary, until(end, 0).bounded());
        }
        match Quota::of(headers, now) {
            Some(quota) if quota.remaining == 0 => {
                (Kind::Primary, until(quota.resets_at(), 0).bounded())
            }
            _ => (Kind::Secondary, Self::undated(status, strikes, now)),
        }
    }

    pub(super) fn undated(status: StatusCode, strikes: u32, now: MeshTime) -> Self {
        let wait = UNDATED.saturating_mul(2_u32.saturating_pow(strikes));
        Self {
            until: now.saturating_add(wait.min(WINDOW)),
            as_of: now,
            strikes: strikes.saturating_add(1),
            status: status.as_u16(),
        }
    }

    fn bounded(self) -> Self {
        Self {
            until: self.until.min(self.as_of.saturating_add(WINDOW)),
            ..self
        }
    }

    /// One of those with which GitHub refuses.
    fn status(&self) -> u16 {
        match self.status {
            429 => 429,
            _ => 403,
        }
    }
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
