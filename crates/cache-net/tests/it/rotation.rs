//! Hosts that change their secret.

use std::sync::Arc;

use cache_core::Transport;
use cache_net::{Membership, P2p};

use crate::fleet::*;

/// A host with these secrets, the current one first, that is told of `hosts`.
async fn host(secrets: &[[u8; 32]], hosts: &[&P2p]) -> Arc<P2p> {
    let mut config = with_secret(secrets[0]);
    config.previous_membership = secrets.get(1).copied().map(Membership::new);
    config.bootstrap = hosts.iter().map(|host| address(host)).collect();
    start(config).await
}

#[tokio::test]
async fn hosts_that_share_any_secret_connect_whoever_dials() {
    let old: &[_] = &[SECRET];
    let accepting: &[_] = &[SECRET, OTHER_SECRET];
    let changed: &[_] = &[OTHER_SECRET, SECRET];
    let new: &[_] = &[OTHER_SECRET];
    for (dialled, dialling) in [
        (old, accepting),
        (old, changed),
        (accepting, accepting),
        (accepting, changed),
        (accepting, new),
        (changed, changed),
        (changed, new),
    ] {
        for (dialled, dialling) in [(dialled, dialling), (dialling, dialled)] {
            let dialled = host(dialled, &[]).await;
            let dialling = host(dialling, &[&dialled]).await;
            connected(&dialled, &dialling).await;
            echo(&dialled);
            let answer = dialling.request(dialled.local_peer(), frame(1000)).await;
            assert_eq!(answer.unwrap(), frame(1000));
        }
    }
}

#[tokio::test]
async fn a_host_without_a_secret_in_common_is_refused_by_one_that_has_two() {
    let two = host(&[SECRET, [3; 32]], &[]).await;
    let stranger = host(&[OTHER_SECRET, [4; 32]], &[&two]).await;
    // The stranger dials at once and again and again; a member that comes later is let in.
    for _ in 0..5 {
        let member = host(&[[3; 32]], &[&two]).await;
        connected(&two, &member).await;
        member.close().await;
        until("gone", || !sees(&two, &member)).await;
        assert!(two.peers().is_empty() && stranger.peers().is_empty());
    }
}
