//! What a frame costs beside bare TCP, on loopback, in the same run.
//!
//! `tcp` sends a length and as many bytes to one peer, which sends them back: no names, no
//! encryption, no streams. `bare libp2p` is the same through its request-response, which opens a
//! stream for each, and `request` through [`P2p`]. `broadcast` goes to four peers, each of which
//! confirms it with an empty reply; `tcp, four` sends to four and waits for a byte from each.
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark whose setting cannot be built has failed"
)]

use std::sync::Arc;

use bytes::Bytes;
use cache_core::{FrameKind, Transport};
use cache_net::{Config, Membership, P2p};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

mod bare;

const SIZES: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];

criterion_group!(benches, request, broadcast);
criterion_main!(benches);

fn request(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = c.benchmark_group("round trip");
    let (asker, answerers) = runtime.block_on(fleet(1));
    let to = answerers[0].local_peer();
    let mut tcp = runtime.block_on(tcp_peer(true));
    let bare = runtime.block_on(bare::Asker::connected());
    for size in SIZES {
        let frame = Bytes::from(vec![7; size]);
        group.throughput(Throughput::Bytes(2 * size as u64));
        group.bench_function(BenchmarkId::new("tcp", size), |b| {
            b.iter(|| runtime.block_on(tcp_round_trip(&mut tcp, &frame, size)));
        });
        group.bench_function(BenchmarkId::new("bare libp2p", size), |b| {
            b.iter(|| runtime.block_on(bare.request(frame.clone())));
        });
        group.bench_function(BenchmarkId::new("request", size), |b| {
            b.iter(|| runtime.block_on(asker.request(to, frame.clone())).unwrap());
        });
    }
}

fn broadcast(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = c.benchmark_group("to four");
    let (sender, _receivers) = runtime.block_on(fleet(4));
    let mut tcp = runtime.block_on(join_all((0..4).map(|_| tcp_peer(false))));
    for size in SIZES {
        let frame = Bytes::from(vec![7; size]);
        group.throughput(Throughput::Bytes(4 * size as u64));
        group.bench_function(BenchmarkId::new("tcp, four", size), |b| {
            b.iter(|| {
                let sent = tcp.iter_mut().map(|peer| tcp_round_trip(peer, &frame, 1));
                runtime.block_on(join_all(sent))
            });
        });
        group.bench_function(BenchmarkId::new("broadcast", size), |b| {
            b.iter(|| {
                let delivery = runtime.block_on(sender.broadcast(frame.clone())).unwrap();
                assert_eq!(delivery.acked.len(), 4);
            });
        });
    }
}

/// A host that is connected to so many others, which answer.
async fn fleet(others: usize) -> (P2p, Vec<Arc<P2p>>) {
    let member = || {
        let mut config = Config::new(Membership::new([7; 32]));
        config.listen.push("/ip4/127.0.0.1/tcp/0".parse().unwrap());
        // As fast as it goes.
        config.limits.requests_per_second = u32::MAX;
        config.limits.broadcasts_per_second = u32::MAX;
        config
    };
    let mut config = member();
    let mut peers = Vec::new();
    for _ in 0..others {
        let peer = Arc::new(P2p::start(member()).await.unwrap());
        config.bootstrap.extend(peer.listen_addrs());
        peers.push(Arc::clone(&peer));
        tokio::spawn(async move {
            while let Some(inbound) = peer.accept().await {
                let reply = match inbound.kind {
                    FrameKind::Request => inbound.frame.clone(),
                    FrameKind::Broadcast => Bytes::new(),
                };
                inbound.reply.send(reply);
            }
        });
    }
    let host = P2p::start(config).await.unwrap();
    while host.peers().len() < others {
        tokio::task::yield_now().await;
    }
    (host, peers)
}

/// A connection to somebody who sends back what comes, or a byte.
async fn tcp_peer(echo: bool) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut frame = Vec::new();
        while let Ok(length) = stream.read_u32().await {
            frame.resize(length as usize, 0);
            stream.read_exact(&mut frame).await.unwrap();
            let reply = if echo { &frame[..] } else { &[1] };
            stream.write_all(reply).await.unwrap();
        }
    });
    let stream = TcpStream::connect(place).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

async fn tcp_round_trip(stream: &mut TcpStream, frame: &[u8], reply: usize) -> Vec<u8> {
    let length = u32::try_from(frame.len()).unwrap();
    stream.write_u32(length).await.unwrap();
    stream.write_all(frame).await.unwrap();
    let mut answer = vec![0; reply];
    stream.read_exact(&mut answer).await.unwrap();
    answer
}
