//! A peer that the test plays.

use std::future;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::wire::Message;
use cache_core::{
    Delivery, FrameKind, Inbound, PeerId, PeerInfo, Replier, Transport, TransportError,
};
use tokio::sync::{Mutex, mpsc};

/// The way to a cache, for frames that a peer sends it.
pub(crate) struct Peer {
    id: PeerId,
    to_cache: mpsc::Sender<Inbound>,
}

/// The cache's end.
pub(crate) struct ToPeer(Mutex<mpsc::Receiver<Inbound>>);

impl Peer {
    /// A peer of this name, and the transport for the cache that hears it.
    pub(crate) fn new(name: &str) -> (Self, ToPeer) {
        let (to_cache, inbox) = mpsc::channel(1);
        let id = PeerId::from_bytes(name.as_bytes()).unwrap();
        (Self { id, to_cache }, ToPeer(Mutex::new(inbox)))
    }

    pub(crate) fn id(&self) -> PeerId {
        self.id
    }

    /// Tells the cache something; returns once it has been acknowledged.
    pub(crate) async fn tell(&self, message: &Message) {
        let (reply, replied) = Replier::new();
        let inbound = Inbound {
            from: self.id,
            kind: FrameKind::Broadcast,
            frame: message.encode().unwrap(),
            reply,
        };
        self.to_cache.send(inbound).await.unwrap();
        let reply = replied.await.unwrap();
        assert_eq!(Message::decode(&reply), Ok(Message::Ack));
    }
}

#[async_trait]
impl Transport for ToPeer {
    fn local_peer(&self) -> PeerId {
        PeerId::LOCAL
    }

    fn peers(&self) -> Vec<PeerInfo> {
        Vec::new()
    }

    async fn request(&self, to: PeerId, _: Bytes) -> Result<Bytes, TransportError> {
        Err(TransportError::Unreachable(to))
    }

    async fn broadcast(&self, _: Bytes) -> Result<Delivery, TransportError> {
        Ok(Delivery::default())
    }

    async fn accept(&self) -> Option<Inbound> {
        match self.0.lock().await.recv().await {
            Some(inbound) => Some(inbound),
            None => future::pending().await,
        }
    }

    async fn close(&self) {}
}
