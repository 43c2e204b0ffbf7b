//! A transport of your own: frames over TCP, to peers that are known by address.
//!
//! It opens a connection for each frame and trusts whoever connects. For peers that find each
//! other, over connections that stay, see `cache-net`; for secrecy, wrap it in
//! `cache_crypto::Sealed`.
//!
//! ```sh
//! cargo run -p cache-core --example own_transport
//! ```

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    Cache, Delivery, Direction, Event, FrameKind, Inbound, Key, Lifetime, MAX_FRAME, PeerId,
    PeerInfo, Replier, Transport, TransportError,
};
use futures::future::join_all;
use futures::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

const DEADLINE: Duration = Duration::from_secs(5);

struct Tcp {
    local: PeerId,
    listener: TcpListener,
    peers: Vec<(PeerId, SocketAddr)>,
}

#[async_trait]
impl Transport for Tcp {
    fn local_peer(&self) -> PeerId {
        self.local
    }

    fn peers(&self) -> Vec<PeerInfo> {
        let peers = self.peers.iter();
        let info = peers.map(|(peer, _)| PeerInfo::new(*peer, Direction::Outbound));
        info.collect()
    }

    async fn request(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        let unreachable = || TransportError::Unreachable(to);
        let known = self.peers.iter().find(|(peer, _)| *peer == to);
        let (_, address) = known.ok_or_else(unreachable)?;
        let reply = self.exchange(*address, FrameKind::Request, frame).await;
        reply.map_err(|_| unreachable())
    }

    async fn broadcast(&self, frame: Bytes) -> Result<Delivery, TransportError> {
        let send = self.peers.iter().map(async |(peer, address)| {
            let reply = self.exchange(*address, FrameKind::Broadcast, frame.clone());
            (*peer, reply.await)
        });
        let mut delivery = Delivery::default();
        for (peer, reply) in join_all(send).await {
            match reply {
                Ok(_) => delivery.acked.push(peer),
                Err(_) => delivery.failed.push(peer),
            }
        }
        Ok(delivery)
    }

    async fn accept(&self) -> Option<Inbound> {
        loop {
            let (stream, _) = self.listener.accept().await.ok()?;
            // Who sends nonsense, or nothing, is hung up on.
            if let Ok(Ok(inbound)) = timeout(DEADLINE, receive(stream)).await {
                return Some(inbound);
            }
        }
    }

    async fn close(&self) {}
}

impl Tcp {
    async fn exchange(&self, to: SocketAddr, kind: FrameKind, frame: Bytes) -> io::Result<Bytes> {
        let exchange = async {
            let mut stream = parts(TcpStream::connect(to).await?);
            let from = Bytes::copy_from_slice(self.local.as_bytes());
            for part in [from, Bytes::from(vec![kind as u8]), frame] {
                stream.send(part).await?;
            }
            next(&mut stream).await
        };
        timeout(DEADLINE, exchange).await?
    }
}

async fn receive(stream: TcpStream) -> io::Result<Inbound> {
    let mut stream = parts(stream);
    let from = PeerId::from_bytes(&next(&mut stream).await?).map_err(io::Error::other)?;
    let kind = match next(&mut stream).await?[..] {
        [0] => FrameKind::Request,
        _ => FrameKind::Broadcast,
    };
    let frame = next(&mut stream).await?;
    let (reply, replied) = Replier::new();
    // Where there is no reply the stream is closed, and that says so.
    tokio::spawn(async move { stream.send(replied.await.ok()?).await.ok() });
    Ok(Inbound {
        from,
        kind,
        frame,
        reply,
    })
}

/// A stream of parts, each behind its length.
fn parts(stream: TcpStream) -> Framed<TcpStream, LengthDelimitedCodec> {
    let mut parts = LengthDelimitedCodec::builder();
    parts.max_frame_length(MAX_FRAME).new_framed(stream)
}

async fn next(stream: &mut Framed<TcpStream, LengthDelimitedCodec>) -> io::Result<Bytes> {
    let part = stream.next().await.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(part?.freeze())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let names = [PeerId::from_bytes(b"one")?, PeerId::from_bytes(b"two")?];
    let one = TcpListener::bind("127.0.0.1:0").await?;
    let two = TcpListener::bind("127.0.0.1:0").await?;
    let addresses = [one.local_addr()?, two.local_addr()?];
    let start = |local: usize, listener| {
        let peer = 1 - local;
        let transport = Tcp {
            local: names[local],
            listener,
            peers: vec![(names[peer], addresses[peer])],
        };
        Cache::builder().transport(transport).build()
    };
    let (one, two) = (start(0, one), start(1, two));

    let mut arrivals = two.subscribe();
    let key = Key::public(["greeting"]);
    let lifetime = Lifetime::fresh_for(Duration::from_secs(60));
    one.put(key, "hello over TCP".into(), lifetime);
    if let Some(Event::Kept { key, .. }) = arrivals.next().await
        && let Some(entry) = two.get(&key).await
    {
        println!("two has {:?}, from {}", entry.value(), addresses[0]);
    }
    one.close().await;
    println!("{} peer has confirmed it", one.stats().broadcast.acked);
    Ok(())
}
