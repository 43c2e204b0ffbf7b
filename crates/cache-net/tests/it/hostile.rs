//! Strangers and rogue members who try to wear a host down. Whatever they do, others are served.
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions only"
)]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cache_core::{Transport, TransportError};
use cache_net::{Multiaddr, Redial};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::fleet::*;
use crate::rogue::Rogue;

pub(crate) fn socket_address(address: &Multiaddr) -> SocketAddr {
    let text = address.to_string();
    let port = text.rsplit('/').next().unwrap();
    SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().unwrap()))
}

pub(crate) fn multiaddr(address: SocketAddr) -> Multiaddr {
    format!("/ip4/{}/tcp/{}", address.ip(), address.port())
        .parse()
        .unwrap()
}

/// A connection from another address of the loopback interface.
pub(crate) async fn connect_from(ip: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((ip, 0).into())?;
    socket.connect(to).await
}

/// Whether the other side has not hung up.
fn is_open(stream: &TcpStream) -> bool {
    let mut greeting = [0; 64];
    loop {
        match stream.try_read(&mut greeting) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

#[tokio::test]
async fn half_open_connections_of_one_address_keep_nobody_else_out() {
    let mut config = member();
    config.limits.pending_connections = 64;
    config.limits.pending_connections_per_host = 16;
    let host = start(config).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        let stranger = connect_from(Ipv4Addr::new(127, 0, 0, 2), socket_address(&address(&host)));
        silent.extend(stranger.await);
    }

    let member = start(member_knowing(&[&host])).await;

    connected(&host, &member).await;
    let open = silent.iter().filter(|stranger| is_open(stranger)).count();
    assert!(open <= 16, "{open} of {} are held", silent.len());
}

#[tokio::test]
async fn a_length_of_four_gigabytes_costs_its_sender_the_connection() {
    let (host, other) = pair().await;
    echo(&host);
    let rogue = Rogue::connect(&host).await;
    let name = rogue.name();

    let rogue = rogue.send([vec![0, 0xff, 0xff, 0xff, 0xff]]);

    until("hung up", || !names(&host).contains(&name)).await;
    let answer = other.request(host.local_peer(), frame(1)).await;
    assert_eq!(answer.unwrap(), frame(1));
    rogue.abort();
}

#[tokio::test]
async fn random_bytes_in_place_of_frames_cost_their_sender_the_connection() {
    let (host, other) = pair().await;
    echo(&host);
    let rogue = Rogue::connect(&host).await;
    let name = rogue.name();

    let noise = |seed: u32| {
        let bytes = (1..5000_u32).map(move |i| (i.wrapping_mul(2_654_435_761) >> 13) as u8);
        std::iter::once(200 + seed as u8).chain(bytes).collect()
    };
    let rogue = rogue.send((0..20).map(|seed| -> Vec<u8> { noise(seed) }));

    until("hung up", || !names(&host).contains(&name)).await;
    let answer = other.request(host.local_peer(), frame(1)).await;
    assert_eq!(answer.unwrap(), frame(1));
    rogue.abort();
}

#[tokio::test]
async fn frames_that_are_announced_and_never_come_tie_up_no_room_for_others() {
    let (host, other) = pair().await;
    echo(&host);
    let rogue = Rogue::connect(&host).await;

    // 100 frames of 8 MiB, of which the first bytes come.
    let begun = [&[0, 0, 0x80, 0, 0][..], &[7; 100]].concat();
    let rogue = rogue.send(vec![begun; 100]);

    for size in [1, 100_000, 1_000_000] {
        let answer = other.request(host.local_peer(), frame(size)).await;
        assert!(answer.unwrap() == frame(size));
    }
    rogue.abort();
}

#[tokio::test]
async fn a_second_frame_before_the_reply_to_the_first_costs_its_sender_the_connection() {
    // It answers nothing.
    let host = start(member()).await;
    let rogue = Rogue::connect(&host).await;
    let name = rogue.name();

    let empty = [0; 5];
    let rogue = rogue.send([[empty, empty].concat()]);

    until("hung up", || !names(&host).contains(&name)).await;
    rogue.abort();
}

#[tokio::test]
async fn what_a_peer_says_unasked_is_taken_for_no_reply() {
    let host = start(member()).await;
    let rogue = Rogue::connect(&host).await;
    let name = rogue.name();
    let rogue = rogue.answer(b"\0\0\0\0\x03yes\0\0\0\0\x03lie");

    for _ in 0..3 {
        assert_eq!(host.request(name, frame(10)).await.unwrap(), "yes");
    }
    rogue.abort();
}

#[tokio::test]
async fn a_reply_that_is_none_costs_its_sender_the_connection() {
    let unknown = b"\x09\0\0\0\0";
    let refusal_with_something_in_it = b"\x02\0\0\0\x03why";
    for reply in [&unknown[..], refusal_with_something_in_it] {
        let host = start(member()).await;
        let rogue = Rogue::connect(&host).await;
        let name = rogue.name();
        let rogue = rogue.answer(reply);

        let outcome = host.request(name, frame(10)).await;

        assert_eq!(outcome, Err(TransportError::Declined));
        until("hung up", || !names(&host).contains(&name)).await;
        rogue.abort();
    }
}

/// A way to `to` that can be told to pass on nothing more that comes from there.
pub(crate) async fn valve(to: SocketAddr) -> (SocketAddr, Arc<AtomicBool>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let place = listener.local_addr().unwrap();
    let shut = Arc::new(AtomicBool::new(false));
    let valve = Arc::clone(&shut);
    tokio::spawn(async move {
        while let Ok((inner, _)) = listener.accept().await {
            let (mut from, mut into) = inner.into_split();
            let (mut back, mut there) = TcpStream::connect(to).await.unwrap().into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from, &mut there).await });
            let valve = Arc::clone(&valve);
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                while let Ok(read @ 1..) = back.read(&mut buffer).await {
                    if valve.load(Ordering::Relaxed) {
                        // Reads nothing more, and does not hang up.
                        return std::future::pending::<()>().await;
                    }
                    let _ = into.write_all(&buffer[..read]).await;
                }
            });
        }
    });
    (place, shut)
}

#[tokio::test]
async fn a_peer_that_reads_nothing_costs_the_others_nothing() {
    let mut config = member();
    config.limits.deadline = Duration::from_secs(2);
    let host = start(config).await;
    let helpful = start(member_knowing(&[&host])).await;
    let (place, shut) = valve(socket_address(&address(&host))).await;
    let mut config = member();
    // There is no other way to it, and once it is gone it stays away.
    config.listen.clear();
    config.redial = Redial {
        first: Duration::from_secs(3600),
        longest: Duration::from_secs(3600),
    };
    config.bootstrap.push(multiaddr(place));
    let deaf = start(config).await;
    connected(&host, &helpful).await;
    connected(&host, &deaf).await;
    echo(&helpful);
    echo(&deaf);
    shut.store(true, Ordering::Relaxed);

    let large = frame(4 * 1024 * 1024);
    let to_deaf = futures::future::join_all((0..64).map(|_| {
        let frame = large.clone();
        host.request(deaf.local_peer(), frame)
    }));
    let to_helpful = async {
        for _ in 0..20 {
            let answer = host.request(helpful.local_peer(), large.clone()).await;
            assert!(answer.unwrap() == large);
        }
    };
    let (lost, ()) = soon("both", async { tokio::join!(to_deaf, to_helpful) }).await;

    assert!(
        lost.iter()
            .all(|outcome| matches!(outcome, Err(TransportError::Timeout | TransportError::Busy))),
        "{lost:?}"
    );
    let busy = host.request(deaf.local_peer(), frame(1)).await;
    assert!(busy.is_err());
    // Although all that waits to be sent to it leaves no room for a goodbye.
    until("it is gone", || !sees(&host, &deaf)).await;
    assert!(sees(&host, &helpful));
}

#[tokio::test]
async fn who_asks_more_than_a_peer_may_is_told_so_and_the_others_are_answered() {
    let mut config = member();
    config.limits.requests_per_second = 2;
    let host = start(config).await;
    let wild = start(member_knowing(&[&host])).await;
    let calm = start(member_knowing(&[&host])).await;
    connected(&host, &wild).await;
    connected(&host, &calm).await;
    echo(&host);

    let to = host.local_peer();
    let asked = (0..40).map(|_| wild.request(to, frame(1)));
    let outcomes = soon("outcomes", futures::future::join_all(asked)).await;
    let answer = calm.request(to, frame(1)).await;

    assert!(outcomes.contains(&Err(TransportError::Busy)));
    assert!(outcomes.contains(&Ok(frame(1))));
    assert_eq!(answer.unwrap(), frame(1));
}
