//! A client's connection, which nobody keeps open by doing nothing.

use std::pin::Pin;
use std::time::Duration;

use gh_client::body::BoxError;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1::{Builder, Connection};
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_io_timeout::TimeoutWriter;

/// How long a client may take to send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may read nothing of an answer that waits for it. Without a bound, one that has
/// stopped keeps its place here, and the call on which it waits its connection to GitHub.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A client's end of a connection.
type Io<S> = TokioIo<Pin<Box<TimeoutWriter<S>>>>;

/// Answers all requests that come on a connection. It ends with an error where the client takes too
/// long; of an answer no more is read from GitHub than the client takes.
pub(crate) fn serve<S, V, B>(stream: S, answer: V) -> Connection<Io<S>, V>
where
    S: AsyncRead + AsyncWrite,
    V: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>>,
    B: hyper::body::Body<Error: Into<BoxError>> + 'static,
{
    // hyper has no such bound of its own.
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(READ_TIMEOUT));
    Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(Box::pin(stream)), answer)
}

#[cfg(test)]
mod tests;
