//! An HTTP answer as a value of the cache: its head, and its body behind it.

use bytes::{BufMut, Bytes, BytesMut};
use cache_core::Scope;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::body::Body;

/// A complete answer, with the body as it was before any transfer or content coding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The principal that GitHub gave it to.
    pub(crate) shown_to: Scope,
}

/// The value does not hold an answer: written by another version, or not by us at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored value does not hold an answer of GitHub's")]
pub(crate) struct NotAnAnswer;

/// The format's version, in the value's first byte.
const VERSION: u8 = 2;

/// What comes before the body: version, and the length of the head.
const PREFIX: usize = 1 + size_of::<u32>();

/// The longest head, in bytes, and the most headers. GitHub's answers have about 30 in 2 KiB;
/// hyper reads no more than 100. What is over it, a peer has made up.
const MAX_HEAD: usize = 512 * 1024;
const MAX_HEADERS: usize = 1024;

#[derive(Serialize, Deserialize)]
struct Head<'a> {
    status: u16,
    shown_to: Scope,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a [u8])>,
}

/// Headers that belong to the one exchange in which they were sent.
const UNSTORED: [HeaderName; 9] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::SET_COOKIE,
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-used"),
    HeaderName::from_static("x-ratelimit-reset"),
    header::AGE,
    header::VIA,
];

/// What a 304 leaves as it was. It describes no body, and GitHub's leaves out the links. So who has
/// proven that a page of a list is theirs is told how many pages the one has for whom it was fetched.
const KEPT_ON_REVALIDATION: [HeaderName; 3] =
    [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::LINK];

/// Headers that speak of the credential with which was asked, or of that one exchange; who is shown
/// an answer that another credential got gets none of them, or their own.
const OF_A_CREDENTIAL: [HeaderName; 7] = [
    HeaderName::from_static("x-oauth-scopes"),
    HeaderName::from_static("x-oauth-client-id"),
    HeaderName::from_static("x-accepted-oauth-scopes"),
    HeaderName::from_static("x-accepted-github-permissions"),
    HeaderName::from_static("github-authentication-token-expiration"),
    HeaderName::from_static("x-github-sso"),
    HeaderName::from_static("x-github-request-id"),
];

impl Stored {
    pub(crate) fn new(status: StatusCode, mut headers: HeaderMap, body: Bytes) -> Self {
        for name in UNSTORED {
            headers.remove(name);
        }
        Self {
            status,
            headers,
            body,
            shown_to: Scope::PUBLIC,
        }
    }

    /// The same answer, given to this principal.
    pub(crate) fn given_to(self, principal: Scope) -> Self {
        Self {
            shown_to: principal,
            ..self
        }
    }

    /// The same answer under the headers of a 304 that this principal got:
    /// [RFC 9111, section 3.2](https://www.rfc-editor.org/rfc/rfc9111#section-3.2).
    pub(crate) fn revalidated(mut self, principal: Scope, headers: &HeaderMap) -> Self {
        self = self.seen_by(principal);
        for name in headers.keys() {
            if UNSTORED.contains(name) || KEPT_ON_REVALIDATION.contains(name) {
                continue;
            }
            self.headers.remove(name);
            for value in headers.get_all(name) {
                self.headers.append(name, value.clone());
            }
        }
        self
    }

    /// The same answer without what speaks of the credential that got it, where that is another's.
    pub(crate) fn seen_by(mut self, principal: Scope) -> Self {
        if self.shown_to != principal {
            for name in OF_A_CREDENTIAL {
                self.headers.remove(name);
            }
        }
        self.given_to(principal)
    }

    /// The answer as a value.
    pub(crate) fn encode(&self) -> Result<Bytes, NotAnAnswer> {
        let headers = self.headers.iter();
        let head = Head {
            status: self.status.as_u16(),
            shown_to: self.shown_to,
            headers: headers
                .map(|(name, value)| (name.as_str(), value.as_bytes()))
                .collect(),
        };
        let head = postcard::to_stdvec(&head).map_err(|_| NotAnAnswer)?;
        let mut value = BytesMut::with_capacity(PREFIX + head.len() + self.body.len());
        value.put_u8(VERSION);
        value.put_u32_le(u32::try_from(head.len()).map_err(|_| NotAnAnswer)?);
        value.put_slice(&head);
        value.put_slice(&self.body);
        Ok(value.freeze())
    }

    /// The answer in a value. The body is not copied.
    pub(crate) fn decode(value: &Bytes) -> Result<Self, NotAnAnswer> {
        let (&version, rest) = value.split_first().ok_or(NotAnAnswer)?;
        let (head_len, rest) = rest.split_first_chunk().ok_or(NotAnAnswer)?;
        let head_len = u32::from_le_bytes(*head_len) as usize;
        let (head, body) = rest.split_at_checked(head_len).ok_or(NotAnAnswer)?;
        if version != VERSION {
            return Err(NotAnAnswer);
        }
        if head.len() > MAX_HEAD {
            return Err(NotAnAnswer);
        }
        let head: Head<'_> = postcard::from_bytes(head).map_err(|_| NotAnAnswer)?;
        if head.headers.len() > MAX_HEADERS {
            return Err(NotAnAnswer);
        }
        let mut headers = HeaderMap::new();
        for (name, content) in head.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| NotAnAnswer)?;
            let content = HeaderValue::from_maybe_shared(value.slice_ref(content));
            let content = content.map_err(|_| NotAnAnswer)?;
            headers.try_append(name, content).map_err(|_| NotAnAnswer)?;
        }
        let status = StatusCode::from_u16(head.status).map_err(|_| NotAnAnswer)?;
        if status.is_informational() {
            return Err(NotAnAnswer);
        }
        // The same filter as on the way in: what a peer wrote may hold more than we would.
        let stored = Self::new(status, headers, value.slice_ref(body));
        Ok(stored.given_to(head.shown_to))
    }

    /// The answer as it goes to a client.
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::full(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

#[cfg(test)]
mod tests;
