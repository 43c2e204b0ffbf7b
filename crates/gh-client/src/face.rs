//! What lies between octocrab and the stack: octocrab knows one host, and follows redirects.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use octocrab::OctoBody;
use tower::Service;
use tower::ServiceExt;
use tower::util::MapRequest;
use tower_http::follow_redirect::FollowRedirect;

use crate::body::Body;
use crate::client::Client;
use crate::error::UpstreamError;
use crate::hosts;
use crate::links::lead_to;

/// Takes a request over from octocrab.
type Receive = fn(Request<OctoBody>) -> Request<Body>;

/// The API, wherever it is, as `https://api.github.com`.
#[derive(Clone, Debug)]
pub(crate) struct Face(Client);

impl Face {
    /// The service that octocrab sends its requests to.
    pub(crate) fn over(client: Client) -> MapRequest<FollowRedirect<Self>, Receive> {
        let receive: Receive = Self::received;
        FollowRedirect::new(Self(client)).map_request(receive)
    }

    /// A request as it comes from octocrab. It has an absolute URI, so that the credential survives
    /// a redirect to the same host, and no other.
    fn received(request: Request<OctoBody>) -> Request<Body> {
        let mut request = request.map(|body| {
            // Without one, a request can be sent again.
            if http_body::Body::is_end_stream(&body) {
                Body::empty()
            } else {
                Body::streaming(body)
            }
        });
        if request.uri().authority().is_none() {
            let target = request.uri().path_and_query().cloned();
            let uri = Uri::builder()
                .scheme(Scheme::HTTPS)
                .authority(hosts::API)
                .path_and_query(target.unwrap_or_else(|| PathAndQuery::from_static("/")))
                .build();
            if let Ok(uri) = uri {
                *request.uri_mut() = uri;
            }
        }
        request
    }
}

impl Service<Request<Body>> for Face {
    type Response = Response<Body>;
    type Error = UpstreamError;
    type Future = BoxFuture<'static, Result<Response<Body>, UpstreamError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let client = self.0.clone();
        if let Some(host) = request.uri().host()
            && let Some(target) = request.uri().path_and_query()
            && client.upstream().reaches(host)
        {
            *request.uri_mut() = client.upstream().locate(host, target);
        }
        Box::pin(async move {
            let mut response = client.clone().oneshot(request).await?;
            let here = format!("https://{}", hosts::API);
            lead_to(&here, client.upstream(), response.headers_mut());
            Ok(response)
        })
    }
}
