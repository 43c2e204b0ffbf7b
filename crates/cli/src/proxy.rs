//! The HTTP proxy: what a client sends, and how it gets its answer.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use bytes::Bytes;
use gh_client::{Body, Client, Decision, Token, UpstreamError, lead_to};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Collected};
use hyper::body::{Body as _, Incoming};
use tower::ServiceExt;

mod restless;

use restless::Restless;

/// How we make ourselves known to whoever passes a message on
/// ([RFC 9110, section 7.6.3](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.3)).
pub(crate) const VIA: HeaderValue = HeaderValue::from_static("1.1 ghmesh");

/// What clients of github.com call the API, whatever the upstream.
const API: &str = "api.github.com";

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Answers the requests of one listener's clients.
#[derive(Clone)]
pub(crate) struct Proxy {
    client: Client,
    admin: Router,
    injected: Option<Arc<Token>>,
    door: Door,
    weather: Weather,
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
            injected: injected.map(Arc::new),
            door,
            weather: Weather::default(),
        }
    }

    /// Answers one request. Whatever goes wrong is an answer, too.
    pub(crate) async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let host = match self.admit(&request) {
            Ok(host) => host,
            Err(refusal) => return Ok(refusal.into_response()),
        };
        if is_admin(request.uri().path()) {
            return Ok(self.admin(request).await);
        }
        let mut response = self.forward(request, host.as_ref()).await;
        if let Some(here) = host.and_then(|host| self.origin(&host)) {
            lead_to(&here, self.client.upstream(), response.headers_mut());
        }
        response.headers_mut().append(header::VIA, VIA);
        Ok(response)
    }

    /// Whether this request is for us at all; the host that it names, if any.
    fn admit<B>(&self, request: &Request<B>) -> Result<Option<Authority>, Refusal> {
        if request.method() == Method::CONNECT {
            return Err(Refusal::Connect);
        }
        let host = host_of(request)?;
        if let Some(host) = &host
            && !self.is_ours(host)
        {
            return Err(Refusal::Host(host.to_string()));
        }
        // A page that can send our token could do everything that the token can.
        let is_guarded = is_admin(request.uri().path()) || self.injected.is_some();
        if is_guarded && is_cross_site(request.headers(), host.as_ref()) {
            return Err(Refusal::CrossSite);
        }
        if has_passed_us(request.headers()) {
            return Err(Refusal::Loop);
        }
        Ok(host)
    }

    /// A browser that was led to us under somebody else's name (DNS rebinding) gives that name as
    /// the host.
    fn is_ours(&self, host: &Authority) -> bool {
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        let is = |ours: &str| name.eq_ignore_ascii_case(ours);
        if is("localhost") || is(self.client.upstream().authority().host()) {
            return true;
        }
        match &self.door {
            // Redirects that `gh` follows arrive here, too; no browser does.
            Door::Unix => {
                self.client.upstream().reaches(name)
                    || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
            Door::Tcp(listening) => name.parse::<IpAddr>().is_ok_and(|ip| {
                ip.is_loopback() || ip == listening.ip() || listening.ip().is_unspecified()
            }),
        }
    }

    /// Where a client that has asked us as this host is to be led to for more; `None` where that is
    /// where GitHub leads it.
    fn origin(&self, host: &Authority) -> Option<String> {
        let upstream = self.client.upstream().authority();
        match self.door {
            Door::Tcp(address) => Some(self.origin_by_port(host, address)),
            Door::Unix if host == upstream => None,
            // `gh` sends a token to nobody but the host that it is for. Where that is not what
            // upstream calls itself, it would ask for page 2 without.
            Door::Unix if is_local(host.host()) => Some(format!("http://{host}")),
            Door::Unix if self.client.upstream().reaches(host.host()) => {
                let is_upstreams = host.host().eq_ignore_ascii_case(upstream.host());
                let host = if is_upstreams { host.as_str() } else { API };
                Some(format!("https://{host}"))
            }
            Door::Unix => None,
        }
    }

    /// A client that calls us by the API's own name would be led to the API itself.
    fn origin_by_port(&self, host: &Authority, mut address: SocketAddr) -> String {
        let api = self.client.upstream().authority().host();
        if is_local(api) || !host.host().eq_ignore_ascii_case(api) {
            return format!("http://{host}");
        }
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("http://{address}")
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

    async fn forward(
        &self,
        request: Request<Incoming>,
        host: Option<&Authority>,
    ) -> Response<Body> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let mut request = request.map(received);
        if let Some(target) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = match (&self.door, host) {
                (Door::Unix, Some(host)) => self.client.upstream().locate(host.host(), &target),
                // Whose host it is has been looked at; from here on it is a path at the API.
                _ => target.into(),
            };
        }
        // Another host is nobody to show it to.
        let is_api = request.uri().authority().is_none();
        if let Some(token) = self.injected.as_ref().filter(|_| is_api) {
            let headers = request.headers_mut();
            headers
                .entry(header::AUTHORIZATION)
                .or_insert_with(|| token.to_header());
        }
        let answer = self.client.clone().oneshot(request).await;
        self.weather.report(&answer);
        let response = answer.unwrap_or_else(|error| {
            let status = if [Method::GET, Method::HEAD].contains(&method) {
                "uri-miss"
            } else {
                "method"
            };
            let mut response = Refusal::Upstream(error).into_response();
            let status = HeaderValue::try_from(format!("ghmesh; fwd={status}"));
            response
                .headers_mut()
                .extend(status.map(|status| (CACHE_STATUS, status)));
            response
        });
        let status = response.headers().get(CACHE_STATUS);
        tracing::debug!(%method, path, answer = %response.status(), cache = ?status, "answered");
        response
    }
}

/// The body of a client's request. Where there is none, the request can be sent again.
fn received(body: Incoming) -> Body {
    if body.is_end_stream() {
        Body::empty()
    } else {
        Body::streaming(Restless::new(body))
    }
}

/// Whether upstream can be reached, told when it changes and not with each request.
#[derive(Clone, Default)]
pub(crate) struct Weather {
    is_bad: Arc<AtomicBool>,
}

impl Weather {
    fn report(&self, answer: &Result<Response<Body>, UpstreamError>) {
        match answer {
            Err(error) if !self.is_bad.swap(true, Ordering::Relaxed) => tracing::warn!("{error}"),
            Err(error) => tracing::debug!("{error}"),
            // What comes from the cache alone says nothing of GitHub.
            Ok(response) => {
                let decision = response.extensions().get::<Decision>();
                if decision.is_some_and(|decision| decision.has_heard_github())
                    && self.is_bad.swap(false, Ordering::Relaxed)
                {
                    tracing::info!("GitHub answers again");
                }
            }
        }
    }
}

/// Why a request gets an answer of our own.
enum Refusal {
    Host(String),
    UnclearHost,
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
            Self::UnclearHost => (
                StatusCode::FORBIDDEN,
                "ghmesh cannot tell which host this request is for".to_owned(),
            ),
            Self::CrossSite => (
                StatusCode::FORBIDDEN,
                "ghmesh does not answer this request to another site's page".to_owned(),
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
        response
    }
}

/// Whether a host is this machine, whichever that is.
fn is_local(host: &str) -> bool {
    let ip = host.trim_matches(['[', ']']).parse();
    host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn is_admin(path: &str) -> bool {
    path == "/-" || path.starts_with("/-/")
}

/// The host that the client asks: from the target where that is absolute, which counts for more
/// ([RFC 9112, section 3.2.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2)), else from
/// the header.
fn host_of<B>(request: &Request<B>) -> Result<Option<Authority>, Refusal> {
    if let Some(host) = request.uri().authority() {
        return Ok(Some(host.clone()));
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Ok(None),
        // A name that does not parse here may yet be one that a browser resolves.
        (Some(host), None) => Authority::try_from(host.as_bytes())
            .map(Some)
            .map_err(|_| Refusal::UnclearHost),
        (Some(_), Some(_)) => Err(Refusal::UnclearHost),
    }
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

#[cfg(test)]
mod tests;
