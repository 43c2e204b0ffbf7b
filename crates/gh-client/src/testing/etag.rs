//! The conditions that clients make of GitHub's validators.

use http::HeaderMap;
use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use httpdate::HttpDate;

use crate::etag::formula;

use std::time::{Duration, UNIX_EPOCH};

/// How a tag follows from a request and a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Formula {
    /// As on GitHub.
    #[default]
    GitHubs,
    /// As it may be one day: nobody can foretell it.
    Another,
}

impl Formula {
    /// The opaque part of the `ETag` for `body`, asked for with these headers.
    pub(super) fn tag(self, request: &HeaderMap, body: &[u8]) -> String {
        match self {
            Self::GitHubs => formula(request, body),
            Self::Another => formula(request, &[b"another formula:", body].concat()),
        }
    }
}

/// Whether the client has this very answer already (RFC 9110, section 13.2.2: `If-None-Match`
/// comes first, and where it was sent `If-Modified-Since` is not looked at).
pub(super) fn not_modified(request: &HeaderMap, etag: &str, last_modified: Option<u64>) -> bool {
    if request.contains_key(IF_NONE_MATCH) {
        return request
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|tag| names(tag.trim(), etag));
    }
    let since = request
        .get(IF_MODIFIED_SINCE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<HttpDate>().ok());
    match (since, last_modified) {
        (Some(since), Some(modified)) => http_date(modified) <= since,
        _ => false,
    }
}

/// A moment for the headers `Date` and `Last-Modified`.
pub(super) fn http_date(seconds: u64) -> HttpDate {
    HttpDate::from(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The weak comparison of RFC 9110, section 8.8.3.2. The hashes hold no comma, so that splitting
/// the list at commas is enough.
fn names(tag: &str, etag: &str) -> bool {
    let opaque = tag.strip_prefix("W/").unwrap_or(tag);
    tag == "*"
        || opaque
            .strip_prefix('"')
            .and_then(|tag| tag.strip_suffix('"'))
            == Some(etag)
}

#[cfg(test)]
mod tests;
