//! A transport whose frames are sealed.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    Delivery, FrameKind, Inbound, Misconduct, OpenError, PeerId, PeerInfo, Purpose, Sealer,
    Transport, TransportError,
};

mod unopened;

use unopened::Record;
pub use unopened::Unopened;

/// Seals everything that goes out through a transport, and lets in only what opens.
///
/// A request is sealed as a request and its reply opened as the reply to exactly this one; a
/// broadcast is sealed once for everybody, and acknowledged by an empty frame. What comes in and
/// does not open is dropped, [counted](Self::unopened) and [reported](Transport::report) to the
/// transport, which may part with the peer; the peer sees [`TransportError::Declined`], and nothing
/// above this point ever sees the frame.
///
/// Sealing and opening are done in the caller's task: a frame that comes in is opened by who calls
/// [`accept`](Transport::accept), a reply is sealed by who sends it. So the transport's own tasks
/// never compute, however large the frame.
pub struct Sealed<T> {
    transport: T,
    sealer: Arc<dyn Sealer>,
    unopened: Record,
}

impl<T: Transport> Sealed<T> {
    /// Seals what goes through `transport`.
    pub fn new(transport: T, sealer: Arc<dyn Sealer>) -> Self {
        Self {
            transport,
            sealer,
            unopened: Record::default(),
        }
    }

    /// What carries the frames. Nothing that goes through it directly is sealed.
    pub const fn transport(&self) -> &T {
        &self.transport
    }

    /// How many frames and replies have come in that did not open.
    pub fn unopened(&self) -> Unopened {
        self.unopened.counts()
    }

    /// Takes note that something from a peer does not open.
    fn refuse(&self, from: PeerId, misconduct: Misconduct) {
        self.unopened.count(from, misconduct);
        self.transport.report(from, misconduct);
    }

    fn open(&self, inbound: Inbound) -> Option<Inbound> {
        let Inbound {
            from,
            kind,
            frame: sealed,
            reply,
        } = inbound;
        let (opened, reply) = match kind {
            FrameKind::Request => {
                let opened = self.sealer.open(Purpose::Request, sealed.clone());
                let sealer = Arc::clone(&self.sealer);
                let seal = move |reply: Bytes| seal_reply(&*sealer, &sealed, &reply);
                (opened, reply.map(seal))
            }
            FrameKind::Broadcast => {
                let opened = self.sealer.open(Purpose::Broadcast, sealed);
                // That it has come is all that an acknowledgement tells; nobody opens it.
                (opened, reply.map(|_| Some(Bytes::new())))
            }
        };
        match opened {
            Ok(frame) => Some(Inbound {
                from,
                kind,
                frame,
                reply,
            }),
            Err(OpenError(misconduct)) => {
                self.refuse(from, misconduct);
                None
            }
        }
    }
}

fn seal_reply(sealer: &dyn Sealer, asked: &[u8], reply: &[u8]) -> Option<Bytes> {
    let sealed = sealer.seal(Purpose::Reply { to: asked }, reply);
    sealed
        .inspect_err(|error| tracing::warn!(%error, "a reply could not be sealed"))
        .ok()
}

#[async_trait]
impl<T: Transport> Transport for Sealed<T> {
    fn local_peer(&self) -> PeerId {
        self.transport.local_peer()
    }

    fn peers(&self) -> Vec<PeerInfo> {
        self.transport.peers()
    }

    async fn request(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        let asked = self.sealer.seal(Purpose::Request, &frame)?;
        drop(frame);
        let reply = self.transport.request(to, asked.clone()).await?;
        self.sealer
            .open(Purpose::Reply { to: &asked }, reply)
            .map_err(|OpenError(misconduct)| {
                self.refuse(to, misconduct);
                TransportError::Unopened
            })
    }

    async fn broadcast(&self, frame: Bytes) -> Result<Delivery, TransportError> {
        let sealed = self.sealer.seal(Purpose::Broadcast, &frame)?;
        drop(frame);
        self.transport.broadcast(sealed).await
    }

    async fn accept(&self) -> Option<Inbound> {
        loop {
            // Nothing is awaited after this, so a cancelled call has taken no frame.
            let inbound = self.transport.accept().await?;
            if let Some(opened) = self.open(inbound) {
                return Some(opened);
            }
        }
    }

    fn report(&self, peer: PeerId, misconduct: Misconduct) {
        self.transport.report(peer, misconduct);
    }

    async fn close(&self) {
        self.transport.close().await;
    }
}

impl<T: fmt::Debug> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("transport", &self.transport)
            .field("unopened", &self.unopened.counts().total())
            .finish_non_exhaustive()
    }
}
