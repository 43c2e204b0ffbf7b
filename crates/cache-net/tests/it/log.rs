//! What is said to the person who runs a host.
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions only"
)]

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use cache_core::Transport;
use cache_net::{Identity, Multiaddr};
use futures::StreamExt;
use libp2p::identity::Keypair;
use libp2p::{SwarmBuilder, identify, noise, tcp, yamux};
use tracing::subscriber::DefaultGuard;

use crate::fleet::*;

/// The lines written by hosts of this thread while it lives.
struct Log {
    lines: Lines,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn start() -> Self {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter("cache_net=debug")
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        Self { lines, _guard }
    }

    /// How many lines contain all of these words.
    fn count(&self, words: &[&str]) -> usize {
        let lines = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = String::from_utf8_lossy(&lines);
        lines
            .lines()
            .filter(|line| words.iter().all(|word| line.contains(word)))
            .count()
    }
}

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn another_secret_is_told_once_on_both_sides() {
    let log = Log::start();
    let host = start(member()).await;
    let mut stranger = with_secret(OTHER_SECRET);
    stranger.bootstrap.push(address(&host));
    let _stranger = start(stranger).await;

    let dialling = ["WARN", "cannot reach bootstrap peer", "another secret"];
    let dialled = [
        "WARN",
        "refused a connection from /ip4/127.0.0.1",
        "another secret",
    ];
    until("dialled again and again", || {
        log.count(&["DEBUG", "bootstrap peer not reached"]) > 5
            && log.count(&["DEBUG", "incoming connection failed"]) > 5
    })
    .await;

    assert_eq!((log.count(&dialling), log.count(&dialled)), (1, 1));
}

#[tokio::test]
async fn an_unreachable_bootstrap_peer_is_told_once() {
    let gone = start(member()).await;
    let place = address(&gone);
    gone.close().await;
    let log = Log::start();
    let mut config = member();
    config.bootstrap.push(place);
    let _host = start(config).await;

    let line = [
        "WARN",
        "cannot reach bootstrap peer",
        "refused",
        "(retrying)",
    ];
    until("dialled again and again", || {
        log.count(&["DEBUG", "bootstrap peer not reached"]) > 5
    })
    .await;

    assert_eq!(log.count(&line), 1);
}

#[tokio::test]
async fn a_host_name_that_does_not_exist_is_told() {
    let log = Log::start();
    let mut config = member();
    config
        .bootstrap
        .push("/dns4/no-such-host.invalid/tcp/4001".parse().unwrap());
    let _host = start(config).await;

    let line = ["WARN", "no-such-host.invalid", "cannot be resolved"];
    until("told", || log.count(&line) > 0).await;
}

#[tokio::test]
async fn another_peer_than_the_named_one_is_told_with_both_names() {
    let log = Log::start();
    let host = start(member()).await;
    let expected = Identity::ephemeral().peer_id();
    let mut config = member();
    let named = format!("{}/p2p/{expected}", address(&host));
    config.bootstrap.push(named.parse().unwrap());
    let other = start(config).await;

    let (expected, obtained) = (expected.to_string(), host.local_peer().to_string());
    until("told", || {
        log.count(&["WARN", &expected, &obtained, "/p2p/"]) > 0
    })
    .await;
    // It is a member all the same, and known by its own name from now on.
    connected(&other, &host).await;
}

#[tokio::test]
async fn a_member_of_another_version_is_told() {
    let log = Log::start();
    let host = start(member()).await;
    let _newer = tokio::spawn(speaks("/ghmesh/2", address(&host)));

    let line = ["WARN", "/ghmesh/2", "/ghmesh/1", "upgrade the older"];
    until("told", || log.count(&line) == 1).await;
}

/// A member of the fleet that identifies itself as of `version`.
async fn speaks(version: &str, host: Multiaddr) {
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(
            tcp::Config::default(),
            |key: &Keypair| noise::Config::new(key).map(|noise| noise.with_prologue(SECRET.into())),
            yamux::Config::default,
        )
        .unwrap()
        .with_behaviour(|key| {
            identify::Behaviour::new(identify::Config::new(version.to_owned(), key.public()))
        })
        .unwrap()
        .build();
    swarm.dial(host).unwrap();
    loop {
        swarm.select_next_some().await;
    }
}

#[tokio::test]
async fn a_port_in_use_is_told_with_both_ports() {
    let first = start(member()).await;
    let log = Log::start();
    let mut config = member();
    config.listen = vec![address(&first)];
    let second = start(config).await;

    let port = |host| {
        address(host)
            .to_string()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned()
    };
    let (wanted, taken) = (port(&first), port(&second));
    assert_eq!(log.count(&["WARN", "is in use", &wanted, &taken]), 1);
}

#[tokio::test]
async fn coming_and_going_is_told() {
    let log = Log::start();
    let first = start(member()).await;
    let second = start(member_knowing(&[&first])).await;
    connected(&first, &second).await;
    let name = second.local_peer().to_string();

    assert_eq!(log.count(&["connected to peer", &name, "(inbound)"]), 1);
    second.close().await;
    until("told", || log.count(&[&name, "is gone"]) == 1).await;
}
