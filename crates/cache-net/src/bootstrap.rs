//! The peers that we were told of, and when each is to be dialled again.
//!
//! This is bookkeeping only: the swarm's task asks what is due, dials or resolves it, and tells how
//! it went.

use std::collections::BTreeSet;
use std::time::Duration;

use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use crate::address::{Port, dial_address, named};
use crate::config::Redial;
use crate::error::StartError;
use crate::identity::name;
use crate::names::{NameError, is_name};
use crate::redial::{Need, Pauses};
use crate::source::{BootstrapReport, TargetReport, TargetState};
use crate::trouble::Trouble;

#[cfg(test)]
mod tests;

/// How often a name that was resolved is resolved again.
const RESOLVE_AGAIN: Duration = Duration::from_secs(30);

/// All bootstrap peers.
pub(crate) struct Bootstrap {
    configured: Vec<Configured>,
    targets: Vec<Target>,
    pauses: Pauses,
    port: Port,
}

/// One configured address.
struct Configured {
    address: Multiaddr,
    /// For a name.
    resolution: Option<Resolution>,
}

struct Resolution {
    /// When it is to be resolved; `None` while that is under way.
    due: Option<Instant>,
    failures: u32,
    failure: Option<String>,
}

/// One address that can be dialled.
struct Target {
    /// The configured address that this is, or that stands for this.
    of: usize,
    address: Multiaddr,
    state: State,
    /// Dials that failed since it was last connected for a while.
    failures: u32,
    /// What was last said about it, so that it is not said again.
    told: Option<Trouble>,
    /// It was due, and put off because it was not needed.
    put_off: bool,
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
        port: Port,
        now: Instant,
    ) -> Result<Self, StartError> {
        if let Some(bad) = addresses.iter().find(|address| !can_be_dialled(address)) {
            return Err(StartError::BootstrapAddress(bad.clone()));
        }
        let distinct: BTreeSet<_> = addresses.into_iter().collect();
        let mut bootstrap = Self {
            configured: Vec::new(),
            targets: Vec::new(),
            pauses: Pauses::new(redial, seed),
            port,
        };
        for (of, address) in distinct.into_iter().enumerate() {
            let resolution = is_name(&address).then_some(Resolution {
                due: Some(now),
                failures: 0,
                failure: None,
            });
            if resolution.is_none() {
                bootstrap
                    .targets
                    .push(Target::new(of, address.clone(), now));
            }
            bootstrap.configured.push(Configured {
                address,
                resolution,
            });
        }
        Ok(bootstrap)
    }

    /// When the next dial or resolution is due; `None` while there is nothing to do.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let dials = self.targets.iter().filter_map(|target| match target.state {
            State::Waiting(until) => Some(until),
            _ => None,
        });
        let resolutions = self
            .configured
            .iter()
            .filter_map(|one| one.resolution.as_ref()?.due);
        dials.chain(resolutions).min()
    }

    /// What is to be dialled now.
    pub(crate) fn due(&mut self, need: Need, now: Instant) -> Vec<DialOpts> {
        let Self {
            targets,
            pauses,
            port,
            ..
        } = self;
        let due = targets
            .iter_mut()
            .filter(|target| matches!(target.state, State::Waiting(until) if until <= now));
        due.filter_map(|target| {
            if need == Need::Little && !target.put_off {
                target.put_off = true;
                target.state = State::Waiting(now + pauses.long());
                return None;
            }
            target.put_off = false;
            let dial = dial_address(target.address.clone(), *port);
            target.state = State::Dialling(dial.connection_id());
            Some(dial)
        })
        .collect()
    }

    /// The names that are to be resolved now, each with its number.
    pub(crate) fn unresolved(&mut self, now: Instant) -> Vec<(usize, Multiaddr)> {
        let configured = self.configured.iter_mut().enumerate();
        let due = configured.filter_map(|(number, one)| {
            let resolution = one.resolution.as_mut()?;
            resolution.due.take_if(|due| *due <= now)?;
            Some((number, one.address.clone()))
        });
        due.collect()
    }

    /// What a name stands for now. Who is connected stays, even if the name has forgotten it.
    pub(crate) fn resolved(
        &mut self,
        number: usize,
        outcome: Result<Vec<Multiaddr>, NameError>,
        now: Instant,
    ) {
        let Some(configured) = self.configured.get_mut(number) else {
            return;
        };
        let Some(resolution) = &mut configured.resolution else {
            return;
        };
        let addresses = match outcome {
            Ok(addresses) => addresses,
            Err(error) => {
                resolution.due = Some(now + self.pauses.after(resolution.failures));
                resolution.failures = resolution.failures.saturating_add(1);
                if resolution.failure.is_none() {
                    tracing::warn!(
                        "cannot reach bootstrap peer {}: {error} (retrying)",
                        configured.address
                    );
                }
                resolution.failure = Some(error.to_string());
                return;
            }
        };
        *resolution = Resolution {
            due: Some(now + RESOLVE_AGAIN),
            failures: 0,
            failure: None,
        };
        self.targets.retain(|target| {
            target.of != number
                || addresses.contains(&target.address)
                || matches!(target.state, State::Connected { .. })
        });
        for address in addresses {
            let known = self.targets.iter().any(|target| target.address == address);
            if !known && can_be_dialled(&address) {
                tracing::debug!(%address, "bootstrap name {} stands for it", configured.address);
                self.targets.push(Target::new(number, address, now));
            }
        }
    }

    /// A connection stands, by our dial or by theirs. Tells whether it is of a bootstrap peer that
    /// we have dialled.
    pub(crate) fn connected(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        now: Instant,
    ) -> bool {
        let mut dialled = false;
        for target in &mut self.targets {
            let ours = matches!(target.state, State::Dialling(id) if id == connection);
            dialled |= ours;
            if ours || named(&target.address) == Some(peer) {
                target.state = State::Connected { peer, since: now };
                target.told = None;
            }
        }
        dialled
    }

    /// Whether one of the addresses is of this peer, which is connected.
    pub(crate) fn is_of(&self, peer: PeerId) -> bool {
        self.targets
            .iter()
            .any(|target| matches!(target.state, State::Connected { peer: id, .. } if id == peer))
    }

    /// The last connection to `peer` is gone.
    pub(crate) fn lost(&mut self, peer: PeerId, need: Need, now: Instant) {
        for target in &mut self.targets {
            match target.state {
                State::Connected { peer: id, since } if id == peer => {
                    // One that lets us in only to hang up is dialled ever less often, too.
                    if now - since >= self.pauses.longest() {
                        target.failures = 0;
                    }
                    if need == Need::Great {
                        target.wait(&mut self.pauses, now);
                    } else {
                        target.state = State::Waiting(now + self.pauses.leisurely());
                    }
                }
                _ => {}
            }
        }
    }

    /// A dial came to nothing. Tells whether it was one of these; others are left to whom they
    /// belong.
    pub(crate) fn failed(
        &mut self,
        connection: ConnectionId,
        trouble: &Trouble,
        now: Instant,
    ) -> bool {
        let dialled = self
            .targets
            .iter_mut()
            .find(|target| matches!(target.state, State::Dialling(id) if id == connection));
        let Some(target) = dialled else { return false };

        if *trouble == Trouble::Ourselves {
            tracing::info!(
                "bootstrap address {} is our own, or of a copy of our identity: left out",
                target.address
            );
            target.state = State::Ourselves;
            return true;
        }

        target.wait(&mut self.pauses, now);
        if *trouble == Trouble::NotNeeded
            || target
                .told
                .as_ref()
                .is_some_and(|told| told.is_like(trouble))
        {
            tracing::debug!(address = %target.address, %trouble, "bootstrap peer not reached");
        } else {
            tracing::warn!(
                "cannot reach bootstrap peer {}: {trouble} (retrying)",
                target.address
            );
            target.told = Some(trouble.clone());
        }
        true
    }

    /// How it stands with each configured address.
    pub(crate) fn report(&self) -> Vec<BootstrapReport> {
        let configured = self.configured.iter().enumerate();
        let reports = configured.map(|(number, one)| BootstrapReport {
            address: one.address.clone(),
            unresolved: one.resolution.as_ref().and_then(|one| one.failure.clone()),
            targets: self
                .targets
                .iter()
                .filter(|target| target.of == number)
                .map(Target::report)
                .collect(),
        });
        reports.collect()
    }
}

impl Target {
    fn new(of: usize, address: Multiaddr, now: Instant) -> Self {
        Self {
            of,
            address,
            state: State::Waiting(now),
            failures: 0,
            told: None,
            put_off: false,
        }
    }

    /// Puts the next dial off.
    fn wait(&mut self, pauses: &mut Pauses, now: Instant) {
        self.state = State::Waiting(now + pauses.after(self.failures));
        self.failures = self.failures.saturating_add(1);
    }

    fn report(&self) -> TargetReport {
        let state = match (&self.state, &self.told) {
            (State::Connected { peer, .. }, _) => TargetState::Connected(name(peer)),
            (State::Ourselves, _) => TargetState::Ourselves,
            (_, Some(trouble)) => TargetState::Failed {
                why: trouble.to_string(),
                times: self.failures,
            },
            (_, None) => TargetState::Trying,
        };
        TargetReport {
            address: self.address.clone(),
            state,
        }
    }
}

fn can_be_dialled(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    let host = match parts.next() {
        Some(Protocol::Ip4(ip)) => !ip.is_unspecified(),
        Some(Protocol::Ip6(ip)) => !ip.is_unspecified(),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_)) => true,
        // What stands under the name brings its own port.
        Some(Protocol::Dnsaddr(_)) => {
            return matches!(parts.next(), None | Some(Protocol::P2p(_))) && parts.next().is_none();
        }
        _ => false,
    };
    let port = matches!(parts.next(), Some(Protocol::Tcp(port)) if port != 0);
    let peer = matches!(parts.next(), None | Some(Protocol::P2p(_)));
    host && port && peer && parts.next().is_none()
}
