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
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

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
        let unreachable = TransportError::Unreachable(to);
        let known = self.peers.iter().find(|(peer, _)| *peer == to);
        let (_, address) = known.ok_or(unreachable.clone())?;
        let reply = exchange(*address, &self.local, FrameKind::Request, &frame).await;
        reply.map_err(|_| unreachable)
    }

    async fn broadcast(&self, frame: Bytes) -> Result<Delivery, TransportError> {
        let send = async |&(peer, address)| {
            let reply = exchange(address, &self.local, FrameKind::Broadcast, &frame).await;
            (peer, reply.is_ok())
        };
        let mut sent: FuturesUnordered<_> = self.peers.iter().map(send).collect();
        let mut delivery = Delivery::default();
        while let Some((peer, is_acked)) = sent.next().await {
            let list = if is_acked {
                &mut delivery.acked
            } else {
                &mut delivery.failed
            };
            list.push(peer);
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

async fn exchange(
    to: SocketAddr,
    from: &PeerId,
    kind: FrameKind,
    frame: &[u8],
) -> io::Result<Bytes> {
    let exchange = async {
        let mut stream = TcpStream::connect(to).await?;
        for part in [from.as_bytes(), &[kind as u8], frame] {
            write(&mut stream, part).await?;
        }
        read(&mut stream).await
    };
    timeout(DEADLINE, exchange).await?
}

async fn receive(mut stream: TcpStream) -> io::Result<Inbound> {
    let from = PeerId::from_bytes(&read(&mut stream).await?).map_err(io::Error::other)?;
    let kind = match read(&mut stream).await?[..] {
        [0] => FrameKind::Request,
        _ => FrameKind::Broadcast,
    };
    let frame = read(&mut stream).await?;
    let (reply, replied) = Replier::new();
    // Where there is no reply the stream is closed, and that says so.
    tokio::spawn(async move { write(&mut stream, &replied.await.ok()?).await.ok() });
    Ok(Inbound {
        from,
        kind,
        frame,
        reply,
    })
}

async fn write(stream: &mut TcpStream, part: &[u8]) -> io::Result<()> {
    stream.write_u32(part.len() as u32).await?;
    stream.write_all(part).await
}

async fn read(stream: &mut TcpStream) -> io::Result<Bytes> {
    let len = stream.read_u32().await? as usize;
    if len > MAX_FRAME {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut part = vec![0; len];
    stream.read_exact(&mut part).await?;
    Ok(part.into())
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
