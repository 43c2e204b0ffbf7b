//! The peers that we were told of, and when each is to be dialled again.
//!
//! This is bookkeeping only: the swarm's task asks what is due, dials it, and tells how it went.

use std::collections::BTreeSet;
use std::time::Duration;

use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use crate::config::Redial;
use crate::error::StartError;
use crate::trouble::Trouble;

#[cfg(test)]
mod tests;

/// A pause of nothing would keep the swarm busy with dialling.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// All bootstrap peers.
pub(crate) struct Bootstrap {
    targets: Vec<Target>,
    redial: Redial,
    rng: SmallRng,
}

struct Target {
    address: Multiaddr,
    state: State,
    /// Dials that failed since it was last connected for a while.
    failures: u32,
    /// What was last said about it, so that it is not said again.
    told: Option<Trouble>,
}

#[derive(Debug)]
enum State {
    Waiting(Instant),
    Dialling(ConnectionId),
    Connected {
        peer: PeerId,
        since: Instant,
    },
    /// It is we ourselves, which does not change.
    Ourselves,
}

impl Bootstrap {
    /// Everything is due at once. Fails on an address that can never be dialled.
    pub(crate) fn new(
        addresses: Vec<Multiaddr>,
        redial: Redial,
        seed: u64,
        now: Instant,
    ) -> Result<Self, StartError> {
        if let Some(bad) = addresses.iter().find(|address| !can_be_dialled(address)) {
            return Err(StartError::BootstrapAddress(bad.clone()));
        }
        let distinct: BTreeSet<_> = addresses.into_iter().collect();
        let targets = distinct.into_iter().map(|address| Target {
            address,
            state: State::Waiting(now),
            failures: 0,
            told: None,
        });
        Ok(Self {
            targets: targets.collect(),
            redial,
            rng: SmallRng::seed_from_u64(seed),
        })
    }

    /// When the next dial is due; `None` while there is nothing to dial.
    pub(crate) fn next_dial(&self) -> Option<Instant> {
        let waiting = self.targets.iter().filter_map(|target| match target.state {
            State::Waiting(until) => Some(until),
            _ => None,
        });
        waiting.min()
    }

    /// What is to be dialled now.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<DialOpts> {
        let due = self
            .targets
            .iter_mut()
            .filter(|target| matches!(target.state, State::Waiting(until) if until <= now));
        due.map(|target| {
            let dial = dial_opts(&target.address);
            target.state = State::Dialling(dial.connection_id());
            dial
        })
        .collect()
    }

    /// A connection stands, by our dial or by theirs.
    pub(crate) fn connected(&mut self, connection: ConnectionId, peer: PeerId, now: Instant) {
        for target in &mut self.targets {
            let ours = matches!(target.state, State::Dialling(id) if id == connection);
            if ours || named(&target.address) == Some(peer) {
                target.state = State::Connected { peer, since: now };
                target.told = None;
            }
        }
    }

    /// The last connection to `peer` is gone.
    pub(crate) fn lost(&mut self, peer: PeerId, now: Instant) {
        for target in &mut self.targets {
            match target.state {
                State::Connected { peer: id, since } if id == peer => {
                    // One that lets us in only to hang up is dialled ever less often, too.
                    if now - since >= self.redial.longest {
                        target.failures = 0;
                    }
                    target.wait(self.redial, &mut self.rng, now);
                }
                _ => {}
            }
        }
    }

    /// A dial came to nothing. Dials that are not ours are left to whom they belong.
    pub(crate) fn failed(&mut self, connection: ConnectionId, trouble: Trouble, now: Instant) {
        let dialled = self
            .targets
            .iter_mut()
            .find(|target| matches!(target.state, State::Dialling(id) if id == connection));
        let Some(target) = dialled else { return };

        // A host name may stand for others beside us, and be resolved to one of them next time.
        if trouble == Trouble::Ourselves && !is_host_name(&target.address) {
            tracing::info!(
                "bootstrap address {} is our own, or of a copy of our identity: left out",
                target.address
            );
            target.state = State::Ourselves;
            return;
        }

        target.wait(self.redial, &mut self.rng, now);
        if matches!(trouble, Trouble::Ourselves | Trouble::NotNeeded)
            || target
                .told
                .as_ref()
                .is_some_and(|told| told.is_like(&trouble))
        {
            tracing::debug!(address = %target.address, %trouble, "bootstrap peer not reached");
        } else {
            tracing::warn!(
                "cannot reach bootstrap peer {}: {trouble} (retrying)",
                target.address
            );
            target.told = Some(trouble);
        }
    }
}

impl Target {
    /// Puts the next dial off, by a pause that doubles each time and is then cut by up to a half.
    fn wait(&mut self, redial: Redial, rng: &mut SmallRng, now: Instant) {
        let doubled = redial
            .first
            .saturating_mul(2_u32.saturating_pow(self.failures));
        let pause = doubled.min(redial.longest).max(SHORTEST_PAUSE);
        self.state = State::Waiting(now + pause.mul_f64(rng.random_range(0.5..=1.0)));
        self.failures = self.failures.saturating_add(1);
    }
}

fn dial_opts(address: &Multiaddr) -> DialOpts {
    // Dialling from the listening port, as libp2p would, makes two peers that dial each other at
    // once meet half way: TCP's simultaneous open, with two diallers and nobody who listens.
    match named(address) {
        Some(peer) => DialOpts::peer_id(peer)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(vec![address.clone()])
            .allocate_new_port()
            .build(),
        None => DialOpts::unknown_peer_id()
            .address(address.clone())
            .allocate_new_port()
            .build(),
    }
}

/// The peer that the address names with `/p2p/…`.
fn named(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

fn is_host_name(address: &Multiaddr) -> bool {
    matches!(
        address.iter().next(),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_))
    )
}

fn can_be_dialled(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    let host = match parts.next() {
        Some(Protocol::Ip4(ip)) => !ip.is_unspecified(),
        Some(Protocol::Ip6(ip)) => !ip.is_unspecified(),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_)) => true,
        _ => false,
    };
    let port = matches!(parts.next(), Some(Protocol::Tcp(port)) if port != 0);
    let peer = matches!(parts.next(), None | Some(Protocol::P2p(_)));
    host && port && peer && parts.next().is_none()
}
