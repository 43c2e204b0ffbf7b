//! Frames through the task: ours to libp2p, libp2p's to whoever accepts them.

use cache_core::{Inbound, Replier, TransportError};
use futures::FutureExt;
use libp2p::PeerId;
use libp2p::request_response::{Event, Message, OutboundFailure};
use tokio::time::{Instant, timeout};

use super::{Outbound, ReplyChannel, SwarmTask};
use crate::codec::{Frame, Reply};
use crate::config::Limits;
use crate::identity::name;
use crate::requests::Pending;

impl SwarmTask {
    pub(super) fn send(&mut self, outbound: Outbound) {
        let Outbound {
            to,
            frame,
            answer,
            slot,
        } = outbound;
        // libp2p would dial a peer that is not connected. Ours are dialled by `Bootstrap` only.
        let frames = &mut self.swarm.behaviour_mut().frames;
        if !frames.is_connected(&to) {
            let _ = answer.send(Err(TransportError::Unreachable(name(&to))));
            return;
        }
        let id = frames.send_request(&to, frame);
        let overdue = Instant::now() + 2 * self.limits.deadline;
        let pending = Pending {
            to,
            answer,
            overdue,
            slot,
        };
        self.requests.begin(id, pending);
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
                self.requests
                    .end(request_id, Err(outbound_error(&peer, &error)));
            }
            Event::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a peer's frame was not answered");
            }
            Event::ResponseSent { .. } => {}
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
                    Reply::Answered(answer) => Ok(answer),
                    Reply::Declined => Err(TransportError::Declined),
                    Reply::Busy => Err(TransportError::Busy),
                };
                self.requests.end(request_id, answer);
            }
        }
    }

    fn receive(&mut self, from: PeerId, frame: Frame, channel: ReplyChannel) {
        let (reply, replied) = Replier::new();
        let inbound = Inbound {
            from: name(&from),
            kind: frame.kind,
            frame: frame.payload,
            reply,
        };
        if self.inbound.try_send(inbound).is_err() {
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
            (channel, reply)
        };
        self.replies.push(reply.boxed());
    }

    pub(super) fn reply(&mut self, channel: ReplyChannel, reply: Reply) {
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
