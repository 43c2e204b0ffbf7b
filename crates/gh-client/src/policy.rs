//! What is kept of GitHub's answers: the table of which are stored, and for how long.

use std::sync::Arc;
use std::time::Duration;

use cache_core::Lifetime;
use headers::HeaderMapExt;
use http::StatusCode;
use http::header::{self, HeaderMap};
use serde::Deserialize;

use crate::directives::Directives;
use crate::question::Question;
use crate::stored::Stored;
use crate::ttl::{self, About, TtlRule};

/// The operator's bounds on what is kept.
#[derive(Clone, Debug)]
pub(crate) struct Keeping {
    pub(crate) default_ttl: Duration,
    pub(crate) stale_for: Duration,
    /// For how long it is remembered that something is not there; `None` for not at all.
    pub(crate) negative_ttl: Option<Duration>,
    pub(crate) max_entry_bytes: usize,
    pub(crate) rules: Arc<[TtlRule]>,
}

impl Keeping {
    /// For how long an answer is kept; `None` where it is not.
    pub(crate) fn lifetime(&self, question: &Question, answer: &Stored) -> Option<Lifetime> {
        if !may_be_kept(&answer.headers) {
            return None;
        }
        match answer.status {
            // RFC 9110, section 15.4.2: a permanent redirect is the answer from now on.
            StatusCode::OK | StatusCode::MOVED_PERMANENTLY => Some(self.positive(question, answer)),
            StatusCode::NOT_FOUND | StatusCode::GONE => self.negative_ttl.map(Lifetime::fresh_for),
            _ => None,
        }
    }

    fn positive(&self, question: &Question, answer: &Stored) -> Lifetime {
        // RFC 9111, section 5.2.2.4: not to be used without asking.
        if heeds_no_cache(question) && Directives::of(&answer.headers).has("no-cache") {
            return Lifetime::fresh_for(Duration::ZERO).and_stale_for(self.stale_for);
        }
        let about = About {
            path: question.path(),
            query: question.target.query().unwrap_or_default(),
            headers: &answer.headers,
            body: &answer.body,
        };
        let ttl = ttl::ttl(&about, &self.rules, self.default_ttl);
        Lifetime::fresh_for(ttl).and_stale_for(self.stale_for)
    }

    /// The longest time for which anything is kept.
    pub(crate) fn longest(&self) -> Duration {
        let rules = self.rules.iter().map(|rule| rule.ttl);
        let negative = self.negative_ttl.into_iter();
        let longest = rules.chain(negative).max().unwrap_or_default();
        longest
            .max(self.default_ttl)
            .max(ttl::LONGEST)
            .saturating_add(self.stale_for)
    }
}

/// Whether an answer with these headers may be kept, as far as they go
/// ([RFC 9111, section 3](https://www.rfc-editor.org/rfc/rfc9111#section-3)).
///
/// `private` does not keep it out: each credential has a cache of its own.
pub(crate) fn may_be_kept(headers: &HeaderMap) -> bool {
    !is_private(headers)
        && !headers.contains_key(header::CONTENT_RANGE)
        && !Directives::of(headers).has("no-store")
        // Section 4.1: such an answer never matches another request.
        && !headers.typed_get::<headers::Vary>().is_some_and(|vary| vary.is_any())
}

/// Whether an answer may be served stale where GitHub has none
/// ([RFC 9111, section 4.2.4](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.4)).
pub(crate) fn may_be_stale(question: &Question, headers: &HeaderMap) -> bool {
    let control = Directives::of(headers);
    !(control.has("must-revalidate")
        || control.has("proxy-revalidate")
        || (heeds_no_cache(question) && control.has("no-cache")))
}

/// Whether GitHub's `no-cache` says something of this very answer. GraphQL's all have it, which is
/// about the method: nobody else could tell one question from another. So have those of a search,
/// which has no validator to ask with and a limit of 30 a minute; it is an index, and behind what it
/// finds by more than the table's minute.
fn heeds_no_cache(question: &Question) -> bool {
    question.query.is_none() && !ttl::is_search(question.path())
}

/// Whether an answer is for the one client that it was given to.
pub(crate) fn is_private(headers: &HeaderMap) -> bool {
    headers.contains_key(header::SET_COOKIE)
}

/// Whether an answer says that this credential may not see, or no longer see, what it asked for.
/// [GitHub says 404](https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#404-not-found-for-an-existing-resource)
/// of what one may not know to be there.
pub(crate) fn ends_the_view(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND
    )
}

/// Whether GitHub has refused to answer because of a
/// [limit](https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit),
/// which says nothing about what was asked for.
pub(crate) fn is_rate_limited(status: StatusCode, headers: &HeaderMap) -> bool {
    let limited = headers.contains_key(header::RETRY_AFTER)
        || headers
            .get("x-ratelimit-remaining")
            .is_some_and(|remaining| remaining == "0");
    status == StatusCode::TOO_MANY_REQUESTS || (status == StatusCode::FORBIDDEN && limited)
}

/// Whether GitHub has refused to answer because of a secondary limit, which at times only the
/// message tells.
pub(crate) fn is_secondary_limit(status: StatusCode, body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    matches!(
        status,
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
    ) && serde_json::from_slice(body).is_ok_and(|Refusal { message }| tells_of_a_limit(&message))
}

/// Whether a message tells of a secondary limit, by its name of today or of old.
pub(crate) fn tells_of_a_limit(message: &str) -> bool {
    message.contains("secondary rate limit") || message.contains("abuse detection")
}

#[cfg(test)]
mod tests;
