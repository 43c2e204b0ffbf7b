//! What is cached: which requests are looked up, and which answers are kept.

use std::time::Duration;

use cache_core::{Family, Freshness};
use headers::{CacheControl, HeaderMapExt};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, StatusCode, Uri};

use crate::upstream::BaseUrl;

/// The media type that GitHub
/// [recommends](https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#accept),
/// and which all that a client usually asks for comes down to.
pub(crate) const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.github+json");

/// Which version of the API a client gets that
/// [names none](https://docs.github.com/en/rest/about-the-rest-api/api-versions).
pub(crate) const API_VERSION: HeaderValue = HeaderValue::from_static("2022-11-28");

/// The header that names the version.
pub(crate) const API_VERSION_HEADER: HeaderName = HeaderName::from_static("x-github-api-version");

/// What is done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Looked up in the cache.
    Look(Question),
    /// Passed on untouched, because of its method.
    ForwardMethod,
    /// Passed on untouched, because it, or what it asks for, must not be cached.
    Bypass,
}

/// A request that the cache may answer, in its normal form: what it asks, and nothing of who
/// asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Path and query below the API's own path, the query's pairs in order.
    pub(crate) target: PathAndQuery,
    /// The media type that is asked for.
    pub(crate) accept: HeaderValue,
    /// The version of the API that is asked.
    pub(crate) api_version: HeaderValue,
    /// How fresh the answer has to be.
    pub(crate) freshness: Freshness,
}

impl Plan {
    /// What is done with this request.
    pub(crate) fn of<B>(request: &Request<B>, base: &BaseUrl) -> Self {
        if request.method() != Method::GET {
            return Self::ForwardMethod;
        }
        let headers = request.headers();
        let control = headers.typed_get::<CacheControl>();
        if control.as_ref().is_some_and(CacheControl::no_store)
            || headers.keys().any(changes_the_answer)
            || has_body(headers)
            || !is_at(request.uri(), base)
        {
            return Self::Bypass;
        }
        let path = api_path(request.uri().path(), base);
        if path == "/rate_limit" {
            return Self::Bypass;
        }
        let (Ok(accept), Ok(api_version), Some(target)) = (
            accept(headers),
            api_version(headers),
            target(path, request.uri().query()),
        ) else {
            return Self::Bypass;
        };
        Self::Look(Question {
            target,
            accept,
            api_version,
            freshness: control.map_or(Freshness::AS_STORED, |control| freshness(&control)),
        })
    }
}

impl Question {
    /// What is asked, as the cache knows it.
    pub(crate) fn family(&self, base: &BaseUrl) -> Family {
        Family::of([
            b"GET",
            base.authority().as_str().as_bytes(),
            base.path().as_bytes(),
            self.target.as_str().as_bytes(),
            self.accept.as_bytes(),
            self.api_version.as_bytes(),
        ])
    }

    /// The path alone.
    pub(crate) fn path(&self) -> &str {
        self.target.path()
    }
}

/// Whether a complete answer with these headers may be kept.
pub(crate) fn may_be_kept(status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::OK
        && !is_private(headers)
        && !headers.contains_key(header::CONTENT_RANGE)
        && !headers
            .typed_get::<CacheControl>()
            .is_some_and(|control| control.no_store())
}

/// Whether an answer is for the one client that it was given to.
pub(crate) fn is_private(headers: &HeaderMap) -> bool {
    headers.contains_key(header::SET_COOKIE)
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

/// Whether a header asks for something that the question does not tell: a part of the answer, one
/// for a browser's session, or a feature of GitHub's that came after this was written.
fn changes_the_answer(name: &HeaderName) -> bool {
    let is_known = [header::RANGE, header::COOKIE, header::UPGRADE].contains(name)
        || name == "x-http-method-override";
    is_known || (name.as_str().starts_with("x-github-") && name != API_VERSION_HEADER)
}

/// Whether a request goes to the API: it says no host, or the API's.
pub(crate) fn is_at(uri: &Uri, base: &BaseUrl) -> bool {
    uri.authority()
        .is_none_or(|authority| authority == base.authority())
}

/// A GET with a body asks something that its URL does not say.
fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers
            .get(header::CONTENT_LENGTH)
            .is_some_and(|length| length != "0")
}

/// The path below the API's own: clients of an Enterprise Server say `/api/v3/user` for `/user`.
pub(crate) fn api_path<'a>(path: &'a str, base: &BaseUrl) -> &'a str {
    for prefix in [base.path(), "/api/v3"] {
        match path.strip_prefix(prefix) {
            Some(rest) if !prefix.is_empty() && rest.starts_with('/') => return rest,
            _ => {}
        }
    }
    path
}

/// Path and query, with the pairs of the query sorted by name. Pairs of one name keep their
/// order, which may mean something.
fn target(path: &str, query: Option<&str>) -> Option<PathAndQuery> {
    let mut pairs: Vec<&str> = query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .collect();
    pairs.sort_by_key(|pair| pair.split('=').next());
    let target = match pairs.as_slice() {
        [] => path.parse(),
        pairs => format!("{path}?{}", pairs.join("&")).parse(),
    };
    target.ok()
}

/// A header that says one thing stands there twice, and which counts is anybody's guess.
struct Ambiguous;

fn accept(headers: &HeaderMap) -> Result<HeaderValue, Ambiguous> {
    let asked = single(headers, &header::ACCEPT)?;
    Ok(match asked.map_or(&b""[..], HeaderValue::as_bytes) {
        b""
        | b"*/*"
        | b"application/json"
        | b"application/vnd.github+json"
        | b"application/vnd.github.v3+json" => MEDIA_TYPE,
        _ => asked.cloned().unwrap_or(MEDIA_TYPE),
    })
}

fn api_version(headers: &HeaderMap) -> Result<HeaderValue, Ambiguous> {
    let asked = single(headers, &API_VERSION_HEADER)?;
    Ok(asked.cloned().unwrap_or(API_VERSION))
}

/// The header's only value, if there is any.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Ambiguous> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        Some(_) => Err(Ambiguous),
        None => Ok(first),
    }
}

/// The request directives of
/// [RFC 9111, section 5.2.1](https://www.rfc-editor.org/rfc/rfc9111#section-5.2.1) that bear on
/// how old an answer may be.
fn freshness(control: &CacheControl) -> Freshness {
    if control.no_cache() {
        return Freshness::REVALIDATE;
    }
    control
        .max_age()
        .map_or(Freshness::AS_STORED, |max_age: Duration| {
            Freshness::at_most(max_age)
        })
}

#[cfg(test)]
mod tests;
