//! Telling the client how its request was answered: `Cache-Status`
//! ([RFC 9211](https://www.rfc-editor.org/rfc/rfc9211)) and `Age`
//! ([RFC 9111, section 5.1](https://www.rfc-editor.org/rfc/rfc9111#section-5.1)).

use std::time::Duration;

use cache_core::Source;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CacheStatus {
    /// From the cache, or for it.
    Lookup(Source, Duration),
    /// By GitHub, because nobody caches an answer to this method.
    Method,
    /// By GitHub, because this request or its answer is not to be cached.
    Bypass,
}

impl CacheStatus {
    /// Not found in the cache.
    pub(crate) const MISS: Self = Self::Lookup(Source::Fetched, Duration::ZERO);

    /// Puts the status on a response. Statuses of caches nearer to GitHub stay in front of it.
    pub(crate) fn put_on<B>(self, mut response: Response<B>) -> Response<B> {
        self.put_in(response.headers_mut());
        response
    }

    fn put_in(self, headers: &mut HeaderMap) {
        headers.append(CACHE_STATUS, HeaderValue::from_static(self.as_str()));
        if let Self::Lookup(source, age) = self
            && !matches!(source, Source::Fetched | Source::Refetched)
        {
            headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Lookup(Source::Hit, _) => "ghmesh; hit",
            Self::Lookup(Source::PeerHit, _) => "ghmesh; hit; detail=peer",
            Self::Lookup(Source::Coalesced, _) => "ghmesh; hit; detail=coalesced",
            Self::Lookup(Source::Revalidated, _) => "ghmesh; hit; detail=revalidated",
            Self::Lookup(Source::Stale, _) => "ghmesh; hit; detail=stale",
            Self::Lookup(Source::Fetched, _) => "ghmesh; fwd=uri-miss",
            Self::Lookup(Source::Refetched, _) => "ghmesh; fwd=stale",
            Self::Method => "ghmesh; fwd=method",
            Self::Bypass => "ghmesh; fwd=bypass",
        }
    }
}
