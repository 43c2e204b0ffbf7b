//! Broadcasts of a fleet that is too large to tell everybody oneself: gossipsub, on one topic.
//!
//! A frame is passed on by who gets it, once the layer above has taken it. Nobody signs it here:
//! it is sealed, and a name on it would prove nothing to those who hold the same secret.

use std::time::Duration;

use bytes::Bytes;
use libp2p::PeerId;
use libp2p::gossipsub::{
    Behaviour, ConfigBuilder, IdentTopic, Message, MessageAuthenticity, MessageId, PublishError,
    ValidationMode,
};

use crate::error::StartError;

/// The one topic. Everybody is subscribed to it at all times, so that nobody has to know how a
/// frame is going to be sent.
const TOPIC: &str = "frames";

const PROTOCOL: &str = "/ghmesh/gossip";

/// What goes before each frame, so that the same one can be sent twice: gossipsub drops what it
/// has seen, and knows it by its digest.
const NONCE: usize = 8;

/// What surrounds a frame on its way.
const OVERHEAD: usize = 1024;

/// Frames that wait for one peer to take them: 4 MiB of the longest that are published by default.
/// One more is dropped: the peer asks for it when it hears of it from others.
const QUEUE: usize = 64;

/// For so many heartbeats of a second each a frame is kept, for those who have only heard of it.
const HISTORY: usize = 3;

/// Who is subscribed for that long has had two heartbeats to hear of what is published, by us or by
/// others.
pub(crate) const SETTLED: Duration = Duration::from_secs(2);

/// A node that has just started is a part of the mesh after this, and not after libp2p's five
/// seconds.
const FIRST_HEARTBEAT: Duration = Duration::from_millis(100);

/// Subscribed, for frames of up to `limit` bytes.
pub(crate) fn behaviour(limit: usize) -> Result<Behaviour, StartError> {
    let config = ConfigBuilder::default()
        .protocol_id_prefix(PROTOCOL)
        .max_transmit_size(limit.saturating_add(OVERHEAD))
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(id)
        .heartbeat_initial_delay(FIRST_HEARTBEAT)
        .connection_handler_queue_len(QUEUE)
        .history_length(HISTORY)
        .history_gossip(HISTORY)
        // To a few, who pass it on; not to everybody oneself.
        .flood_publish(false)
        .build()
        .map_err(|error| StartError::Gossip(error.to_string()))?;
    let mut behaviour = Behaviour::new(MessageAuthenticity::Anonymous, config)
        .map_err(|error| StartError::Gossip(error.to_owned()))?;
    behaviour
        .subscribe(&topic())
        .map_err(|error| StartError::Gossip(error.to_string()))?;
    Ok(behaviour)
}

/// Publishes a frame.
pub(crate) fn publish(behaviour: &mut Behaviour, frame: &[u8]) -> Result<(), PublishError> {
    let nonce: [u8; NONCE] = rand::random();
    let message = [&nonce, frame].concat();
    behaviour.publish(topic(), message).map(drop)
}

/// The frame's length on its way.
pub(crate) fn published_len(frame: &[u8]) -> usize {
    frame.len().saturating_add(NONCE)
}

/// The frame in a message. One that is too short to hold any holds an empty one, which is for the
/// layer above to judge.
pub(crate) fn frame(message: Message) -> Bytes {
    let mut message = Bytes::from(message.data);
    message.split_off(NONCE.min(message.len()))
}

/// Who gets our frames from us and not by way of others.
pub(crate) fn is_in_mesh(behaviour: &Behaviour, peer: &PeerId) -> bool {
    behaviour.all_mesh_peers().any(|one| one == peer)
}

fn topic() -> IdentTopic {
    IdentTopic::new(TOPIC)
}

fn id(message: &Message) -> MessageId {
    // Nobody can make another frame with the digest of one that he would like to suppress.
    MessageId::new(blake3::hash(&message.data).as_bytes())
}
