//! `ghmesh serve`: a node in the foreground.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time;

use crate::admin;
use crate::config::Config;
use crate::connection;
use crate::env::Env;
use crate::listen::{self, Unix};
use crate::log;
use crate::node::Node;
use crate::out;
use crate::proxy::{Door, Proxy};
use crate::settings::Settings;
use crate::signals::Signals;

/// Clients that are served at one time through each door. Further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 4096;

/// How long answers under way may take once the node is told to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait where accepting fails, as it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Runs a node until it is told to end.
pub(crate) async fn run(settings: Settings) -> anyhow::Result<()> {
    let env = Env::Process;
    let settings = settings.complete(&env)?;
    log::start(&settings, &env)?;
    let config = Config::resolve(settings, &env).await?;

    // Before anything is announced, so that a signal sent right after it is not missed.
    let mut signals = Signals::listen()?;

    let tcp = listen::tcp(config.listen).await?;
    let unix = listen::unix(&config.unix).await?;
    let node = Node::start(&config).await?;
    let address = tcp.local_addr()?;
    out::line(Ready::of(&node, address, unix.as_ref()))?;

    let server = Server::new(&node, &config);
    // The secrets are in it, and nobody needs them any more.
    drop(config);
    tokio::select! {
        () = server.accept_tcp(&tcp, address) => {}
        () = server.accept_unix(unix.as_ref()) => {}
        signal = signals.next() => tracing::info!("told to end ({signal})"),
    }
    // Nobody gets in any more; who is in gets an answer.
    drop((tcp, unix));
    tokio::select! {
        () = server.connections.shutdown() => {}
        () = time::sleep(DRAIN_TIMEOUT) => {
            tracing::warn!("clients were still being answered after {DRAIN_TIMEOUT:?}");
        }
        signal = signals.next() => tracing::warn!("told to end at once ({signal})"),
    }
    node.stop().await;
    Ok(())
}

/// The one line on stdout.
struct Ready<'a> {
    http: SocketAddr,
    unix: Option<&'a Unix>,
    p2p: Option<String>,
    peer: Option<String>,
}

impl<'a> Ready<'a> {
    fn of(node: &Node, http: SocketAddr, unix: Option<&'a Unix>) -> Self {
        Self {
            http,
            unix,
            p2p: node.p2p_addresses().into_iter().next(),
            peer: node.peer_id(),
        }
    }
}

impl fmt::Display for Ready<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ghmesh ready http=http://{}", self.http)?;
        match self.unix {
            Some(unix) => write!(f, " unix={}", unix.path.display())?,
            None => f.write_str(" unix=off")?,
        }
        match &self.p2p {
            Some(p2p) => write!(f, " p2p={p2p}")?,
            None => f.write_str(" p2p=off")?,
        }
        if let Some(peer) = &self.peer {
            write!(f, " peer={peer}")?;
        }
        Ok(())
    }
}

/// Accepts clients and answers them.
struct Server {
    node: Node,
    injected: Option<gh_client::Token>,
    connections: GracefulShutdown,
}

impl Server {
    fn new(node: &Node, config: &Config) -> Self {
        Self {
            node: node.clone(),
            injected: config.injected_token.clone(),
            connections: GracefulShutdown::new(),
        }
    }

    async fn accept_tcp(&self, listener: &TcpListener, address: SocketAddr) {
        let proxy = self.proxy(Door::Tcp(address));
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    // Without it, Nagle's algorithm delays the last bytes of an answer.
                    if stream.set_nodelay(true).is_ok() {
                        self.answer(stream, proxy.clone(), &room).await;
                    }
                }
                Err(error) => pause(&error).await,
            }
        }
    }

    async fn accept_unix(&self, unix: Option<&Unix>) {
        let Some(unix) = unix else {
            return std::future::pending().await;
        };
        let proxy = self.proxy(Door::Unix);
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            match unix.listener.accept().await {
                Ok((stream, _)) => self.answer(stream, proxy.clone(), &room).await,
                Err(error) => pause(&error).await,
            }
        }
    }

    fn proxy(&self, door: Door) -> Proxy {
        let client = self.node.client().clone();
        let admin = admin::router(self.node.clone());
        Proxy::new(client, admin, self.injected.clone(), door)
    }

    /// Answers a client in the background, once there is room for it.
    async fn answer<S>(&self, stream: S, proxy: Proxy, room: &Arc<Semaphore>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Ok(permit) = Arc::clone(room).acquire_owned().await else {
            return;
        };
        let answer = service_fn(move |request| proxy.clone().answer(request));
        let connection = connection::serve(stream, answer);
        let connection = self.connections.watch(connection);
        tokio::spawn(async move {
            // Clients that break off are their own affair.
            if let Err(error) = connection.await {
                tracing::debug!("a client's connection ended: {error}");
            }
            drop(permit);
        });
    }
}

async fn pause(error: &std::io::Error) {
    tracing::warn!("cannot accept a client: {error}");
    time::sleep(ACCEPT_PAUSE).await;
}
