//! Members that nobody can dial, reached through one that everybody can.

use cache_core::Transport;
use cache_net::Config;

use crate::fleet::*;

fn with_relay() -> Config {
    let mut config = member();
    config.relay = true;
    config
}

#[tokio::test]
async fn two_that_can_only_dial_are_connected_through_a_third() {
    // The address is known before the host is there, as that of a long-lived host is.
    let mut config = with_relay();
    let first_life = start(config.clone()).await;
    config.listen = vec![address(&first_life)];
    config.external = config.listen.clone();
    first_life.close().await;
    let relay = start(config).await;
    let dialling = || {
        let mut config = with_relay();
        config.listen.clear();
        config.bootstrap = vec![address(&relay)];
        config
    };
    let first = start(dialling()).await;
    let second = start(dialling()).await;
    echo(&second);

    connected(&first, &second).await;

    let answer = first.request(second.local_peer(), frame(3_000_000)).await;
    assert!(answer.unwrap() == frame(3_000_000));
    let through = |peer: &cache_core::PeerInfo| {
        peer.id == second.local_peer()
            && peer
                .addresses
                .iter()
                .all(|at| !at.starts_with("/ip4/") || at.contains("/p2p-circuit/"))
    };
    assert!(first.peers().iter().any(through), "{:?}", first.peers());
}
