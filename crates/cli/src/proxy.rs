//! The HTTP proxy: what a client sends, and how it gets its answer.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::Router;
use bytes::Bytes;
use gh_client::{BaseUrl, Body, Client, Token, UpstreamError, VIA};
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Collected};
use hyper::body::Incoming;
use tower::ServiceExt;

/// The host that `gh` asks for on the socket, whatever the upstream is.
const GITHUB: &str = "api.github.com";

/// Answers the requests of one listener's clients.
#[derive(Clone)]
pub(crate) struct Proxy {
    client: Client,
    admin: Router,
    injected: Option<Token>,
    door: Door,
}

/// Through which listener a request came.
#[derive(Clone, Debug)]
pub(crate) enum Door {
    /// A port that any program on the machine, a browser included, can reach.
    Tcp(SocketAddr),
    /// A socket that its owner alone can reach.
    Unix,
}

impl Proxy {
    pub(crate) fn new(client: Client, admin: Router, injected: Option<Token>, door: Door) -> Self {
        Self {
            client,
            admin,
            injected,
            door,
        }
    }

    /// Answers one request. Whatever goes wrong is an answer, too.
    pub(crate) async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let host = host_of(&request);
        if let Err(refusal) = self.admit(&request, host.as_ref()) {
            return Ok(refusal.into_response());
        }
        if is_admin(request.uri().path()) {
            return Ok(self.admin(request).await);
        }
        let mut response = self.forward(request).await;
        if let (Door::Tcp(_), Some(host)) = (&self.door, &host) {
            stay_here(response.headers_mut(), self.client.upstream(), host);
        }
        response.headers_mut().append(header::VIA, VIA);
        Ok(response)
    }

    /// Whether this request is for us at all.
    fn admit<B>(&self, request: &Request<B>, host: Option<&Authority>) -> Result<(), Refusal> {
        if request.method() == Method::CONNECT {
            return Err(Refusal::Connect);
        }
        if let Some(host) = host
            && !self.is_ours(host)
        {
            return Err(Refusal::Host(host.to_string()));
        }
        if is_admin(request.uri().path()) && is_cross_site(request.headers(), host) {
            return Err(Refusal::CrossSite);
        }
        if has_passed_us(request.headers()) {
            return Err(Refusal::Loop);
        }
        Ok(())
    }

    /// A browser that was led to us under somebody else's name (DNS rebinding) gives that name as
    /// the host.
    fn is_ours(&self, host: &Authority) -> bool {
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        if name == "localhost" || name == self.client.upstream().authority().host() {
            return true;
        }
        match &self.door {
            Door::Unix => name == GITHUB,
            Door::Tcp(listening) => name.parse::<IpAddr>().is_ok_and(|ip| {
                ip.is_loopback() || ip == listening.ip() || listening.ip().is_unspecified()
            }),
        }
    }

    async fn admin(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = match self.admin.clone().oneshot(request).await {
            Ok(response) => response.into_parts(),
            Err(never) => match never {},
        };
        // Our own answers are small, and they cannot break off.
        let body = body
            .collect()
            .await
            .map_or_else(|_| Bytes::new(), Collected::to_bytes);
        Response::from_parts(parts, Body::full(body))
    }

    async fn forward(&self, request: Request<Incoming>) -> Response<Body> {
        let mut request = request.map(Body::streaming);
        if let Some(token) = &self.injected {
            let headers = request.headers_mut();
            headers
                .entry(header::AUTHORIZATION)
                .or_insert_with(|| token.to_header());
        }
        match self.client.clone().oneshot(request).await {
            Ok(response) => response,
            Err(error) => {
                tracing::warn!("{error}");
                Refusal::Upstream(error).into_response()
            }
        }
    }
}

/// Why a request gets an answer of our own.
enum Refusal {
    Host(String),
    CrossSite,
    Connect,
    Loop,
    Upstream(UpstreamError),
}

impl Refusal {
    fn into_response(self) -> Response<Body> {
        let (status, message) = match self {
            Self::Host(host) => (
                StatusCode::FORBIDDEN,
                format!("ghmesh does not answer for the host {host}; ask it as localhost"),
            ),
            Self::CrossSite => (
                StatusCode::FORBIDDEN,
                "ghmesh does not answer other sites' requests to /-/".to_owned(),
            ),
            Self::Connect => (
                StatusCode::METHOD_NOT_ALLOWED,
                "ghmesh is not a forward proxy: use its address as the API's base URL".to_owned(),
            ),
            Self::Loop => (
                StatusCode::LOOP_DETECTED,
                "this request has been through ghmesh already; is --upstream a ghmesh node?"
                    .to_owned(),
            ),
            Self::Upstream(error) if error.is_timeout() => {
                (StatusCode::GATEWAY_TIMEOUT, format!("ghmesh: {error}"))
            }
            Self::Upstream(error) => (StatusCode::BAD_GATEWAY, format!("ghmesh: {error}")),
        };
        // In the form of GitHub's own errors, which clients know how to show.
        let body = serde_json::json!({ "message": message }).to_string();
        let mut response = Response::new(Body::full(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        headers.insert(
            "cache-status",
            HeaderValue::from_static("ghmesh; fwd=bypass"),
        );
        response
    }
}

fn is_admin(path: &str) -> bool {
    path == "/-" || path.starts_with("/-/")
}

/// The host that the client asks: from the target where that is absolute, which counts for more
/// ([RFC 9112, section 3.2.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2)), else from
/// the header.
fn host_of<B>(request: &Request<B>) -> Option<Authority> {
    request.uri().authority().cloned().or_else(|| {
        let host = request.headers().get(header::HOST)?;
        Authority::try_from(host.as_bytes()).ok()
    })
}

/// Whether a browser says that another site's page makes this request
/// ([Fetch Metadata](https://www.w3.org/TR/fetch-metadata/)).
fn is_cross_site(headers: &HeaderMap, host: Option<&Authority>) -> bool {
    let other_site = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none");
    let other_origin = headers.get(header::ORIGIN).is_some_and(|origin| {
        let origin = origin.to_str().ok().and_then(|text| text.split_once("://"));
        origin.map(|(_, authority)| authority) != host.map(Authority::as_str)
    });
    other_site || other_origin
}

fn has_passed_us(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::VIA)
        .iter()
        .filter_map(|via| via.to_str().ok())
        .flat_map(|via| via.split(','))
        .any(|hop| hop.split_whitespace().nth(1) == Some("ghmesh"))
}

/// Makes links to other pages, and redirects, lead through the proxy again. A client that
/// followed them to GitHub itself would leave the cache on page 2.
fn stay_here(headers: &mut HeaderMap, upstream: &BaseUrl, host: &Authority) {
    let theirs = format!("{}{}", upstream.origin(), upstream.path());
    let ours = format!("http://{host}");
    for name in [header::LINK, header::LOCATION] {
        let rewritten: Vec<HeaderValue> = headers
            .get_all(&name)
            .iter()
            .map(|value| {
                let text = value
                    .to_str()
                    .ok()
                    .map(|text| lead_to(text, &theirs, &ours));
                text.and_then(|text| text.parse().ok())
                    .unwrap_or_else(|| value.clone())
            })
            .collect();
        headers.remove(&name);
        for value in rewritten {
            headers.append(&name, value);
        }
    }
}

/// Replaces a URL's beginning wherever it is one, and not the beginning of a longer host.
fn lead_to(text: &str, theirs: &str, ours: &str) -> String {
    let mut parts = text.split(theirs);
    let mut rewritten = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_end = part.is_empty() || part.starts_with(['/', '?', '>']);
        rewritten.push_str(if is_end { ours } else { theirs });
        rewritten.push_str(part);
    }
    rewritten
}

#[cfg(test)]
mod tests;
