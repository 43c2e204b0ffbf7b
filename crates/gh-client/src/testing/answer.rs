//! From what a route has to say to an HTTP answer with all of GitHub's headers.

use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LAST_MODIFIED, LINK,
    LOCATION, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::asked::Asked;
use super::body::{Body, Manner, Payload};
use super::canned::Canned;
use super::etag::{self, Formula};
use super::resource::{Refusal, Resource};
use super::tokens::{Caller, Token};
use serde_json::Value;

const JSON: &str = "application/json; charset=utf-8";

/// The version of the API that GitHub selects where the client does not.
const API_VERSION: &str = "2022-11-28";

/// What GitHub sends with every answer, whatever was asked.
const ALWAYS: [(&str, &str); 8] = [
    (
        "access-control-expose-headers",
        "ETag, Link, Location, Retry-After, X-GitHub-OTP, X-RateLimit-Limit, \
         X-RateLimit-Remaining, X-RateLimit-Used, X-RateLimit-Resource, X-RateLimit-Reset, \
         X-OAuth-Scopes, X-Accepted-OAuth-Scopes, X-Poll-Interval, X-GitHub-Media-Type, \
         X-GitHub-SSO, X-GitHub-Request-Id, Deprecation, Sunset",
    ),
    ("access-control-allow-origin", "*"),
    (
        "strict-transport-security",
        "max-age=31536000; includeSubdomains; preload",
    ),
    ("x-frame-options", "deny"),
    ("x-content-type-options", "nosniff"),
    ("x-xss-protection", "0"),
    (
        "referrer-policy",
        "origin-when-cross-origin, strict-origin-when-cross-origin",
    ),
    ("content-security-policy", "default-src 'none'"),
];

/// A whole answer, but for what depends on the moment at which it is sent.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Payload,
}

impl From<Canned> for Answer {
    fn from(canned: Canned) -> Self {
        Self {
            status: canned.status,
            headers: canned.headers,
            body: canned.body,
        }
    }
}

impl Answer {
    /// What was found, or 304 where the client has it already.
    pub(super) fn found(
        asked: &Asked,
        caller: &Caller,
        resource: &Resource,
        formula: Formula,
    ) -> Self {
        let compact = resource.body.to_string();
        let tag = formula.tag(&asked.headers, compact.as_bytes());
        let mut headers = caching(caller);
        set(&mut headers, ETAG, &entity_tag(asked, &tag));
        if let Some(seconds) = resource.last_modified {
            let date = etag::http_date(seconds).to_string();
            set(&mut headers, LAST_MODIFIED, &date);
        }
        let has_it =
            asked.reads() && etag::not_modified(&asked.headers, &tag, resource.last_modified);
        if has_it {
            return Self {
                status: StatusCode::NOT_MODIFIED,
                headers,
                body: Payload::default(),
            };
        }
        if let Some(link) = &resource.link {
            set(&mut headers, LINK, link);
        }
        if let Some(location) = &resource.location {
            set(&mut headers, LOCATION, location);
        }
        // GitHub lays the JSON out for people only after it has hashed it.
        let body = if asked.wants_pretty() {
            format!("{:#}\n", resource.body)
        } else {
            compact
        };
        Self::json(asked, resource.status, headers, body)
    }

    /// What GraphQL says, whether it has an answer or not. Nobody is to keep it, GitHub says.
    pub(super) fn of_graphql(asked: &Asked, body: &Value) -> Self {
        let mut headers = HeaderMap::new();
        set(&mut headers, CACHE_CONTROL, "no-cache");
        set(
            &mut headers,
            VARY,
            "Accept-Encoding, Accept, X-Requested-With",
        );
        let media_type = HeaderValue::from_static("github.v4; format=json");
        headers.insert("x-github-media-type", media_type);
        Self::json(asked, StatusCode::OK, headers, body.to_string())
    }

    /// GitHub's words for what it will not do.
    pub(super) fn refused(asked: &Asked, refusal: &Refusal) -> Self {
        let body = refusal.to_json();
        let body = if asked.wants_pretty() {
            format!("{body:#}\n")
        } else {
            body.to_string()
        };
        Self::json(asked, refusal.status, HeaderMap::new(), body)
    }

    /// The answer to requests without a `User-Agent`, which do not get as far as the API.
    /// <https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api#user-agent-required>
    pub(super) fn no_user_agent() -> Self {
        let mut headers = HeaderMap::new();
        set(&mut headers, CONTENT_TYPE, "text/html; charset=utf-8");
        let body = "\r\nRequest forbidden by administrative rules. Please make sure your request \
                    has a User-Agent header (https://docs.github.com/en/rest/overview/\
                    resources-in-the-rest-api#user-agent-required). Check \
                    https://developer.github.com for other possible causes.\r\n";
        Self {
            status: StatusCode::FORBIDDEN,
            headers,
            body: Payload::Whole(Bytes::from_static(body.as_bytes())),
        }
    }

    /// Adds what every answer of the API has, whatever its status.
    pub(super) fn sign(&mut self, caller: &Caller) {
        for (name, value) in ALWAYS {
            self.headers.insert(name, HeaderValue::from_static(value));
        }
        let media_type = HeaderValue::from_static("github.v3; format=json");
        self.headers
            .entry("x-github-media-type")
            .or_insert(media_type);
        let version = HeaderValue::from_static(API_VERSION);
        self.headers
            .insert("x-github-api-version-selected", version);
        if let Some(scopes) = caller.token().and_then(Token::scopes) {
            let scopes = HeaderValue::from_static(scopes);
            self.headers.insert("x-oauth-scopes", scopes);
        }
    }

    pub(super) fn into_response(mut self, manner: Manner) -> Response<Body> {
        let bodiless = [StatusCode::NOT_MODIFIED, StatusCode::NO_CONTENT];
        let chunked = matches!(manner, Manner::CutChunked);
        if !chunked && !bodiless.contains(&self.status) {
            self.headers.insert(CONTENT_LENGTH, self.body.len().into());
        }
        let mut response = Response::new(self.body.sent(manner));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }

    fn json(asked: &Asked, status: StatusCode, mut headers: HeaderMap, body: String) -> Self {
        set(&mut headers, CONTENT_TYPE, JSON);
        let mut body = Bytes::from(body);
        if asked.takes_gzip()
            && let Ok(compressed) = gzip(&body)
        {
            set(&mut headers, CONTENT_ENCODING, "gzip");
            body = compressed;
        }
        Self {
            status,
            headers,
            body: Payload::Whole(body),
        }
    }
}

/// Why the API will not look at a request at all.
pub(super) fn unacceptable(asked: &Asked) -> Option<Refusal> {
    let version = asked.header(HeaderName::from_static("x-github-api-version"));
    if let Some(version) = version.filter(|&version| version != API_VERSION) {
        let message = format!("\"{version}\" is not a version of the API that is supported.");
        return Some(Refusal::new(StatusCode::BAD_REQUEST, message));
    }
    if !asked.accepts_json() {
        let message = "Unsupported 'Accept' header. Must accept 'application/json'.";
        return Some(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    None
}

fn caching(caller: &Caller) -> HeaderMap {
    let (visibility, vary) = if caller.is_anonymous() {
        (
            "public",
            "Accept, Accept-Encoding, Accept, X-Requested-With",
        )
    } else {
        (
            "private",
            "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, \
             X-Requested-With",
        )
    };
    let mut headers = HeaderMap::new();
    let cache_control = format!("{visibility}, max-age=60, s-maxage=60");
    set(&mut headers, CACHE_CONTROL, &cache_control);
    set(&mut headers, VARY, vary);
    headers
}

/// GitHub's front end weakens the tag of what it compresses.
fn entity_tag(asked: &Asked, tag: &str) -> String {
    let weak = if asked.takes_gzip() { "W/" } else { "" };
    format!("{weak}\"{tag}\"")
}

/// Sets a header to a text of the stand-in's own making, which always can stand in one.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

fn gzip(body: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    Ok(encoder.finish()?.into())
}
