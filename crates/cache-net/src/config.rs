//! What a node is told before it starts.

use std::net::SocketAddr;
use std::time::Duration;

use cache_core::MAX_FRAME;
use libp2p::Multiaddr;

use crate::identity::Identity;
use crate::membership::Membership;

/// How a [`P2p`](crate::P2p) is to be run. Start from [`Config::new`] and set what differs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// What makes a peer one of ours.
    pub membership: Membership,
    /// What else makes a peer one of ours, while the fleet changes its secret: two hosts connect
    /// where they have one membership in common.
    pub previous_membership: Option<Membership>,
    /// Who we are to the others; a new name for each process unless it is set.
    pub identity: Identity,
    /// Where to listen: `/ip4/…/tcp/…` and `/ip6/…/tcp/…`. Port 0 takes any free one. Empty means
    /// that we only dial.
    pub listen: Vec<Multiaddr>,
    /// Peers to stay connected to: `/ip4`, `/ip6`, `/dns4`, `/dns6` or `/dns`, then `/tcp/…`, with
    /// or without `/p2p/…`; or `/dnsaddr/…`. A name stands for all the addresses that it has, and
    /// is resolved again every half minute. Our own address may be among them.
    pub bootstrap: Vec<Multiaddr>,
    /// Peers that were known when the node last stopped, as of
    /// [`P2p::known_peers`](crate::P2p::known_peers): dialled, and forgotten where they are gone.
    pub known: Vec<Multiaddr>,
    /// Addresses at which others can reach us that we cannot see ourselves, as behind a NAT. Empty
    /// means what two peers or more see us at.
    pub external: Vec<Multiaddr>,
    /// Whether to look for peers on the local network, by multicast DNS. Where that is not possible
    /// a warning is all that comes of it.
    pub mdns: bool,
    /// Whether to be reached through another member where we cannot be dialled, and to let others
    /// be reached through us. Needs the feature `relay`. A member that others are to be reached
    /// through needs an address that they can dial ([`Config::external`]), and enough
    /// [`Limits::connections`].
    pub relay: bool,
    /// The name servers to ask; empty means those that the system is configured with.
    pub name_servers: Vec<SocketAddr>,
    /// How fast a lost peer is dialled again.
    pub redial: Redial,
    /// How much of everything there may be.
    pub limits: Limits,
}

impl Config {
    /// A node of this fleet that listens nowhere and knows nobody.
    pub fn new(membership: impl Into<Membership>) -> Self {
        Self {
            membership: membership.into(),
            previous_membership: None,
            identity: Identity::ephemeral(),
            listen: Vec::new(),
            bootstrap: Vec::new(),
            known: Vec::new(),
            external: Vec::new(),
            mdns: false,
            relay: false,
            name_servers: Vec::new(),
            redial: Redial::default(),
            limits: Limits::default(),
        }
    }
}

/// The pauses between two dials of a peer. Each is twice as long as the one before, and
/// shortened at random by up to a half, so that a fleet does not dial in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redial {
    /// The first pause, at least 10 milliseconds.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for Redial {
    /// From half a second to half a minute.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
        }
    }
}

/// Bounds, and what happens at each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest frame in bytes. A longer one is not sent, and is refused unread when it comes.
    pub frame: usize,
    /// How long anything may take: a request with its reply, or a whole broadcast. A peer that
    /// takes longer is suspect, and passed over by broadcasts until it is heard again.
    pub deadline: Duration,
    /// Frames under way to one peer, from 1 to 120 because a connection carries 512 streams for
    /// both sides. One request more is [`Busy`](cache_core::TransportError::Busy); a broadcast waits for
    /// its turn.
    pub in_flight_per_peer: usize,
    /// Frames that wait to be accepted. One more is refused, and its sender told
    /// [`Busy`](cache_core::TransportError::Busy).
    pub inbound_queue: usize,
    /// Bytes of the frames that wait to be accepted, and as many of those that are being read; at
    /// least [`Limits::frame`], so that a frame of any length fits an empty queue. One that does not
    /// fit is refused, and its sender told [`Busy`](cache_core::TransportError::Busy) where it was
    /// read, else [`Declined`](cache_core::TransportError::Declined); a shorter one may still fit.
    /// Of this and of [`Limits::inbound_queue`] one peer may take up a quarter, or one frame.
    pub inbound_bytes: usize,
    /// Bytes of frames under way to one peer; a longer frame goes alone. One request more is
    /// [`Busy`](cache_core::TransportError::Busy); a broadcast waits for its turn.
    pub outbound_bytes_per_peer: usize,
    /// Bytes of answers that wait for one peer to read them; a longer one goes alone. Instead of one
    /// more, the peer is told [`Busy`](cache_core::TransportError::Busy).
    pub reply_bytes_per_peer: usize,
    /// Requests that a peer may send in a second. One more is refused, and its sender told
    /// [`Busy`](cache_core::TransportError::Busy).
    pub requests_per_second: u32,
    /// Broadcasts that a peer may send or pass on in a second. One more is dropped, and its sender
    /// told [`Busy`](cache_core::TransportError::Busy) where it waits for an acknowledgement.
    pub broadcasts_per_second: u32,
    /// Frames that a peer may send in a minute that we cannot open because of their secret or their
    /// version, as one does that is ahead of us in a change of either. With one more it counts as
    /// reported.
    pub unopened_per_minute: u32,
    /// How long a peer is refused that was [reported](cache_core::Transport::report), or that broke
    /// the protocol of frames.
    pub shunned_for: Duration,
    /// Connections that are still being made, each way. One more is closed at once, or dialled
    /// later.
    pub pending_connections: u32,
    /// Of those, the ones from one address (one network of 2⁶⁴, for IPv6), so that it cannot use
    /// up what the others may have. One more is closed at once.
    pub pending_connections_per_host: u32,
    /// Connections that stand, both ways. One more is closed at once. From half way between
    /// [`Limits::wanted_peers`] and this, the least useful are closed to make room for newcomers. A
    /// member that all others go through needs one for each.
    pub connections: u32,
    /// As long as fewer peers are connected, and more are known, more are dialled.
    pub wanted_peers: usize,
    /// A broadcast is sent to each peer, and acknowledged by it, as long as there are no more than
    /// these and no other members. Else it is published, and passed on by who gets it.
    pub acknowledging_peers: usize,
    /// The longest frame that is published. A longer one is sent to each connected peer, and
    /// acknowledged by it, however many there are; members that are not connected have to ask for
    /// what is in it.
    pub published_frame: usize,
    /// Bytes that are published in a second, by us and by those whose frames we pass on, and that
    /// therefore are kept for some seconds. What is too much of our own is sent to each connected
    /// peer; what is too much of others' is dropped.
    pub published_bytes_per_second: u32,
}

impl Limits {
    /// With more peers than these, some are parted with.
    pub(crate) fn most_peers(&self) -> usize {
        let most = usize::try_from(self.connections).unwrap_or(usize::MAX);
        let wanted = self.wanted_peers.min(most);
        wanted + (most - wanted) / 2
    }

    /// With no more peers than these, one that there is something to ask is dialled: some room is
    /// left for newcomers.
    pub(crate) fn most_peers_and_wanted(&self) -> usize {
        let most = usize::try_from(self.connections).unwrap_or(usize::MAX);
        let kept = self.most_peers();
        kept + (most - kept).div_ceil(2)
    }

    /// [`Limits::in_flight_per_peer`], made possible: each side can have that many streams on a
    /// connection, and as many again that the other does not know to be given up; yamux carries 512.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight_per_peer.clamp(1, 120)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: MAX_FRAME,
            deadline: Duration::from_secs(5),
            in_flight_per_peer: 64,
            inbound_queue: 1024,
            inbound_bytes: 64 * 1024 * 1024,
            outbound_bytes_per_peer: 4 * 1024 * 1024,
            reply_bytes_per_peer: 16 * 1024 * 1024,
            requests_per_second: 10_000,
            broadcasts_per_second: 5_000,
            unopened_per_minute: 20_000,
            shunned_for: Duration::from_secs(5 * 60),
            pending_connections: 256,
            pending_connections_per_host: 64,
            connections: 32,
            wanted_peers: 16,
            acknowledging_peers: 16,
            // A value of 64 KiB, and what wraps it.
            published_frame: 68 * 1024,
            published_bytes_per_second: 8 * 1024 * 1024,
        }
    }
}
