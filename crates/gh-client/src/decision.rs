//! Telling the client how its request was answered: `Cache-Status`
//! ([RFC 9211](https://www.rfc-editor.org/rfc/rfc9211)) and `Age`
//! ([RFC 9111, section 5.1](https://www.rfc-editor.org/rfc/rfc9111#section-5.1)).

use std::time::Duration;

use cache_core::Source;
use http::Response;
use http::header::{self, HeaderName, HeaderValue};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why a request was answered as it was.
///
/// Each response of a [`Client`](crate::Client) has one among its
/// [extensions](http::Response::extensions), and says the same in its `Cache-Status`:
///
/// ```
/// use gh_client::Decision;
///
/// # fn show(response: &http::Response<gh_client::Body>) {
/// if let Some(decision) = response.extensions().get::<Decision>() {
///     println!("{decision}: {}", decision.is_hit());
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// From a fresh entry that this node fetched.
    Hit,
    /// From a fresh entry that a peer fetched.
    PeerHit,
    /// By a call that somebody else had under way.
    Coalesced,
    /// From a stale entry that GitHub has just confirmed, with a 304.
    Revalidated,
    /// From a stale entry: GitHub could not answer, or the client would not wait for it.
    Stale,
    /// By GitHub; there was no entry.
    Miss,
    /// By GitHub, because what there was had changed.
    Replaced,
    /// By GitHub, because nobody caches an answer to this method.
    Method,
    /// By GitHub, because this request or its answer is not to be cached.
    Bypass,
    /// By ourselves, in GitHub's words: a limit forbids to ask, and there was no entry. In
    /// `Cache-Status` it is a miss.
    Refused,
    /// Not at all: the client wanted what is in the cache or nothing, and there is nothing.
    Absent,
}

impl Decision {
    /// Whether it was answered without a call that brought a body.
    pub const fn is_hit(self) -> bool {
        matches!(
            self,
            Self::Hit | Self::PeerHit | Self::Coalesced | Self::Revalidated | Self::Stale
        )
    }

    /// Whether GitHub has answered this very request.
    pub const fn has_heard_github(self) -> bool {
        matches!(
            self,
            Self::Revalidated | Self::Miss | Self::Replaced | Self::Method | Self::Bypass
        )
    }

    /// The same in a `Cache-Status` header.
    pub const fn as_cache_status(self) -> &'static str {
        match self {
            Self::Hit => "ghmesh; hit",
            Self::PeerHit => "ghmesh; hit; detail=peer",
            Self::Coalesced => "ghmesh; hit; detail=coalesced",
            Self::Revalidated => "ghmesh; hit; detail=revalidated",
            Self::Stale => "ghmesh; hit; detail=stale",
            Self::Miss | Self::Refused => "ghmesh; fwd=uri-miss",
            Self::Replaced => "ghmesh; fwd=stale",
            Self::Method => "ghmesh; fwd=method",
            Self::Bypass => "ghmesh; fwd=bypass",
            // Nothing was forwarded, and nothing was hit.
            Self::Absent => "ghmesh; detail=only-if-cached",
        }
    }

    /// Puts the decision on a response, with the age of the entry that it came from. Statuses of
    /// caches nearer to GitHub stay in front of it (RFC 9211, section 2).
    pub(crate) fn put_on<B>(self, age: Duration, mut response: Response<B>) -> Response<B> {
        let headers = response.headers_mut();
        let status = HeaderValue::from_static(self.as_cache_status());
        headers.append(CACHE_STATUS, status);
        if self.is_hit() {
            headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Source> for Decision {
    fn from(source: Source) -> Self {
        match source {
            Source::Hit => Self::Hit,
            Source::PeerHit => Self::PeerHit,
            Source::Coalesced => Self::Coalesced,
            Source::Revalidated => Self::Revalidated,
            Source::Stale => Self::Stale,
            Source::Fetched => Self::Miss,
            Source::Refetched => Self::Replaced,
        }
    }
}

impl std::fmt::Display for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_cache_status())
    }
}
