//! What a node counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cache_core::TransportError;

use crate::trouble::Trouble;

#[cfg(test)]
mod tests;

/// Upper bounds of the buckets in which the time of requests is counted, in milliseconds.
const BOUNDS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/// What a node has counted since it started, as of [`P2p::metrics`](crate::P2p::metrics).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Peers that are connected now.
    pub peers: u64,
    /// Members that are known to be there and not connected to us.
    pub apart: u64,
    /// What became of connections that we have tried to make.
    pub dials: Dials,
    /// Connections that others have made to us, and all that have ended.
    pub connections: Connections,
    /// What became of requests that we have sent.
    pub requests: RequestOutcomes,
    /// How long those took that were answered.
    pub latency: Latency,
    /// What came of broadcasts that were sent to a peer directly; each peer counts.
    pub deliveries: Deliveries,
    /// What came of broadcasts that were published.
    pub gossip: GossipCounts,
    /// What was refused, so that others are served.
    pub refused: Refusals,
    /// Bytes of frames and replies, without what the network adds.
    pub bytes: Bytes,
}

/// What became of connections that we have tried to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dials {
    /// There is a connection.
    pub succeeded: u64,
    /// Somebody was there, with another secret.
    pub other_secret: u64,
    /// Nobody was there, or another peer than the one that was looked for.
    pub failed: u64,
    /// We did not let ourselves: too many connections, or to a peer that is shunned.
    pub refused: u64,
}

/// Connections that others have made to us, and all that have ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connections {
    /// By others, to us.
    pub inbound: u64,
    /// Either way, and closed since.
    pub closed: u64,
}

/// What came of broadcasts that were sent to a peer directly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deliveries {
    /// The peer has confirmed it.
    pub acked: u64,
    /// It has not, or is suspect and was passed over.
    pub failed: u64,
}

/// What became of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestOutcomes {
    /// There is an answer.
    pub answered: u64,
    /// There was no connection to the peer, or it went down.
    pub unreachable: u64,
    /// There was no answer in time.
    pub timed_out: u64,
    /// Too much was under way, here or there.
    pub busy: u64,
    /// The peer would not answer.
    pub declined: u64,
    /// The frame was too large, or the transport was closed.
    pub not_sent: u64,
}

/// How long something took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latency {
    /// How many took no longer than this and longer than the bound before; the last one counts
    /// those that took longer than any bound, [`Duration::MAX`].
    pub buckets: Vec<(Duration, u64)>,
    /// How long all of them took together.
    pub sum: Duration,
}

/// What came of broadcasts that were published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GossipCounts {
    /// By us.
    pub published: u64,
    /// By us, to nobody, because nobody is subscribed or nobody has room.
    pub not_published: u64,
    /// By others, and come to us; each once.
    pub received: u64,
    /// Of those, taken by the layer above, and passed on.
    pub passed_on: u64,
}

/// What was refused, so that others are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusals {
    /// Frames of a peer that sends more than a peer may.
    pub too_many: u64,
    /// Frames for which there was no room in the queue.
    pub no_room: u64,
    /// Connections that came in beyond one of the bounds, or from a peer that is shunned.
    pub connections: u64,
    /// Peers that were parted with for what they sent.
    pub shunned: u64,
}

/// Bytes of frames and replies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bytes {
    /// To peers. A published frame counts once, however many it is sent to.
    pub sent: u64,
    /// From peers.
    pub received: u64,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The numbers themselves.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    dials: [Count; 4],
    deliveries: [Count; 2],
    pub(crate) connected_inbound: Count,
    pub(crate) connections_closed: Count,
    requests: [Count; 6],
    latency: [Count; BOUNDS.len() + 1],
    latency_micros: Count,
    pub(crate) published: Count,
    pub(crate) not_published: Count,
    pub(crate) gossip_received: Count,
    pub(crate) passed_on: Count,
    pub(crate) too_many: Count,
    pub(crate) no_room: Count,
    pub(crate) refused_connections: Count,
    pub(crate) bytes_sent: Count,
    pub(crate) bytes_received: Count,
}

impl Counters {
    pub(crate) fn dialled(&self) {
        self.dials[0].one();
    }

    pub(crate) fn dial_failed(&self, trouble: &Trouble) {
        match trouble {
            Trouble::Ourselves | Trouble::NotNeeded => {}
            Trouble::OtherSecret => self.dials[1].one(),
            Trouble::TooManyConnections | Trouble::Shunned => self.dials[3].one(),
            _ => self.dials[2].one(),
        }
    }

    /// A broadcast has been sent to one peer, or not.
    pub(crate) fn delivered<T>(&self, outcome: &Result<T, TransportError>) {
        let [acked, failed] = &self.deliveries;
        match outcome {
            Ok(_) => acked.one(),
            Err(_) => failed.one(),
        }
    }

    /// A request has ended, after so long.
    pub(crate) fn requested<T>(&self, outcome: &Result<T, TransportError>, took: Duration) {
        let [answered, unreachable, timed_out, busy, declined, not_sent] = &self.requests;
        match outcome {
            Ok(_) => {
                answered.one();
                self.took(took);
            }
            Err(TransportError::Unreachable(_)) => unreachable.one(),
            Err(TransportError::Timeout) => timed_out.one(),
            Err(TransportError::Busy) => busy.one(),
            Err(TransportError::Declined) => declined.one(),
            Err(_) => not_sent.one(),
        }
    }

    fn took(&self, time: Duration) {
        let bucket = BOUNDS
            .iter()
            .position(|bound| time <= Duration::from_millis(*bound));
        if let Some(count) = self.latency.get(bucket.unwrap_or(BOUNDS.len())) {
            count.one();
        }
        let micros = usize::try_from(time.as_micros()).unwrap_or(usize::MAX);
        self.latency_micros.add(micros);
    }

    /// The numbers now, but for those that are counted elsewhere.
    pub(crate) fn snapshot(&self) -> Metrics {
        let [succeeded, other_secret, failed, refused] = self.dials.each_ref().map(Count::get);
        let [answered, unreachable, timed_out, busy, declined, not_sent] =
            self.requests.each_ref().map(Count::get);
        let bounds = BOUNDS.iter().map(|bound| Duration::from_millis(*bound));
        let bounds = bounds.chain([Duration::MAX]);
        Metrics {
            dials: Dials {
                succeeded,
                other_secret,
                failed,
                refused,
            },
            connections: Connections {
                inbound: self.connected_inbound.get(),
                closed: self.connections_closed.get(),
            },
            deliveries: Deliveries {
                acked: self.deliveries[0].get(),
                failed: self.deliveries[1].get(),
            },
            requests: RequestOutcomes {
                answered,
                unreachable,
                timed_out,
                busy,
                declined,
                not_sent,
            },
            latency: Latency {
                buckets: bounds.zip(self.latency.iter().map(Count::get)).collect(),
                sum: Duration::from_micros(self.latency_micros.get()),
            },
            gossip: GossipCounts {
                published: self.published.get(),
                not_published: self.not_published.get(),
                received: self.gossip_received.get(),
                passed_on: self.passed_on.get(),
            },
            refused: Refusals {
                too_many: self.too_many.get(),
                no_room: self.no_room.get(),
                connections: self.refused_connections.get(),
                shunned: 0,
            },
            bytes: Bytes {
                sent: self.bytes_sent.get(),
                received: self.bytes_received.get(),
            },
            ..Metrics::default()
        }
    }
}
