//! What members that go wrong have a host occupy, as the allocator sees it.
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions only"
)]

use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use cache_core::Transport;
use peak_alloc::PeakAlloc;
use rusty_fork::rusty_fork_test;

use crate::fleet::*;
use crate::hostile::{connect_from, multiaddr, socket_address, valve};
use crate::rogue::Rogue;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const MIB: usize = 1024 * 1024;

// The heap is the whole process's, so each has one of its own.
rusty_fork_test! {
    #[test]
    fn frames_that_are_sent_by_half_occupy_no_more_than_what_may_be_read_at_one_time() {
        within(128 * MIB, half_sent_frames());
    }

    #[test]
    fn a_peer_that_reads_nothing_has_little_kept_for_it() {
        within(96 * MIB, broadcasts_to_the_deaf());
    }

    #[test]
    fn connections_that_never_say_anything_occupy_little() {
        within(16 * MIB, half_open_connections());
    }
}

/// Runs it, and sees what it occupied at most. The whole fleet is in this process, and counts.
fn within(bound: usize, work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    HEAP.reset_peak_usage();
    runtime.block_on(work);
    let peak = HEAP.peak_usage();
    println!("{} MiB at most", peak / MIB);
    assert!(peak <= bound, "{peak} bytes at most, of {bound}");
}

/// 256 frames of 8 MiB, of each of which one byte is held back: 2 GiB.
async fn half_sent_frames() {
    let mut config = member();
    config.limits.inbound_bytes = 16 * MIB;
    let host = start(config).await;
    let other = start(member_knowing(&[&host])).await;
    connected(&host, &other).await;
    echo(&host);
    let rogue = Rogue::connect(&host).await;
    let mut begun = vec![0, 0, 0x80, 0, 0];
    begun.resize(8 * MIB + 4, 7);
    let begun = Bytes::from(begun);

    let rogue = rogue.send(vec![begun; 256]);

    until("most are refused", || host.metrics().refused.no_room >= 100).await;
    let answer = other.request(host.local_peer(), frame(10_000)).await;
    assert!(answer.unwrap() == frame(10_000));
    rogue.abort();
}

/// 800 MiB in large frames and 125 MiB in small ones, which are published.
async fn broadcasts_to_the_deaf() {
    let mut config = member();
    config.limits.deadline = Duration::from_secs(1);
    config.limits.acknowledging_peers = 0;
    let host = start(config).await;
    let (place, shut) = valve(socket_address(&address(&host))).await;
    let mut config = member();
    config.listen.clear();
    config.bootstrap.push(multiaddr(place));
    let deaf = start(config).await;
    connected(&host, &deaf).await;
    echo(&deaf);
    shut.store(true, Ordering::Relaxed);

    for n in 0..2000 {
        if n % 10 == 0 {
            host.broadcast(vec![7; 4 * MIB].into()).await.unwrap();
        }
        host.broadcast(vec![7; MIB / 16].into()).await.unwrap();
    }
}

async fn half_open_connections() {
    let host = start(member()).await;
    let mut silent = Vec::new();
    for n in 0..200 {
        let from = Ipv4Addr::new(127, 0, 1, n % 8);
        silent.extend(connect_from(from, socket_address(&address(&host))).await);
    }
    let other = start(member_knowing(&[&host])).await;
    connected(&host, &other).await;
}
