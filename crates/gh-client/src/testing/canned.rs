//! Answers that a test writes itself.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::body::Payload;

/// An answer that is sent as it is written: the stand-in adds `Date`, `Server` and the body's
/// length, and nothing else. It is not taken from anybody's rate limit.
///
/// ```
/// use gh_client::testing::Canned;
///
/// let tarball = Canned::new(200)
///     .header("content-type", "application/x-gzip")
///     .generated(50 * 1024 * 1024);
/// ```
#[derive(Clone, Debug)]
pub struct Canned {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Payload,
}

impl Canned {
    /// An answer with this status and no body.
    ///
    /// # Panics
    ///
    /// Where `status` is not an HTTP status.
    #[expect(
        clippy::expect_used,
        reason = "a mistake in the test that writes it, which should hear of it at once"
    )]
    pub fn new(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).expect("an HTTP status is from 100 to 999"),
            headers: HeaderMap::new(),
            body: Payload::default(),
        }
    }

    /// Adds a header; a second one of the same name is sent as well.
    ///
    /// # Panics
    ///
    /// Where the name or the value cannot stand in a header.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a mistake in the test that writes it, which should hear of it at once"
    )]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("the name of a header");
        let value = HeaderValue::try_from(value).expect("the value of a header");
        self.headers.append(name, value);
        self
    }

    /// Makes the body these bytes.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Payload::Whole(body.into());
        self
    }

    /// Makes the body this JSON, and says so in `Content-Type`.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header(CONTENT_TYPE.as_str(), "application/json; charset=utf-8")
            .body(body.to_string())
    }

    /// Makes the body `len` bytes that nobody keeps in memory: byte number *i* is *i* modulo 256.
    #[must_use]
    pub fn generated(mut self, len: u64) -> Self {
        self.body = Payload::Generated(len);
        self
    }

    /// An error of GitHub's front end: that status, and a short JSON body.
    pub(super) fn server_error(status: u16) -> Self {
        Self::new(status).json(&json!({ "message": "Server Error" }))
    }

    /// What GitHub answers to who asks too much at a time.
    /// <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits>
    pub(super) fn secondary_limit(retry_after: u64) -> Self {
        Self::new(403)
            .header(RETRY_AFTER.as_str(), &retry_after.to_string())
            .json(&json!({
                "message": "You have exceeded a secondary rate limit. Please wait a few minutes \
                            before you try again. If you reach out to GitHub Support for help, \
                            please include the request ID.",
                "documentation_url": "https://docs.github.com/rest/overview/\
                                      rate-limits-for-the-rest-api#about-secondary-rate-limits",
            }))
    }
}
