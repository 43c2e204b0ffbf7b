//! A request, read.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, HOST, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};
use percent_encoding::percent_decode_str;

/// The prefix under which GitHub Enterprise Server has the same API.
const GHES: &str = "/api/v3";

/// A request with its body.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Path and query, without GHES's prefix.
    target: String,
    pairs: Vec<(String, String)>,
    prefix: &'static str,
}

impl Asked {
    pub(super) fn new(parts: Parts, body: Bytes) -> Self {
        let whole = parts
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let (prefix, target) = match whole.strip_prefix(GHES) {
            // Beside version 3, not below it.
            None if whole == "/api/graphql" => ("/api", "/graphql"),
            Some(rest) if rest.starts_with('/') => (GHES, rest),
            _ => ("", whole),
        };
        let query = parts.uri.query().unwrap_or_default();
        Self {
            method: parts.method,
            headers: parts.headers,
            body,
            target: target.to_owned(),
            pairs: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            prefix,
        }
    }

    /// Path and query as they came, without GHES's prefix.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// The parts of the path, decoded. A slash at its end is not looked at.
    pub(super) fn segments(&self) -> Vec<String> {
        super::pattern::path_of(&self.target)
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect()
    }

    /// The query's pairs, in their order.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of one of the query's parameters.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.pairs().find(|pair| pair.0 == name).map(|pair| pair.1)
    }

    /// Where the client believes to be talking to, with GHES's prefix where it used it.
    pub(super) fn origin(&self) -> String {
        let host = self.header(HOST).unwrap_or("api.github.com");
        format!("http://{host}{}", self.prefix)
    }

    /// A header's text; `None` where it is absent or not text.
    pub(super) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn reads(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }

    /// Whether it is for GraphQL, which is asked by POST alone.
    pub(super) fn is_graphql(&self) -> bool {
        self.method == Method::POST && self.target == "/graphql"
    }

    pub(super) fn takes_gzip(&self) -> bool {
        let accepted = self.header(ACCEPT_ENCODING).unwrap_or_default();
        accepted.split(',').any(|coding| {
            let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
            let refused = parameters.trim().trim_end_matches(['0', '.']) == "q=";
            name.trim().eq_ignore_ascii_case("gzip") && !refused
        })
    }

    /// GitHub lays the body out for people where the client looks like one of theirs.
    pub(super) fn wants_pretty(&self) -> bool {
        let agent = self.header(USER_AGENT).unwrap_or_default();
        ["curl", "Wget", "Safari", "Firefox"]
            .iter()
            .any(|name| agent.contains(name))
    }

    /// Whether the client takes JSON, which is all that there is.
    pub(super) fn accepts_json(&self) -> bool {
        let accepted = self.header(ACCEPT).unwrap_or_default();
        accepted.trim().is_empty()
            || accepted.split(',').any(|range| {
                let range = range.split(';').next().unwrap_or_default().trim();
                let ours = range.starts_with("application/vnd.github")
                    && ["json", ".v3", ".full"]
                        .iter()
                        .any(|end| range.ends_with(end));
                ours || ["*/*", "application/*", "application/json"].contains(&range)
            })
    }
}
