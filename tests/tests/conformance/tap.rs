//! A line between a client and whom it asks: everything is passed on as it is, and overheard.

use std::io;
use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{client, server};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;

/// Either kind of connection.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A port and a socket that lead to the same end.
pub(crate) struct Tap {
    /// The port: `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// The socket.
    pub(crate) socket: PathBuf,
    line: Arc<Line>,
    _dir: TempDir,
    _listeners: JoinSet<()>,
}

/// Where a line leads.
#[derive(Clone)]
pub(crate) struct End {
    /// `HOST:PORT`.
    pub(crate) tcp: String,
    /// Where what comes through the socket goes; to the port, too, where there is none.
    pub(crate) unix: Option<PathBuf>,
    /// The name by which it is asked, whatever the client says.
    pub(crate) host: Option<&'static str>,
}

/// A request, and what came back.
pub(crate) struct Exchange {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) asked: HeaderMap,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// As it came, coded or not.
    pub(crate) body: Bytes,
}

struct Line {
    end: Mutex<Option<End>>,
    heard: Mutex<Vec<Exchange>>,
}

#[derive(Clone, Copy)]
enum Door {
    Tcp,
    Unix,
}

impl Tap {
    /// A line that leads nowhere yet.
    pub(crate) async fn open() -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let socket = dir.path().join("tap.sock");
        let tcp = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", tcp.local_addr()?);
        let unix = UnixListener::bind(&socket)?;
        let line = Arc::new(Line {
            end: Mutex::default(),
            heard: Mutex::default(),
        });
        let mut listeners = JoinSet::new();
        let shared = Arc::clone(&line);
        listeners.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = tcp.accept().await {
                connections.spawn(serve(stream, Door::Tcp, Arc::clone(&shared)));
            }
        });
        let shared = Arc::clone(&line);
        listeners.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = unix.accept().await {
                connections.spawn(serve(stream, Door::Unix, Arc::clone(&shared)));
            }
        });
        Ok(Self {
            url,
            socket,
            line,
            _dir: dir,
            _listeners: listeners,
        })
    }

    /// Where it leads from now on.
    pub(crate) fn lead_to(&self, end: End) {
        *self.line.end.lock().unwrap() = Some(end);
    }

    /// What was said since this was last asked.
    pub(crate) fn heard(&self) -> Vec<Exchange> {
        mem::take(&mut *self.line.heard.lock().unwrap())
    }
}

impl Line {
    async fn pass_on(
        &self,
        request: Request<Incoming>,
        door: Door,
    ) -> io::Result<Response<Full<Bytes>>> {
        let (mut parts, body) = request.into_parts();
        let body = whole(body).await?;
        let target = parts.uri.path_and_query().map(ToString::to_string);
        let (method, asked) = (parts.method.clone(), parts.headers.clone());

        let end = self.end.lock().unwrap().clone();
        let end = end.ok_or(io::ErrorKind::NotConnected)?;
        if let Some(host) = end.host {
            parts.headers.insert(HOST, HeaderValue::from_static(host));
        }
        let stream = TokioIo::new(end.connect(door).await?);
        let handshake = client::conn::http1::handshake(stream).await;
        let (mut sender, connection) = handshake.map_err(io::Error::other)?;
        let mut connections = JoinSet::new();
        connections.spawn(connection);
        let request = Request::from_parts(parts, Full::new(body));
        let response = sender.send_request(request).await;
        let (parts, body) = response.map_err(io::Error::other)?.into_parts();
        let body = whole(body).await?;

        self.heard.lock().unwrap().push(Exchange {
            method,
            target: target.unwrap_or_default(),
            asked,
            status: parts.status,
            headers: parts.headers.clone(),
            body: body.clone(),
        });
        Ok(Response::from_parts(parts, Full::new(body)))
    }
}

impl End {
    async fn connect(self, door: Door) -> io::Result<Box<dyn Stream>> {
        Ok(match (door, self.unix) {
            (Door::Unix, Some(socket)) => Box::new(UnixStream::connect(socket).await?),
            _ => Box::new(TcpStream::connect(self.tcp).await?),
        })
    }
}

async fn serve(stream: impl Stream + 'static, door: Door, line: Arc<Line>) {
    let service = service_fn(move |request| {
        let line = Arc::clone(&line);
        async move { line.pass_on(request, door).await }
    });
    // Where it breaks off at one side, it does at the other.
    let _ = server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn whole(body: Incoming) -> io::Result<Bytes> {
    let collected = body.collect().await.map_err(io::Error::other)?;
    Ok(collected.to_bytes())
}
