//! Frames through the task: ours to libp2p, libp2p's to whoever accepts them.

use std::io;

use cache_core::{FrameKind, Inbound, Replier, TransportError};
use futures::FutureExt;
use libp2p::PeerId;
use libp2p::request_response::{
    Event, InboundFailure, Message, OutboundFailure, OutboundRequestId, ResponseChannel,
};
use tokio::time::{Instant, timeout};

use super::gossip::Judged;
use super::{Outbound, SwarmTask};
use crate::codec::{Frame, ProtocolError, Reply};
use crate::config::Limits;
use crate::identity::name;
use crate::rates::Kind;
use crate::requests::Pending;
use crate::shunned::Offence;

/// What the layer above has made of a frame.
pub(crate) enum Answered {
    /// A request, or a broadcast that its sender awaits the acknowledgement of.
    Frame(PeerId, ReplyChannel, Reply),
    /// A broadcast that was published.
    Gossip(Judged),
}

/// The way back to a peer that awaits a reply.
type ReplyChannel = ResponseChannel<Reply>;

impl SwarmTask {
    pub(super) fn on_answered(&mut self, answered: Answered) {
        match answered {
            Answered::Frame(to, channel, reply) => {
                let reply = self.within_bounds(&to, reply);
                self.reply(channel, reply);
            }
            Answered::Gossip(judged) => self.judged(&judged),
        }
    }

    pub(super) fn send(&mut self, outbound: Outbound) {
        let Outbound {
            to,
            frame,
            answer,
            slot,
        } = outbound;
        if answer.is_closed() {
            // Who wanted it has given up already.
            return;
        }
        // libp2p would dial a peer that is not connected. Ours are dialled by `Bootstrap` only.
        let frames = &mut self.swarm.behaviour_mut().frames;
        if !frames.is_connected(&to) {
            let _ = answer.send(Err(TransportError::Unreachable(name(&to))));
            return;
        }
        self.counters.bytes_sent.add(frame.payload.len());
        let again = frame.clone();
        let id = frames.send_request(&to, frame);
        let overdue = Instant::now() + 2 * self.limits.deadline;
        let pending = Pending {
            to,
            again: Some(again),
            answer,
            overdue,
            slot,
        };
        self.requests.begin(id, pending);
    }

    /// Sends a frame once more that was under way on a connection that is closed, where there is
    /// another one to the same peer. It may have got the frame before.
    fn send_again(&mut self, peer: &PeerId, id: OutboundRequestId) {
        let frames = &mut self.swarm.behaviour_mut().frames;
        if !frames.is_connected(peer) {
            return;
        }
        if let Some((pending, frame)) = self.requests.again(id) {
            let id = frames.send_request(peer, frame);
            self.requests.begin(id, pending);
        }
    }

    pub(super) fn on_frames(&mut self, event: Event<Frame, Reply>) {
        match event {
            Event::Message { peer, message, .. } => {
                self.roster.heard(&peer);
                self.on_message(peer, message);
            }
            Event::OutboundFailure {
                peer,
                request_id,
                error,
                ..
            } => {
                tracing::debug!(%peer, %error, "a frame was not answered");
                if let OutboundFailure::Io(error) = &error {
                    self.judge(&peer, error);
                }
                if matches!(error, OutboundFailure::ConnectionClosed) {
                    self.send_again(&peer, request_id);
                }
                self.requests
                    .end(request_id, Err(outbound_error(&peer, &error)));
            }
            Event::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a peer's frame was not answered");
                if let InboundFailure::Io(error) = &error {
                    self.judge(&peer, error);
                }
            }
            Event::ResponseSent { .. } => {}
        }
    }

    /// Parts with a peer whose part of a stream breaks the protocol.
    fn judge(&mut self, peer: &PeerId, error: &io::Error) {
        if ProtocolError::is_offence(error) {
            self.shunned.shun(name(peer), Offence::Protocol);
        }
    }

    fn on_message(&mut self, peer: PeerId, message: Message<Frame, Reply>) {
        match message {
            Message::Request {
                request, channel, ..
            } => self.receive(peer, request, channel),
            Message::Response {
                request_id,
                response,
            } => {
                let answer = match response {
                    Reply::Answered(answer) => {
                        self.counters.bytes_received.add(answer.len());
                        Ok(answer)
                    }
                    Reply::Declined => Err(TransportError::Declined),
                    Reply::Busy => Err(TransportError::Busy),
                };
                self.requests.end(request_id, answer);
            }
        }
    }

    fn receive(&mut self, from: PeerId, frame: Frame, channel: ReplyChannel) {
        self.counters.bytes_received.add(frame.payload.len());
        let kind = match frame.kind {
            FrameKind::Request => Kind::Request,
            FrameKind::Broadcast => Kind::Broadcast,
        };
        if kind == Kind::Request {
            self.roster.used(&name(&from));
        }
        if !self.rates.admits(&from, kind) {
            self.counters.too_many.one();
            tracing::debug!(%from, ?kind, "sends more than a peer may, refused one more frame");
            self.reply(channel, Reply::Busy);
            return;
        }
        let (reply, replied) = Replier::new();
        let inbound = Inbound {
            from: name(&from),
            kind: frame.kind,
            frame: frame.payload,
            reply,
        };
        if self.inbound.try_send(inbound).is_err() {
            self.counters.no_room.one();
            tracing::debug!(%from, "too much waits to be accepted, refused one more frame");
            self.reply(channel, Reply::Busy);
            return;
        }

        let Limits {
            deadline,
            frame: limit,
            ..
        } = self.limits;
        let reply = async move {
            let reply = match timeout(deadline, replied).await {
                Ok(Ok(answer)) if answer.len() <= limit => Reply::Answered(answer),
                Ok(Ok(answer)) => {
                    let size = answer.len();
                    tracing::warn!("a reply of {size} bytes is over the limit of {limit}");
                    Reply::Declined
                }
                Ok(Err(_)) | Err(_) => Reply::Declined,
            };
            Answered::Frame(from, channel, reply)
        };
        self.replies.push(reply.boxed());
    }

    /// The same reply, unless too many that this peer has not read wait for it already.
    fn within_bounds(&self, to: &PeerId, reply: Reply) -> Reply {
        let Reply::Answered(answer) = reply else {
            return reply;
        };
        let Some(route) = self.roster.route(&name(to)) else {
            return Reply::Declined;
        };
        match route.slots.reply(answer) {
            Some(answer) => Reply::Answered(answer),
            None => {
                self.counters.no_room.one();
                tracing::debug!(%to, "does not read its answers, refused one more");
                Reply::Busy
            }
        }
    }

    fn reply(&mut self, channel: ReplyChannel, reply: Reply) {
        if let Reply::Answered(answer) = &reply {
            self.counters.bytes_sent.add(answer.len());
        }
        // A peer that has stopped waiting is told nothing.
        let _ = self
            .swarm
            .behaviour_mut()
            .frames
            .send_response(channel, reply);
    }
}

fn outbound_error(peer: &PeerId, error: &OutboundFailure) -> TransportError {
    match error {
        OutboundFailure::Timeout => TransportError::Timeout,
        // It got the frame, or a part of it, and closed the stream.
        OutboundFailure::Io(_) => TransportError::Declined,
        OutboundFailure::DialFailure
        | OutboundFailure::ConnectionClosed
        | OutboundFailure::UnsupportedProtocols => TransportError::Unreachable(name(peer)),
    }
}
