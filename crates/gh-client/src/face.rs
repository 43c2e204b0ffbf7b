//! What lies between octocrab and the stack: octocrab knows one host, and follows redirects.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::header;
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri};
use octocrab::OctoBody;
use tower::Service;
use tower::ServiceExt;
use tower::util::MapRequest;
use tower_http::follow_redirect::FollowRedirect;

use crate::app::AppKey;
use crate::body::Body;
use crate::client::Client;
use crate::credential::Holder;
use crate::error::UpstreamError;
use crate::hosts;
use crate::installation::Installation;
use crate::links::lead_to;
use crate::retry;
use crate::token::Token;

/// Takes a request over from octocrab.
type Receive = fn(Request<OctoBody>) -> Request<Body>;

/// Who asks through a face.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Whoever octocrab says.
    AsSent,
    App(AppKey),
    Installation(Installation),
}

/// A credential of the hour, and whose it is.
pub(crate) struct Authorised {
    token: Token,
    holder: Holder,
}

impl Authorised {
    pub(crate) const fn new(token: Token, holder: Holder) -> Self {
        Self { token, holder }
    }

    pub(crate) fn put_on(&self, request: &mut Request<Body>) {
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, self.token.to_header());
        request.extensions_mut().insert(self.holder.clone());
    }
}

impl Caller {
    /// What a request is to carry that octocrab sends without.
    async fn credential(&self, client: &Client) -> Result<Option<Authorised>, UpstreamError> {
        let (token, holder) = match self {
            Self::AsSent => return Ok(None),
            Self::App(key) => (key.sign(client.now())?, key.holder()),
            Self::Installation(installation) => {
                (installation.token().await?, installation.holder())
            }
        };
        Ok(Some(Authorised::new(token, holder)))
    }
}

/// The API, wherever it is, as `https://api.github.com`.
#[derive(Clone, Debug)]
pub(crate) struct Face {
    client: Client,
    caller: Caller,
}

impl Face {
    /// The service that octocrab sends its requests to.
    pub(crate) fn over(
        client: Client,
        caller: Caller,
    ) -> MapRequest<FollowRedirect<Self>, Receive> {
        let receive: Receive = Self::received;
        FollowRedirect::new(Self { client, caller }).map_request(receive)
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

    /// Sends a request, where it is for the API with the caller's credential, and to nobody else with
    /// it: as octocrab does with those that it is given. What a redirect leads to is looked at anew.
    async fn ask(self, mut request: Request<Body>) -> Result<Response<Body>, UpstreamError> {
        self.locate(&mut request);
        let credential = match request.uri().authority() {
            None => self.caller.credential(&self.client).await?,
            Some(_elsewhere) => None,
        };
        let Some(credential) = credential else {
            return self.client.oneshot(request).await;
        };
        credential.put_on(&mut request);
        let again = retry::again(&request);
        let response = self.client.clone().oneshot(request).await?;
        let Self { client, caller } = self;
        let Caller::Installation(installation) = &caller else {
            return Ok(response);
        };
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        // It was revoked before its time.
        installation.give_up(&credential.token);
        match (again, caller.credential(&client).await) {
            (Some(mut request), Ok(Some(credential))) => {
                credential.put_on(&mut request);
                client.oneshot(request).await
            }
            // Once more with the next request.
            _ => Ok(response),
        }
    }

    /// Has a request for the host that octocrab has named go where that is; what is for the API
    /// names no host any more.
    fn locate(&self, request: &mut Request<Body>) {
        let upstream = self.client.upstream();
        if let Some(host) = request.uri().host()
            && let Some(target) = request.uri().path_and_query()
            && upstream.reaches(host)
        {
            *request.uri_mut() = upstream.locate(host, target);
        }
    }
}

impl Service<Request<Body>> for Face {
    type Response = Response<Body>;
    type Error = UpstreamError;
    type Future = BoxFuture<'static, Result<Response<Body>, UpstreamError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        self.client.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let face = self.clone();
        Box::pin(async move {
            let client = face.client.clone();
            let mut response = face.ask(request).await?;
            let here = format!("https://{}", hosts::API);
            lead_to(&here, client.upstream(), response.headers_mut());
            Ok(response)
        })
    }
}
