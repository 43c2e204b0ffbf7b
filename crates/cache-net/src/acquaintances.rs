//! The peers that we have heard of by name: who is connected, who is to be dialled and when, and
//! who is out there without our being connected to him.
//!
//! This is bookkeeping only, as [`bootstrap`](crate::bootstrap) is.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{Multiaddr, PeerId};
use rand::seq::IteratorRandom;
use tokio::time::Instant;

use crate::address::{Port, dial_peer, ip, is_dialable, is_loopback, is_relayed, named};
use crate::config::Redial;
use crate::redial::{Need, Pauses};
use crate::source::{Found, Source};
use crate::walk;

#[cfg(test)]
mod tests;

/// So many are remembered. One more takes the place of the one that was heard of longest ago, of
/// those that are not connected.
const MOST: usize = 1024;

/// So many addresses of one peer are remembered, and dialled at once.
const MOST_ADDRESSES: usize = 8;

/// Dials under way at one time. The others wait for their turn.
const MOST_DIALS: usize = 8;

/// Who has not been mentioned for that long is no longer thought to be there: two rounds of
/// questions, and some time to get answers.
pub(crate) const FORGOTTEN: Duration = walk::INTERVAL.saturating_mul(5).checked_div(2).unwrap();

/// So many dials in vain to somebody who is no longer mentioned are the last, while there is
/// somebody else to talk to.
const PATIENCE: u32 = 8;

/// Lost so often in a row, soon after it was connected, a peer is no news any more.
const UNSTEADY: u32 = 3;

/// Everybody that we have heard of.
pub(crate) struct Acquaintances {
    local: PeerId,
    port: Port,
    peers: HashMap<PeerId, Acquaintance>,
    pauses: Pauses,
}

struct Acquaintance {
    /// Where it says, or others say, that it can be reached.
    addresses: Vec<Multiaddr>,
    source: Source,
    /// When it was last connected or mentioned; `None` for one who was known at the last stop.
    mentioned: Option<Instant>,
    state: State,
    /// Dials that failed since it was last connected for a while.
    failures: u32,
    /// How often in a row it was lost soon after it was connected.
    losses: u32,
}

enum State {
    Waiting(Instant),
    Dialling(ConnectionId),
    Connected { since: Instant },
}

impl Acquaintances {
    pub(crate) fn new(local: PeerId, redial: Redial, seed: u64, port: Port) -> Self {
        Self {
            local,
            port,
            peers: HashMap::new(),
            pauses: Pauses::new(redial, seed),
        }
    }

    /// Takes note of a peer that is out there, and where it can be reached.
    pub(crate) fn mention(
        &mut self,
        peer: PeerId,
        addresses: impl IntoIterator<Item = Multiaddr>,
        source: Source,
        now: Instant,
    ) {
        let Some(known) = self.entry(peer, source, now) else {
            return;
        };
        known.mentioned = Some(now);
        for address in addresses {
            known.add(address);
        }
    }

    /// Takes note of where a connected peer says that it can be reached: there, and nowhere else.
    pub(crate) fn identified(&mut self, peer: PeerId, addresses: &[Multiaddr], now: Instant) {
        if let Some(known) = self.entry(peer, Source::Inbound, now) {
            known.addresses.clear();
            for address in addresses {
                known.add(address.clone());
            }
        }
    }

    /// Takes note of those who were known when we last stopped.
    pub(crate) fn remember(&mut self, known: Vec<Multiaddr>, now: Instant) {
        for address in known {
            if let Some(peer) = named(&address) {
                self.hear_of(peer, address, Source::Known, now);
            }
        }
    }

    /// Takes note of somebody who may be a member.
    pub(crate) fn hear_of(
        &mut self,
        peer: PeerId,
        address: Multiaddr,
        source: Source,
        now: Instant,
    ) {
        if let Some(known) = self.entry(peer, source, now) {
            known.add(address);
        }
    }

    fn entry(&mut self, peer: PeerId, source: Source, now: Instant) -> Option<&mut Acquaintance> {
        if peer == self.local {
            return None;
        }
        if self.peers.len() >= MOST && !self.peers.contains_key(&peer) {
            let strangers = self.peers.iter().filter(|(_, one)| one.is_apart());
            let oldest = strangers.min_by_key(|(_, one)| one.mentioned);
            let oldest = oldest.map(|(peer, _)| *peer)?;
            self.peers.remove(&oldest);
        }
        Some(self.peers.entry(peer).or_insert_with(|| Acquaintance {
            addresses: Vec::new(),
            source,
            mentioned: None,
            state: State::Waiting(now),
            failures: 0,
            losses: 0,
        }))
    }

    /// When the next dial is due, where `wanted` more peers are wanted.
    pub(crate) fn next_due(&self, wanted: usize) -> Option<Instant> {
        if self.room(wanted) == 0 {
            return None;
        }
        let waiting = self.peers.values();
        let waiting = waiting.filter_map(|one| one.waits_until(self.port));
        waiting.min()
    }

    /// Whom to dial now, at random of those that are due, so that a fleet becomes a mesh and not a
    /// star. Where `wanted` more peers are wanted, no more than these are dialled at one time.
    pub(crate) fn due(&mut self, wanted: usize, now: Instant) -> Vec<DialOpts> {
        let port = self.port;
        let room = self.room(wanted);
        let due = self
            .peers
            .iter_mut()
            .filter(|(_, one)| one.waits_until(port).is_some_and(|until| until <= now));
        let chosen = due.sample(self.pauses.rng(), room);
        let dials = chosen.into_iter().map(|(peer, one)| one.dial(*peer, port));
        dials.collect()
    }

    /// Dials one peer that is wanted, if it was not dialled in vain the last time.
    pub(crate) fn wanted(&mut self, peer: PeerId, now: Instant) -> Option<DialOpts> {
        if self.dials() >= MOST_DIALS {
            return None;
        }
        let port = self.port;
        let one = self.peers.get_mut(&peer)?;
        let until = one.waits_until(port)?;
        (one.failures == 0 || until <= now).then(|| one.dial(peer, port))
    }

    /// A connection to this peer stands. Tells how we came by it.
    pub(crate) fn connected(&mut self, peer: PeerId, source: Source, now: Instant) -> Source {
        let Some(known) = self.entry(peer, source, now) else {
            return source;
        };
        known.mentioned = Some(now);
        if !matches!(known.state, State::Connected { .. }) {
            known.state = State::Connected { since: now };
        }
        known.source
    }

    /// The last connection to `peer` is gone.
    pub(crate) fn lost(&mut self, peer: PeerId, need: Need, now: Instant) {
        let Some(known) = self.peers.get_mut(&peer) else {
            return;
        };
        if let State::Connected { since } = known.state
            && now - since >= self.pauses.longest()
        {
            known.failures = 0;
            known.losses = 0;
        }
        known.losses = known.losses.saturating_add(1);
        let pause = match need {
            Need::Great => self.pauses.after(known.failures),
            Need::Some | Need::Little => self.pauses.leisurely(),
        };
        known.failures = known.failures.saturating_add(1);
        known.state = State::Waiting(now + pause);
        // Whoever is still there will be mentioned by others.
        known.mentioned = None;
    }

    /// A dial came to nothing. Tells whether it was one of these. `alone` says that nobody is
    /// connected: then nobody is forgotten.
    pub(crate) fn failed(&mut self, connection: ConnectionId, alone: bool, now: Instant) -> bool {
        let dialled = self
            .peers
            .iter_mut()
            .find(|(_, one)| matches!(one.state, State::Dialling(id) if id == connection));
        let Some((&peer, known)) = dialled else {
            return false;
        };
        known.state = State::Waiting(now + self.pauses.after(known.failures));
        known.failures = known.failures.saturating_add(1);
        if known.failures >= PATIENCE && !known.is_thought_there(now) && !alone {
            tracing::debug!(%peer, "not heard of any more, forgotten");
            self.peers.remove(&peer);
        }
        true
    }

    /// Whether a peer comes and goes: its connections have ended soon, several times.
    pub(crate) fn is_unsteady(&self, peer: &PeerId) -> bool {
        let known = self.peers.get(peer);
        known.is_some_and(|one| one.losses >= UNSTEADY)
    }

    /// Whether a peer says that it can be reached at this host.
    pub(crate) fn is_at(&self, peer: &PeerId, host: IpAddr) -> bool {
        let known = self.peers.get(peer);
        known.is_some_and(|one| one.addresses.iter().any(|at| ip(at) == Some(host)))
    }

    /// How many members are out there that we are not connected to.
    pub(crate) fn apart(&self, now: Instant) -> usize {
        let apart = self.peers.values().filter(|one| one.is_apart());
        apart.filter(|one| one.is_thought_there(now)).count()
    }

    /// Where those can be reached who are worth remembering for the next start, the connected ones
    /// first; at most so many addresses.
    pub(crate) fn worth_remembering(&self, most: usize, now: Instant) -> Vec<Multiaddr> {
        let mut peers: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, one)| !one.is_apart() || one.is_thought_there(now))
            .collect();
        peers.sort_unstable_by_key(|(peer, one)| (one.is_apart(), **peer));
        let addresses = peers.into_iter().flat_map(|(peer, one)| {
            let addresses = one
                .addresses
                .iter()
                .filter(|one| is_dialable(one) && !is_relayed(one));
            addresses.filter_map(|address| address.clone().with_p2p(*peer).ok())
        });
        addresses.take(most).collect()
    }

    /// What each source has brought.
    pub(crate) fn report(&self) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        for one in self.peers.values() {
            let at = found.iter().position(|found| found.source == one.source);
            let at = at.unwrap_or_else(|| {
                found.push(Found {
                    source: one.source,
                    peers: 0,
                    connected: 0,
                    failing: 0,
                });
                found.len() - 1
            });
            let Some(found) = found.get_mut(at) else {
                continue;
            };
            found.peers += 1;
            found.connected += usize::from(!one.is_apart());
            found.failing += usize::from(one.is_apart() && one.failures > 0);
        }
        found.sort_unstable_by_key(|found| found.source);
        found
    }

    /// How many dials may begin now, where `wanted` more peers are wanted. Asked for whenever there
    /// is one to begin, so that what is due is never found not to be.
    fn room(&self, wanted: usize) -> usize {
        wanted.min(MOST_DIALS).saturating_sub(self.dials())
    }

    /// How many are being dialled.
    pub(crate) fn dials(&self) -> usize {
        let dialled = |one: &&Acquaintance| matches!(one.state, State::Dialling(_));
        self.peers.values().filter(dialled).count()
    }
}

impl Acquaintance {
    fn add(&mut self, address: Multiaddr) {
        if self.addresses.len() < MOST_ADDRESSES && !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
    }

    fn dial(&mut self, peer: PeerId, port: Port) -> DialOpts {
        let dial = dial_peer(peer, self.ways(port).cloned().collect(), port);
        self.state = State::Dialling(dial.connection_id());
        dial
    }

    fn is_apart(&self) -> bool {
        !matches!(self.state, State::Connected { .. })
    }

    fn is_thought_there(&self, now: Instant) -> bool {
        self.mentioned.is_some_and(|then| now - then < FORGOTTEN)
    }

    /// Where it can be dialled. Through a relay, that is, by who has the relay on; at a loopback
    /// address, where it has no other, so that it can only be on this host.
    fn ways(&self, port: Port) -> impl Iterator<Item = &Multiaddr> {
        let relayed = port == Port::Listening;
        let addresses = || {
            let addresses = self.addresses.iter();
            addresses.filter(move |one| is_dialable(one) && (relayed || !is_relayed(one)))
        };
        let elsewhere = addresses().any(|one| !is_loopback(one));
        addresses().filter(move |one| !elsewhere || !is_loopback(one))
    }

    fn waits_until(&self, port: Port) -> Option<Instant> {
        match self.state {
            State::Waiting(until) => self.ways(port).next().map(|_| until),
            _ => None,
        }
    }
}
