//! The other side's frames, answered one after the other on each of its streams.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use libp2p::{PeerId, Stream};
use tokio::time::timeout;

use super::Carried;
use super::codec::{Codec, ProtocolError};
use crate::identity::name;
use crate::intake::Intake;
use crate::shunned::{Offence, Shunned};

/// What it takes to answer.
pub(crate) struct Answering {
    codec: Codec,
    intake: Arc<Intake>,
    shunned: Arc<Shunned>,
    deadline: Duration,
}

impl Answering {
    /// Reads each frame, and writes each reply, within the deadline.
    pub(crate) fn new(
        codec: Codec,
        intake: Arc<Intake>,
        shunned: Arc<Shunned>,
        deadline: Duration,
    ) -> Self {
        Self {
            codec,
            intake,
            shunned,
            deadline,
        }
    }

    /// Answers what comes on a stream until it ends.
    pub(super) async fn answer_all(self: Arc<Self>, from: PeerId, mut stream: Stream) {
        if let Err(error) = self.try_answer_all(&from, &mut stream).await {
            tracing::debug!(peer = %from, %error, "a peer's frame was not answered");
            if ProtocolError::is_offence(&error) {
                self.shunned.shun(name(&from), Offence::Protocol);
            }
        }
    }

    async fn try_answer_all(&self, from: &PeerId, stream: &mut Stream) -> io::Result<()> {
        let mut carried = Carried::default();
        while !carried.is_too_much() {
            // It may be long until there is something to ask.
            let Some(kind) = self.codec.read_kind(stream).await? else {
                return Ok(());
            };
            let frame = timeout(self.deadline, self.codec.read_payload(stream)).await??;
            let frame_len = frame.len();
            let reply = pin!(self.intake.answer(from, kind, frame));
            let reply = match select(reply, pin!(given_up(stream))).await {
                Either::Left((reply, _)) => reply,
                Either::Right((given_up, _)) => return given_up,
            };
            carried.add(frame_len, reply.len());
            timeout(self.deadline, self.codec.write_reply(stream, &reply)).await??;
        }
        timeout(self.deadline, stream.close()).await?
    }
}

/// Ends when the peer no longer waits for a reply; fails where it does something else than wait.
async fn given_up(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    match stream.read(&mut [0]).await? {
        0 => Ok(()),
        _ => Err(ProtocolError::OutOfTurn.into()),
    }
}
