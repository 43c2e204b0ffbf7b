//! Our side: who asks takes a stream that is free, or has one opened.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cache_core::{FrameKind, TransportError};
use dashmap::DashMap;
use futures::{AsyncReadExt, FutureExt};
use libp2p::swarm::ConnectionId;
use libp2p::{PeerId, Stream};
use tokio::sync::{mpsc, oneshot};

use super::Carried;
use super::codec::{Codec, ProtocolError, Reply};
use crate::identity::name;
use crate::metrics::Counters;
use crate::shunned::{Offence, Shunned};

/// So many streams of a connection are kept while nothing is under way on them.
const MOST_FREE: usize = 16;

/// Where a stream is awaited.
pub(super) type Opening = oneshot::Sender<Stream>;

/// What it takes to ask.
pub(crate) struct Asking {
    codec: Codec,
    shunned: Arc<Shunned>,
    counters: Arc<Counters>,
    /// Direct before relayed, then the oldest first: the first one is kept where others are found
    /// superfluous. Bounded by the swarm's connection limits.
    lines: DashMap<PeerId, Vec<Arc<Line>>>,
    closed: AtomicBool,
}

/// Our end of one connection.
struct Line {
    id: ConnectionId,
    is_relayed: bool,
    openings: mpsc::Sender<Opening>,
    free: Mutex<Vec<Lane>>,
}

/// A stream that nothing is under way on.
struct Lane {
    stream: Stream,
    carried: Carried,
}

impl Asking {
    pub(crate) fn new(codec: Codec, shunned: Arc<Shunned>, counters: Arc<Counters>) -> Self {
        Self {
            codec,
            shunned,
            counters,
            lines: DashMap::new(),
            closed: AtomicBool::new(false),
        }
    }

    /// Sends a frame, and waits for its reply without a deadline. Dropped, it resets the stream.
    ///
    /// Where the connection goes down meanwhile and there is another one, the frame is sent again
    /// over that, and the peer may get it more than once.
    pub(crate) async fn ask(
        &self,
        to: &PeerId,
        kind: FrameKind,
        frame: &[u8],
    ) -> Result<Reply, TransportError> {
        let lines = self.lines.get(to).map(|lines| lines.clone());
        for line in lines.into_iter().flatten() {
            let Some(lane) = line.lane().await else {
                continue;
            };
            let outcome = self.exchange(&line, lane, kind, frame).await;
            if outcome.is_ok() || line.stands().await {
                return outcome.map_err(|error| self.refused(to, &error));
            }
        }
        Err(match self.is_closed() {
            true => TransportError::Closed,
            false => TransportError::Unreachable(name(to)),
        })
    }

    /// One frame and its reply. The stream is kept for the next, unless it fails.
    async fn exchange(
        &self,
        line: &Line,
        mut lane: Lane,
        kind: FrameKind,
        frame: &[u8],
    ) -> io::Result<Reply> {
        let stream = &mut lane.stream;
        let exchanged = async {
            self.codec.write_frame(stream, kind, frame).await?;
            self.counters.bytes_sent.add(frame.len());
            self.codec.read_reply(stream).await
        };
        let reply = tokio::select! {
            biased;
            reply = exchanged => reply?,
            // yamux wakes nobody who reads or writes when it is we who close the connection.
            () = line.openings.closed() => return Err(io::ErrorKind::ConnectionAborted.into()),
        };
        self.counters.bytes_received.add(reply.len());
        lane.carried.add(frame.len(), reply.len());
        line.keep(lane);
        Ok(reply)
    }

    /// Parts with a peer whose part of a stream breaks the protocol.
    fn refused(&self, peer: &PeerId, error: &io::Error) -> TransportError {
        tracing::debug!(%peer, %error, "a frame was not answered");
        if ProtocolError::is_offence(error) {
            self.shunned.shun(name(peer), Offence::Protocol);
        }
        TransportError::Declined
    }

    /// Adds a connection, over which so many frames may be under way. The streams that it is asked
    /// to open come out of the other end.
    pub(super) fn connected(
        &self,
        id: ConnectionId,
        peer: PeerId,
        is_relayed: bool,
        in_flight: usize,
    ) -> mpsc::Receiver<Opening> {
        let (openings, asked) = mpsc::channel(in_flight);
        let line = Line {
            id,
            is_relayed,
            openings,
            free: Mutex::default(),
        };
        let mut lines = self.lines.entry(peer).or_default();
        let before = lines.partition_point(|other| other.is_relayed <= is_relayed);
        lines.insert(before, Arc::new(line));
        asked
    }

    pub(super) fn disconnected(&self, id: ConnectionId, peer: PeerId) {
        self.lines.remove_if_mut(&peer, |_, lines| {
            lines.retain(|line| line.id != id);
            lines.is_empty()
        });
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// From now on nobody is asked any more, and whoever waits for a reply is told why.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.lines.clear();
    }
}

impl Line {
    /// A stream, kept or new; `None` once the connection is gone.
    async fn lane(&self) -> Option<Lane> {
        match self.take() {
            Some(kept) => Some(kept),
            None => self.open().await,
        }
    }

    /// A stream that was kept, and has not ended since.
    fn take(&self) -> Option<Lane> {
        loop {
            let mut lane = self.free().pop()?;
            // Nothing is due before we ask.
            if lane.stream.read(&mut [0]).now_or_never().is_none() {
                return Some(lane);
            }
        }
    }

    /// Keeps a stream for the next frame.
    fn keep(&self, lane: Lane) {
        let mut free = self.free();
        if free.len() < MOST_FREE && !lane.carried.is_too_much() {
            free.push(lane);
        }
    }

    async fn open(&self) -> Option<Lane> {
        let (opening, opened) = oneshot::channel();
        self.openings.send(opening).await.ok()?;
        let stream = opened.await.ok()?;
        Some(Lane {
            stream,
            carried: Carried::default(),
        })
    }

    /// Whether it was only a stream that ended, and not the connection.
    async fn stands(&self) -> bool {
        self.open().await.is_some()
    }

    fn free(&self) -> MutexGuard<'_, Vec<Lane>> {
        // Nothing is left half done where one could panic.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
