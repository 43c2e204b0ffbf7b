//! A client that tells exactly what it was answered, where a body breaks off included.

use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Frame;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// An answer as it came over the wire.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// What arrived of its body.
    pub body: Vec<u8>,
    /// Whether the body came to its proper end.
    pub complete: bool,
}

impl Answer {
    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap_or("not text"))
    }

    /// What `Cache-Status` says of the node.
    pub fn cache_status(&self) -> &str {
        self.header("cache-status")
    }
}

/// A request in the making.
#[derive(Clone, Debug)]
pub struct Ask {
    method: Method,
    target: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Ask {
    /// A GET of a path.
    pub fn get(target: &str) -> Self {
        Self {
            method: Method::GET,
            target: target.to_owned(),
            // GitHub refuses requests without one.
            headers: vec![("user-agent".to_owned(), "e2e".to_owned())],
            body: Bytes::new(),
        }
    }

    /// A POST to a path.
    pub fn post(target: &str, body: impl Into<Bytes>) -> Self {
        Self {
            method: Method::POST,
            body: body.into(),
            ..Self::get(target)
        }
    }

    /// A HEAD of a path.
    pub fn head(target: &str) -> Self {
        Self {
            method: Method::HEAD,
            ..Self::get(target)
        }
    }

    /// With this token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends it to `http://HOST:PORT`.
    pub async fn send(&self, origin: &str) -> Answer {
        let authority = origin.trim_start_matches("http://").trim_end_matches('/');
        let stream = TcpStream::connect(authority).await.expect("it listens");
        self.exchange(stream, authority).await
    }

    /// Sends it through a Unix socket, for GitHub's own host, as `gh` does.
    pub async fn send_unix(&self, socket: &Path) -> Answer {
        let stream = UnixStream::connect(socket).await.expect("it listens");
        self.exchange(stream, "api.github.com").await
    }

    async fn exchange<S>(&self, stream: S, host: &str) -> Answer
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.target);
        if !self.headers.iter().any(|(name, _)| name == "host") {
            request = request.header("host", host);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(self.body.clone()))
            .expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        let (parts, mut body) = response.into_parts();
        let mut answer = Answer {
            status: parts.status,
            headers: parts.headers,
            body: Vec::new(),
            complete: true,
        };
        while let Some(frame) = body.frame().await {
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => answer.body.extend_from_slice(&data),
                Ok(Err(_trailers)) => {}
                Err(_broken) => {
                    answer.complete = false;
                    break;
                }
            }
        }
        connection.abort();
        answer
    }
}
