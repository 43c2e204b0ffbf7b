//! The seam to the network: opaque frames, moved between members.

use std::{fmt, future};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::peer::{PeerId, PeerInfo};

/// The largest frame that a transport has to carry: an entry of 8 MiB, and room for what wraps it.
pub const MAX_FRAME: usize = 8 * 1024 * 1024 + 64 * 1024;

/// Moves opaque frames between members.
///
/// A transport knows nothing of what it carries. It may lose, delay, repeat and reorder frames;
/// what it must not do is alter them, or keep a caller waiting without bound: every
/// [`request`](Self::request) and [`broadcast`](Self::broadcast) ends within a deadline of the
/// transport's own.
///
/// An error is always a safe answer. The cache above treats it as if the peer were not there.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Our own name.
    fn local_peer(&self) -> PeerId;

    /// The peers that we are connected to at this moment.
    fn peers(&self) -> Vec<PeerInfo>;

    /// Sends `frame` to one peer and waits for its reply.
    async fn request(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError>;

    /// Sends `frame` to every peer, and tells who has acknowledged it. In a large fleet it may be
    /// published instead, and passed on by who gets it.
    ///
    /// Having no peers is not an error: nobody had to be told.
    async fn broadcast(&self, frame: Bytes) -> Result<Delivery, TransportError>;

    /// The next frame from a peer; `None` once the transport is closed.
    ///
    /// Frames are queued in a bounded queue until they are accepted. Cancelling the call loses
    /// nothing.
    ///
    /// A broadcast that was published is passed on to others when it is
    /// [answered](Replier::send), and not where the replier is dropped. Then
    /// [`from`](Inbound::from) is who has passed it on to us, and who answers for it where it is
    /// [reported](Self::report): whoever passes a frame on has taken it himself.
    async fn accept(&self) -> Option<Inbound>;

    /// Takes note of what a peer has done that no member in good order does, so that the transport
    /// can part with it. It is told of each case, and may forget all of them: who reports goes on
    /// as if the frame had never come.
    fn report(&self, peer: PeerId, misconduct: Misconduct) {
        let _ = (peer, misconduct);
    }

    /// Says goodbye to the peers and stops. What is called afterwards fails with
    /// [`TransportError::Closed`].
    async fn close(&self);
}

/// Whom a broadcast has reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Peers that have confirmed the frame.
    pub acked: Vec<PeerId>,
    /// Peers to which it was published, by us or by way of others: they get it unless it is lost,
    /// and do not confirm it. Members that are not connected to us may get it as well.
    pub published: Vec<PeerId>,
    /// Peers that have not confirmed it, whether or not it was sent to them.
    pub failed: Vec<PeerId>,
}

/// A frame from a peer. `Debug` shows its length and not what is in it, which may be an opened body.
pub struct Inbound {
    /// Who sent it.
    pub from: PeerId,
    /// How it was sent.
    pub kind: FrameKind,
    /// What was sent.
    pub frame: Bytes,
    /// The way back.
    pub reply: Replier,
}

/// What a peer has sent that is of no use: it does not [open](crate::Sealer::open), as far as can be
/// told from the outside, or it opens and is nothing.
///
/// Only [`Undecodable`](Self::Undecodable) is proof of anything: a frame carries the name of its
/// secret and its version in clear, and whoever passes it on can alter both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Misconduct {
    /// Nothing that was ever sealed: too short, or longer than a frame may be.
    Malformed,
    /// Sealed in a version that we do not speak. One side has to be upgraded.
    OtherVersion,
    /// Sealed under a secret that we do not have. A member that is ahead of us in a change of
    /// secrets does this as well, so it is no reason to break with a peer.
    OtherSecret,
    /// Names a secret of ours and does not open: forged, altered, or sent as something else than
    /// it was sealed for. No member in good order sends this.
    Forged,
    /// Opens, so that a member has sealed it, and is no message of any version. No member in good
    /// order sends this.
    Undecodable,
}

/// How a frame was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// To one peer, by [`Transport::request`].
    Request,
    /// To all peers, by [`Transport::broadcast`].
    Broadcast,
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound")
            .field("from", &self.from)
            .field("kind", &self.kind)
            .field("len", &self.frame.len())
            .field("reply", &self.reply)
            .finish()
    }
}

/// Answers one inbound frame. To a broadcast the answer is the acknowledgement, or what has it
/// passed on, and what is in it is not looked at.
///
/// Dropping it without an answer tells the peer that there will be none.
pub struct Replier(Option<Box<dyn FnOnce(Bytes) + Send + Sync>>);

impl Replier {
    /// A replier, and the end at which the transport waits for the reply.
    pub fn new() -> (Self, oneshot::Receiver<Bytes>) {
        let (reply, replied) = oneshot::channel();
        let send = move |bytes| {
            // The peer may have given up meanwhile; there is nobody left to tell.
            let _ = reply.send(bytes);
        };
        (Self(Some(Box::new(send))), replied)
    }

    /// For frames that nobody awaits a reply to.
    pub const fn nobody() -> Self {
        Self(None)
    }

    /// Passes the reply through `wrap` on its way, in the task that [sends](Self::send) it.
    /// Where `wrap` gives nothing back, the peer is told that there is no answer.
    ///
    /// This is how a decorator of a [`Transport`] alters replies without a task of its own.
    ///
    /// ```
    /// use cache_core::Replier;
    ///
    /// let (replier, mut replied) = Replier::new();
    /// let replier = replier.map(|reply| Some(reply.to_ascii_uppercase().into()));
    /// replier.send("yes".into());
    /// assert_eq!(replied.try_recv()?, "YES");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn map<F>(self, wrap: F) -> Self
    where
        F: FnOnce(Bytes) -> Option<Bytes> + Send + Sync + 'static,
    {
        let Some(send) = self.0 else {
            return Self(None);
        };
        Self(Some(Box::new(move |reply| {
            if let Some(wrapped) = wrap(reply) {
                send(wrapped);
            }
        })))
    }

    /// Whether somebody is waiting for the reply.
    pub const fn is_awaited(&self) -> bool {
        self.0.is_some()
    }

    /// Sends the reply. A peer that has stopped waiting is not an error.
    pub fn send(self, reply: Bytes) {
        if let Some(send) = self.0 {
            send(reply);
        }
    }
}

impl fmt::Debug for Replier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replier")
            .field("awaited", &self.is_awaited())
            .finish()
    }
}

/// Why a frame did not get through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// There is no way to this peer now. Another one may be asked at once.
    #[error("peer {0} is not reachable")]
    Unreachable(PeerId),
    /// The peer did not answer within the transport's deadline. It may have got the frame.
    #[error("no answer from the peer in time")]
    Timeout,
    /// The frame must not be sent again: it is over the limit.
    #[error("a frame of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// The frame's length in bytes.
        size: usize,
        /// The longest that is carried.
        limit: usize,
    },
    /// Too much is under way already. The same frame may be sent again later.
    #[error("too many requests to the peer are under way")]
    Busy,
    /// The peer got the frame and would not answer it.
    #[error("the peer declined to answer")]
    Declined,
    /// The frame could not be sealed, so it was not sent.
    #[error("the frame cannot be sealed: {0}")]
    Unsealed(#[from] crate::sealer::SealError),
    /// What came back does not open under the fleet's key. It was not looked at.
    #[error("the reply does not open")]
    Unopened,
    /// This transport is closed; it will carry nothing more.
    #[error("the transport is closed")]
    Closed,
}

/// A transport for a cache that shares with nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTransport;

#[async_trait]
impl Transport for NoTransport {
    fn local_peer(&self) -> PeerId {
        PeerId::LOCAL
    }

    fn peers(&self) -> Vec<PeerInfo> {
        Vec::new()
    }

    async fn request(&self, to: PeerId, _frame: Bytes) -> Result<Bytes, TransportError> {
        Err(TransportError::Unreachable(to))
    }

    async fn broadcast(&self, _frame: Bytes) -> Result<Delivery, TransportError> {
        Ok(Delivery::default())
    }

    async fn accept(&self) -> Option<Inbound> {
        future::pending().await
    }

    async fn close(&self) {}
}

#[async_trait]
impl<T: Transport + ?Sized> Transport for std::sync::Arc<T> {
    fn local_peer(&self) -> PeerId {
        (**self).local_peer()
    }

    fn peers(&self) -> Vec<PeerInfo> {
        (**self).peers()
    }

    async fn request(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        (**self).request(to, frame).await
    }

    async fn broadcast(&self, frame: Bytes) -> Result<Delivery, TransportError> {
        (**self).broadcast(frame).await
    }

    async fn accept(&self) -> Option<Inbound> {
        (**self).accept().await
    }

    fn report(&self, peer: PeerId, misconduct: Misconduct) {
        (**self).report(peer, misconduct);
    }

    async fn close(&self) {
        (**self).close().await;
    }
}
