//! The peers that can be counted on: those that have not said goodbye.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::peer::{PeerId, PeerInfo};
use crate::replica::Replica;
use crate::transport::{Delivery, Inbound, Misconduct, Transport, TransportError};

/// A transport that does not show the peers that have said goodbye, although they are still
/// connected: nobody is to ask them for anything, or to wait for them.
pub(crate) struct Staying {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) replica: Arc<Replica>,
}

#[async_trait]
impl Transport for Staying {
    fn local_peer(&self) -> PeerId {
        self.transport.local_peer()
    }

    fn peers(&self) -> Vec<PeerInfo> {
        let mut peers = self.transport.peers();
        self.replica.members.retain_staying(&mut peers);
        peers
    }

    async fn request(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        self.transport.request(to, frame).await
    }

    async fn broadcast(&self, frame: Bytes) -> Result<Delivery, TransportError> {
        self.transport.broadcast(frame).await
    }

    async fn accept(&self) -> Option<Inbound> {
        self.transport.accept().await
    }

    fn report(&self, peer: PeerId, misconduct: Misconduct) {
        self.transport.report(peer, misconduct);
    }

    async fn close(&self) {
        self.transport.close().await;
    }
}
