//! Which requests the cache may answer, and which of them ask the same.

use cache_core::{Family, Path, Scope};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Uri};

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::credential::Credential;
use crate::directives::Wishes;
use crate::graphql::{self, Query};
use crate::retry::Repeatable;
use crate::upstream::USER_AGENT;

/// The media type that GitHub
/// [recommends](https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#accept),
/// and which all that a client usually asks for comes down to.
pub(crate) const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.github+json");

/// Which version of the API a client gets that
/// [names none](https://docs.github.com/en/rest/about-the-rest-api/api-versions). GitHub's `Vary`
/// never lists it, so it has to be part of the question.
pub(crate) const API_VERSION: HeaderValue = HeaderValue::from_static("2022-11-28");

/// The header that names the version.
pub(crate) const API_VERSION_HEADER: HeaderName = HeaderName::from_static("x-github-api-version");

/// Where is told what is left of the limits, at no cost and never the same.
pub(crate) const RATE_LIMIT: &str = "/rate_limit";

/// What is done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Looked up in the cache.
    Look(Box<Question>),
    /// Looked up where its body turns out to be a GraphQL query, else passed on.
    Read,
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
    /// What GraphQL is asked, in place of a path.
    pub(crate) query: Option<Query>,
}

impl Plan {
    /// What is done with this request.
    pub(crate) fn of<B: http_body::Body>(request: &Request<B>, base: &BaseUrl) -> Self {
        if graphql::may_be_query(request, base) {
            return Self::Read;
        }
        // A HEAD is answered from GET's entry: RFC 9110, section 9.3.2.
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return Self::ForwardMethod;
        }
        let headers = request.headers();
        let is_apart = Wishes::of(headers).no_store
            || headers.keys().any(changes_the_answer)
            // A GET with a body asks something that its URL does not say.
            || !request.body().is_end_stream();
        match Question::of(request, base).filter(|_| !is_apart) {
            Some(question) => Self::Look(Box::new(question)),
            None => Self::Bypass,
        }
    }
}

impl Question {
    /// What a request asks of the API, as far as the cache may hold an answer to it.
    pub(crate) fn of<B>(request: &Request<B>, base: &BaseUrl) -> Option<Self> {
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        let path = base.api_path(request.uri().path());
        if !is_read || !is_at(request.uri(), base) || path == RATE_LIMIT {
            return None;
        }
        let headers = request.headers();
        Some(Self {
            target: target(path, request.uri().query())?,
            accept: accept(headers).ok()?,
            api_version: api_version(headers).ok()?,
            query: None,
        })
    }

    /// The question that a GraphQL query puts, whose headers are these.
    pub(crate) fn of_query(headers: &HeaderMap, query: Query) -> Option<Self> {
        Some(Self {
            target: PathAndQuery::from_static(graphql::PATH),
            accept: accept(headers).ok()?,
            api_version: api_version(headers).ok()?,
            query: Some(query),
        })
    }

    /// What is asked, as the cache knows it.
    pub(crate) fn family(&self, base: &BaseUrl) -> Family {
        let method: &[u8] = match self.query {
            Some(_) => b"POST",
            None => b"GET",
        };
        let query = self.query.as_ref().map(Query::parts);
        let parts = [
            method,
            base.authority().as_str().as_bytes(),
            base.path().as_bytes(),
            self.target.as_str().as_bytes(),
            self.accept.as_bytes(),
            self.api_version.as_bytes(),
        ];
        Family::of(parts.into_iter().chain(query.into_iter().flatten()))
    }

    /// Where answers to it are filed, of those that are filed under `scope`.
    pub(crate) fn filed(&self, scope: Scope) -> Path {
        match self.query {
            // What a write changes of them cannot be told by their path.
            Some(_) => graphql_of(scope),
            None => filed_at(self.path()),
        }
    }

    /// The path alone.
    pub(crate) fn path(&self) -> &str {
        self.target.path()
    }

    /// The question in the one form in which it is sent upstream, whoever asks.
    pub(crate) fn to_request(&self, credential: Option<&Credential>) -> Request<Body> {
        let mut request = match &self.query {
            None => Request::new(Body::empty()),
            Some(query) => query_request(query),
        };
        *request.uri_mut() = self.target.clone().into();
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, self.accept.clone());
        headers.insert(API_VERSION_HEADER, self.api_version.clone());
        headers.insert(header::USER_AGENT, USER_AGENT);
        if let Some(credential) = credential {
            credential.put_on(&mut request);
        }
        request
    }
}

fn query_request(query: &Query) -> Request<Body> {
    let mut request = Request::new(Body::full(query.body.clone()));
    *request.method_mut() = Method::POST;
    let headers = request.headers_mut();
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, json);
    if let Some(features) = &query.features {
        headers.insert(graphql::FEATURES, features.clone());
    }
    request.extensions_mut().insert(Repeatable);
    request
}

/// A path as it counts for invalidations. GitHub's names are the same in upper and lower case; that
/// those of files are not makes at worst too much void.
pub(crate) fn place(path: &str) -> String {
    path.to_ascii_lowercase()
}

/// Where the answers of a path are filed: below the path, at a place of their own, so that they can
/// be invalidated without what lies below the path, as well as with it.
pub(crate) fn filed_at(path: &str) -> Path {
    Path::new(&format!("{}/.", place(path)))
}

/// Where the answers of GraphQL are that are filed under this scope.
pub(crate) fn graphql_of(scope: Scope) -> Path {
    Path::new(&format!("{}/{scope}", graphql::PATH))
}

/// Headers that GitHub knows and the question does not.
const UNTOLD: [HeaderName; 5] = [
    header::RANGE,
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::COOKIE,
    header::UPGRADE,
];

/// Whether a header asks for something that the question does not tell: a part of the answer, one
/// that is to be refused where it has changed, one for a browser's session, or a feature of GitHub's that came after this was written.
pub(crate) fn changes_the_answer(name: &HeaderName) -> bool {
    let is_known =
        UNTOLD.contains(name) || name == "x-http-method-override" || name == "x-requested-with";
    is_known || (name.as_str().starts_with("x-github-") && name != API_VERSION_HEADER)
}

/// Whether a request goes to the API: it says no host, or the API's and a path that is the API's.
pub(crate) fn is_at(uri: &Uri, base: &BaseUrl) -> bool {
    uri.authority()
        .is_none_or(|authority| authority == base.authority() && base.has_api_at(uri.path()))
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

#[cfg(test)]
mod tests;
