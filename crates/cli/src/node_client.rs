//! Asking a running node.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::uri::Authority;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time;

use crate::config::ConfigError;
use crate::env::Env;

const DEFAULT_NODE: &str = "http://127.0.0.1:8417";

/// A node on this machine answers at once, or there is none.
const PATIENCE: Duration = Duration::from_secs(10);

/// A node's address.
#[derive(Clone, Debug)]
pub(crate) struct NodeClient {
    authority: String,
}

impl NodeClient {
    /// The node that the flag names, else the environment, else the one at the default port.
    pub(crate) fn resolve(flag: Option<&str>, env: &Env) -> anyhow::Result<Self> {
        let variable = env.get("GHMESH_NODE")?;
        let set = variable.as_ref().map(|url| url.as_str());
        Self::new(flag.or(set).unwrap_or(DEFAULT_NODE))
    }

    /// The node at this URL, which may lack its scheme.
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let refused = || {
            let why = format!("write it like {DEFAULT_NODE}");
            ConfigError::value("--node (GHMESH_NODE)", url, &why)
        };
        let authority = url.strip_prefix("http://").unwrap_or(url);
        let authority = authority.trim_end_matches('/');
        let authority: Authority = authority.parse().map_err(|_| refused())?;
        let port = authority.port_u16().ok_or_else(refused)?;
        Ok(Self {
            authority: format!("{}:{port}", authority.host()),
        })
    }

    /// The JSON at one of the node's own endpoints.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let (status, body) = self.fetch(path, &[]).await?;
        self.read(path, status, &body)
    }

    /// What one of the node's own endpoints answers to JSON.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        what: &impl Serialize,
    ) -> anyhow::Result<T> {
        let body = serde_json::to_vec(what)?;
        let request = Request::post(path).header("content-type", "application/json");
        let (status, body) = self.send(request.body(Full::from(body))?).await?;
        self.read(path, status, &body)
    }

    /// The answer to a GET of any path.
    pub(crate) async fn fetch(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = headers
            .iter()
            .fold(Request::get(path), |request, (name, value)| {
                request.header(*name, *value)
            });
        self.send(request.body(Full::default())?).await
    }

    fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        status: StatusCode,
        body: &[u8],
    ) -> anyhow::Result<T> {
        if status != StatusCode::OK {
            bail!("{}{path}: {status}; is it a ghmesh node?", self.authority);
        }
        serde_json::from_slice(body)
            .with_context(|| format!("{}{path} is not what a ghmesh node answers", self.authority))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        time::timeout(PATIENCE, self.exchange(request))
            .await
            .with_context(|| format!("the node at {} does not answer", self.authority))?
    }

    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let host = HeaderValue::try_from(&self.authority)?;
        request.headers_mut().insert(header::HOST, host);
        let stream = TcpStream::connect(&self.authority).await.with_context(|| {
            let authority = &self.authority;
            format!("no node answers at {authority}; start one with `ghmesh serve`, or name it with --node")
        })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            anyhow::Ok((status, body))
        };
        tokio::pin!(exchange);
        tokio::select! {
            answer = &mut exchange => answer,
            ended = connection => match ended {
                Ok(()) => exchange.await,
                Err(error) => Err(error.into()),
            },
        }
    }
}
