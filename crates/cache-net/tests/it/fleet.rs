//! Hosts for the tests, and how to wait for what they do.
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions only"
)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::{PeerId, Transport, TransportError};
use cache_net::{Config, Membership, Multiaddr, P2p, Redial};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Long enough for the slowest machine; a test that meets it has failed.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const SECRET: [u8; 32] = [1; 32];
pub(crate) const OTHER_SECRET: [u8; 32] = [2; 32];

/// A member that listens on a free port of the loopback interface.
pub(crate) fn member() -> Config {
    with_secret(SECRET)
}

pub(crate) fn with_secret(secret: [u8; 32]) -> Config {
    let mut config = Config::new(Membership::new(secret));
    config.listen.push("/ip4/127.0.0.1/tcp/0".parse().unwrap());
    config.redial = Redial {
        first: Duration::from_millis(20),
        longest: Duration::from_millis(100),
    };
    // Where a test waits for a deadline to pass it sets its own; elsewhere none must pass.
    config.limits.deadline = PATIENCE;
    config
}

/// A member that is told of `hosts`.
pub(crate) fn member_knowing(hosts: &[&P2p]) -> Config {
    let mut config = member();
    config.bootstrap = hosts.iter().map(|host| address(host)).collect();
    config
}

pub(crate) fn address(host: &P2p) -> Multiaddr {
    host.listen_addrs().remove(0)
}

pub(crate) async fn start(config: Config) -> Arc<P2p> {
    Arc::new(P2p::start(config).await.unwrap())
}

/// Two connected hosts.
pub(crate) async fn pair() -> (Arc<P2p>, Arc<P2p>) {
    let first = start(member()).await;
    let second = start(member_knowing(&[&first])).await;
    connected(&first, &second).await;
    (first, second)
}

pub(crate) async fn connected(one: &P2p, other: &P2p) {
    until("the hosts see each other", || {
        sees(one, other) && sees(other, one)
    })
    .await;
}

pub(crate) fn sees(one: &P2p, other: &P2p) -> bool {
    names(one).contains(&other.local_peer())
}

pub(crate) fn names(host: &P2p) -> Vec<PeerId> {
    host.peers().iter().map(|peer| peer.id).collect()
}

/// Has `host` answer every frame with the frame itself, until it is closed.
pub(crate) fn echo(host: &Arc<P2p>) {
    let host = Arc::clone(host);
    tokio::spawn(async move {
        while let Some(inbound) = host.accept().await {
            let frame = inbound.frame.clone();
            inbound.reply.send(frame);
        }
    });
}

/// Has `asker` ask for a reply in a task of its own, which nothing else wakes.
pub(crate) fn asking(asker: &Arc<P2p>, to: &P2p) -> JoinHandle<Result<Bytes, TransportError>> {
    let (asker, to) = (Arc::clone(asker), to.local_peer());
    tokio::spawn(async move { asker.request(to, frame(1)).await })
}

pub(crate) fn frame(size: usize) -> Bytes {
    (0..size).map(|i| (i % 251) as u8).collect()
}

pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"))
}
