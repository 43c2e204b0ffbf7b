//! GitHub's validators, and the conditions that clients make of them.

use http::HeaderMap;
use http::header::{ACCEPT, AUTHORIZATION, COOKIE, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use httpdate::HttpDate;
use ring::digest::{Context, SHA256};

use std::time::{Duration, UNIX_EPOCH};

/// The opaque part of the `ETag` for `body`, asked for with these headers.
///
/// GitHub hashes, with SHA-256, the values of the request's `Accept`, `Authorization` and `Cookie`
/// headers, those that were sent, each with a colon after it, and then the body as it is before
/// any compression. That is not documented; it was found out and published by
/// <https://github.com/bored-engineer/github-conditional-http-transport>.
pub(super) fn etag(request: &HeaderMap, body: &[u8]) -> String {
    let mut hash = Context::new(&SHA256);
    for name in [ACCEPT, AUTHORIZATION, COOKIE] {
        for value in request.get_all(name) {
            hash.update(value.as_bytes());
            hash.update(b":");
        }
    }
    hash.update(body);
    hex::encode(hash.finish())
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
