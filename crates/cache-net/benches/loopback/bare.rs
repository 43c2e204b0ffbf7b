//! libp2p's request-response and nothing around it: one task for each of two swarms.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::request_response::{self, Codec, Event, Message, ProtocolSupport};
use libp2p::swarm::{self, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, Transport, noise, tcp, yamux};
use tokio::sync::{mpsc, oneshot};

/// A frame, and where its echo is awaited.
type Asked = (Bytes, oneshot::Sender<Bytes>);

/// Somebody who can ask a peer.
pub(crate) struct Asker(mpsc::Sender<Asked>);

impl Asker {
    /// Connects two swarms.
    pub(crate) async fn connected() -> Self {
        let mut answerer = swarm();
        answerer
            .listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap())
            .unwrap();
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = answerer.select_next_some().await {
                break address;
            }
        };
        let peer = *answerer.local_peer_id();
        tokio::spawn(answer(answerer));
        let (asked, asks) = mpsc::channel(8);
        let (connected, is_connected) = oneshot::channel();
        tokio::spawn(ask(swarm(), peer, address, asks, connected));
        is_connected.await.unwrap();
        Self(asked)
    }

    pub(crate) async fn request(&self, frame: Bytes) -> Bytes {
        let (answer, answered) = oneshot::channel();
        self.0.send((frame, answer)).await.unwrap();
        answered.await.unwrap()
    }
}

fn swarm() -> Swarm<request_response::Behaviour<Echo>> {
    let keypair = Keypair::generate_ed25519();
    let transport = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(&keypair).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let protocol = [(StreamProtocol::new("/bare/echo/1"), ProtocolSupport::Full)];
    let behaviour = request_response::Behaviour::with_codec(
        Echo,
        protocol,
        request_response::Config::default(),
    );
    let config = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(Duration::from_secs(3600))
        .with_substream_upgrade_protocol_override(Version::V1Lazy);
    Swarm::new(transport, behaviour, keypair.public().to_peer_id(), config)
}

async fn answer(mut swarm: Swarm<request_response::Behaviour<Echo>>) {
    loop {
        if let SwarmEvent::Behaviour(Event::Message {
            message: Message::Request {
                request, channel, ..
            },
            ..
        }) = swarm.select_next_some().await
        {
            swarm
                .behaviour_mut()
                .send_response(channel, request)
                .unwrap();
        }
    }
}

async fn ask(
    mut swarm: Swarm<request_response::Behaviour<Echo>>,
    peer: PeerId,
    address: Multiaddr,
    mut asks: mpsc::Receiver<Asked>,
    connected: oneshot::Sender<()>,
) {
    swarm.dial(address).unwrap();
    while !swarm.is_connected(&peer) {
        swarm.select_next_some().await;
    }
    connected.send(()).unwrap();
    let mut waiting = None;
    loop {
        tokio::select! {
            asked = asks.recv() => {
                let Some((frame, answer)) = asked else { return };
                swarm.behaviour_mut().send_request(&peer, frame);
                waiting = Some(answer);
            }
            event = swarm.select_next_some() => {
                if let SwarmEvent::Behaviour(Event::Message {
                    message: Message::Response { response, .. },
                    ..
                }) = event
                {
                    let answer: oneshot::Sender<Bytes> = waiting.take().unwrap();
                    answer.send(response).unwrap();
                }
            }
        }
    }
}

/// A length, and as many bytes.
#[derive(Clone)]
struct Echo;

impl Codec for Echo {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Bytes;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        frame: Bytes,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &frame).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        frame: Bytes,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &frame).await
    }
}

async fn read(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    io.read_exact(&mut frame).await?;
    Ok(frame.into())
}

async fn write(io: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
    io.write_all(&[&length, frame].concat()).await
}
