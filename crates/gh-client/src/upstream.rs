//! The leaf of the stack: sends a request to GitHub over HTTP, and counts it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::header::{self, HeaderValue};
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::Service;

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::error::{BuildError, UpstreamError};
use crate::hops::drop_hop_by_hop;
use crate::question;
use crate::stats::Counters;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An idle connection is closed before GitHub closes it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// What we call ourselves where the client has not said what it is. GitHub refuses requests without a
/// [user agent](https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent-required).
pub(crate) const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("ghmesh/", env!("CARGO_PKG_VERSION")));

/// Sends requests to GitHub. How long that may take is for whoever waits to say.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    api: Http,
    /// For downloads over TLS where the API is reached without.
    downloads: Arc<OnceLock<Result<Http, String>>>,
    base: Arc<BaseUrl>,
    via: Option<HeaderValue>,
    counters: Arc<Counters>,
}

type Http = Client<HttpsConnector<HttpConnector>, Body>;

impl Upstream {
    pub(crate) fn new(
        base: Arc<BaseUrl>,
        via: Option<HeaderValue>,
        counters: Arc<Counters>,
    ) -> Result<Self, BuildError> {
        Ok(Self {
            api: http(base.is_secure())?,
            downloads: Arc::default(),
            base,
            via,
            counters,
        })
    }

    /// The connections for this request. The system's certificates are read where they are needed.
    fn http(&self, request: &Request<Body>) -> Result<&Http, UpstreamError> {
        if self.base.is_secure() || request.uri().scheme() != Some(&Scheme::HTTPS) {
            return Ok(&self.api);
        }
        let downloads = self
            .downloads
            .get_or_init(|| http(true).map_err(|error| error.to_string()));
        downloads
            .as_ref()
            .map_err(|error| UpstreamError::Unreachable {
                upstream: request.uri().host().unwrap_or_default().to_owned(),
                cause: error.clone().into(),
            })
    }

    fn prepare(&self, request: Request<Body>) -> Result<Request<Body>, UpstreamError> {
        let (mut parts, body) = request.into_parts();
        // What is for another host has been looked at on the way here.
        if question::is_at(&parts.uri, &self.base) {
            let target = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
            parts.uri = self.base.join(self.base.api_path(target))?;
        }
        parts.headers.remove(header::HOST);
        // Whoever asked us for a 100 has got it from us: RFC 9110, section 10.1.1.
        parts.headers.remove(header::EXPECT);
        if let Some(via) = &self.via {
            parts.headers.append(header::VIA, via.clone());
        }
        parts
            .headers
            .entry(header::USER_AGENT)
            .or_insert(USER_AGENT);
        Ok(Request::from_parts(parts, body))
    }

    async fn send(self, request: Request<Body>) -> Result<Response<Body>, UpstreamError> {
        let is_api = question::is_at(request.uri(), &self.base);
        let request = self.prepare(request)?;
        let is_authorised = request.headers().contains_key(header::AUTHORIZATION);
        let answer = self.http(&request)?.request(request).await;
        let mut response = answer.map_err(|error| UpstreamError::Unreachable {
            upstream: self.base.to_string(),
            cause: error.into(),
        })?;
        // A 304 costs an authorised client nothing.
        let is_free = is_authorised && response.status() == StatusCode::NOT_MODIFIED;
        if is_api && !is_free {
            self.counters.api_calls.fetch_add(1, Ordering::Relaxed);
        }
        drop_hop_by_hop(response.headers_mut());
        Ok(response.map(Body::streaming))
    }
}

impl Service<Request<Body>> for Upstream {
    type Response = Response<Body>;
    type Error = UpstreamError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

fn http(is_secure: bool) -> Result<Http, BuildError> {
    let client = Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_timer(TokioTimer::new())
        .build(connector(is_secure)?);
    Ok(client)
}

fn connector(is_secure: bool) -> Result<HttpsConnector<HttpConnector>, BuildError> {
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    http.set_nodelay(true);
    http.enforce_http(false);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| BuildError::Certificates(std::io::Error::other(error)))?;
    let config = if is_secure {
        use hyper_rustls::ConfigBuilderExt as _;
        let config = config.with_native_roots();
        config
            .map_err(BuildError::Certificates)?
            .with_no_client_auth()
    } else {
        // Nothing is reached over TLS.
        config
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth()
    };
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http))
}

#[cfg(test)]
mod tests;
