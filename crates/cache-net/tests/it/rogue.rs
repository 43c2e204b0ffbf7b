//! A member that does not play by the rules: it holds the secret, and writes what it likes.
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions only"
)]

use std::io;
use std::time::Duration;

use bytes::Bytes;
use cache_net::P2p;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::request_response::{self, Codec, Event, Message, ProtocolSupport};
use libp2p::swarm::SwarmEvent;
use libp2p::{PeerId, StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};
use tokio::task::JoinHandle;

use crate::fleet::*;

/// Writes bytes where a frame belongs, and reads whatever comes back. Closes each stream after one
/// frame.
#[derive(Clone, Default)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut header = [0; 5];
        io.read_exact(&mut header).await?;
        let [_, length @ ..] = header;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        io.read_exact(&mut frame).await?;
        Ok(frame.into())
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut all = Vec::new();
        io.read_to_end(&mut all).await?;
        Ok(all)
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Bytes,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bytes).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bytes).await
    }
}

/// A rogue that is connected to `host`.
pub(crate) struct Rogue {
    swarm: Swarm<request_response::Behaviour<Raw>>,
    host: PeerId,
}

impl Rogue {
    /// Returns once the host lists it among its peers.
    pub(crate) async fn connect(to: &P2p) -> Self {
        let members = |key: &libp2p::identity::Keypair| {
            noise::Config::new(key).map(|noise| noise.with_prologue(SECRET.to_vec()))
        };
        let mut swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(tcp::Config::default(), members, yamux::Config::default)
            .unwrap()
            .with_behaviour(|_| {
                let frames = StreamProtocol::new("/ghmesh/frame/1");
                request_response::Behaviour::<Raw>::new(
                    [(frames, ProtocolSupport::Full)],
                    request_response::Config::default()
                        .with_request_timeout(Duration::from_secs(3600))
                        .with_max_concurrent_streams(512),
                )
            })
            .unwrap()
            .with_swarm_config(|config| {
                config.with_idle_connection_timeout(Duration::from_secs(3600))
            })
            .build();
        swarm.dial(address(to)).unwrap();
        let host = loop {
            if let SwarmEvent::ConnectionEstablished { peer_id, .. } =
                swarm.select_next_some().await
            {
                break peer_id;
            }
        };
        let rogue = Self { swarm, host };
        until("connected", || names(to).contains(&rogue.name())).await;
        rogue
    }

    /// Its name, as the host's peers show it.
    pub(crate) fn name(&self) -> cache_core::PeerId {
        cache_core::PeerId::from_bytes(&self.swarm.local_peer_id().to_bytes()).unwrap()
    }

    /// Answers each frame with these bytes, until it is dropped.
    pub(crate) fn answer(mut self, reply: &'static [u8]) -> JoinHandle<()> {
        tokio::spawn(async move {
            loop {
                let event = self.swarm.select_next_some().await;
                if let SwarmEvent::Behaviour(Event::Message {
                    message: Message::Request { channel, .. },
                    ..
                }) = event
                {
                    let frames = self.swarm.behaviour_mut();
                    frames.send_response(channel, reply.to_vec()).unwrap();
                }
            }
        })
    }

    /// Sends each of these on a stream of its own, and goes on until it is dropped.
    pub(crate) fn send(
        mut self,
        streams: impl IntoIterator<Item = impl Into<Bytes>>,
    ) -> JoinHandle<()> {
        for bytes in streams {
            let frames = self.swarm.behaviour_mut();
            frames.send_request(&self.host, bytes.into());
        }
        tokio::spawn(async move {
            loop {
                self.swarm.select_next_some().await;
            }
        })
    }
}
