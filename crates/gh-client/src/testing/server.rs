//! Connections: taken, served, and cut when they have to be.

use std::convert::Infallible;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time;

use super::site::{Outcome, Site};

/// How many connections are open at a time. Further ones wait in the listener's queue.
const MAX_CONNECTIONS: usize = 4096;

/// How long to wait after the system had no connection to give, for lack of descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Takes connections and serves them until it is dropped, and all of them with it.
pub(super) async fn run(listener: TcpListener, site: Arc<Site>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(serve(stream, Arc::clone(&site)));
                    }
                    Err(_) => time::sleep(ACCEPT_PAUSE).await,
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, site: Arc<Site>) {
    let mut online = site.online();
    if !*online.borrow() {
        return reset(&stream);
    }
    // The client waits for small answers; they are not to wait for more to come.
    let _ = stream.set_nodelay(true);
    let cut = Arc::new(Notify::new());
    let service = service_fn(|request| {
        let (site, cut) = (Arc::clone(&site), Arc::clone(&cut));
        async move {
            match site.answer(request).await {
                Outcome::Answered(response) => Ok::<_, Infallible>(response),
                Outcome::Reset => {
                    cut.notify_one();
                    future::pending().await
                }
                Outcome::Silence => future::pending().await,
            }
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // How it ended is the client's affair.
        _ = &mut connection => return,
        () = cut.notified() => {}
        _ = online.wait_for(|online| !online) => {}
    }
    reset(&connection.into_parts().io.into_inner());
}

/// Makes the system send a reset instead of an orderly end when the stream is dropped.
fn reset(stream: &TcpStream) {
    // Where that fails, the client sees an end that comes too early, which is as bad for it.
    let _ = stream.set_zero_linger();
}
