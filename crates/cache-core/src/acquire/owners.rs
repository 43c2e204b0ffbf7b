//! Whom to ask: the owners of a key, and those they send us to.

use std::iter;

use tokio::time::Instant;

use super::Fleet;
use super::patience::Patience;
use crate::key::Key;
use crate::lease::{Acquire, Grant, LeaseId, TERM};
use crate::owner;
use crate::peer::{PeerId, PeerInfo};
use crate::time::MeshTime;

/// How often a question is sent on: to who keeps the book, to whom that one has left it, and to who
/// has what is asked for.
const MOST_REDIRECTS: usize = 3;

/// How many owners are tried, where all but the last two take hardly any time.
const MOST_OWNERS: usize = 4;

impl Fleet {
    /// The word of the first owner that has one, this member included.
    pub(super) async fn ask_owners(
        &self,
        key: Key,
        have: Option<MeshTime>,
        lease: Option<LeaseId>,
    ) -> Option<(PeerId, Grant)> {
        let us = self.replica.local_peer;
        let peers = self.transport.peers();
        let owners = self.owners(&key, &peers);
        let first = owners.first().copied();
        let keeper = self.keeper(&key, &owners);
        let others = owners.into_iter().filter(|owner| *owner != keeper);
        let owners = iter::once(keeper).chain(others);
        let owners = owners.filter(|owner| *owner == us || !self.questions.is_silent(owner));
        let mut patience = Patience::new();
        for owner in owners.take(MOST_OWNERS) {
            let asked_at = Instant::now();
            let question = Acquire {
                key,
                have,
                lease,
                insist: Some(owner) != first,
                but: None,
            };
            match self.put_to(owner, patience.least(), &question).await {
                Some(Grant::Redirect(better)) => {
                    return self.follow(owner, better, question).await;
                }
                Some(grant) => return Some((owner, grant)),
                None => patience.spend(asked_at.elapsed()),
            }
            if patience.is_over() {
                break;
            }
        }
        tracing::debug!("no owner has answered: going upstream without a lease");
        None
    }

    /// Asks the member that an owner has sent us to, and that one's choice where it sends us on.
    /// Where we cannot reach it, the one that has sent us decides, or names another.
    async fn follow(
        &self,
        owner: PeerId,
        better: PeerId,
        mut question: Acquire,
    ) -> Option<(PeerId, Grant)> {
        let (mut sender, mut member) = (owner, better);
        question.insist = true;
        for _ in 0..MOST_REDIRECTS {
            let (asked_at, mut patience) = (Instant::now(), Patience::new());
            match self.put_to(member, patience.least(), &question).await {
                Some(Grant::Redirect(next)) => (sender, member) = (member, next),
                Some(grant) => return Some((member, grant)),
                None => {
                    question.but = Some(member);
                    patience.spend(asked_at.elapsed());
                    match self.put_to(sender, patience.least(), &question).await? {
                        Grant::Redirect(next) => member = next,
                        grant => return Some((sender, grant)),
                    }
                }
            }
        }
        None
    }

    async fn put_to(&self, member: PeerId, patience: u32, question: &Acquire) -> Option<Grant> {
        if member == self.replica.local_peer {
            return Some(self.own_word(question));
        }
        self.questions.ask(member, patience, question.clone()).await
    }

    /// What this member says to itself.
    fn own_word(&self, question: &Acquire) -> Grant {
        let us = self.replica.local_peer;
        // Others may have sent us back to ourselves, who know better; or the one that this member has
        // left its key to was not there, and the next one is.
        match self
            .other_keeper(question)
            .or_else(|| self.holder(us, question))
        {
            Some(better) => Grant::Redirect(better),
            None => self.decide(&question.key, us, question.have, question.lease),
        }
    }

    /// Another member who keeps the book of `key`, and should have been asked.
    pub(super) fn other_keeper(&self, question: &Acquire) -> Option<PeerId> {
        let peers = self.transport.peers();
        // Whom neither the asker nor this member can see keeps no book any more.
        let gone = question.but;
        let gone = gone.filter(|it| !peers.iter().any(|peer| peer.id == *it));
        if let Some(gone) = &gone {
            self.questions.pass_over(gone);
        }
        let left_to = self.left_to(&question.key);
        let left_to = left_to.filter(|keeper| Some(*keeper) != question.but);
        if left_to.is_some() || (question.insist && gone.is_none()) {
            return left_to;
        }
        let owners = self.owners(&question.key, &peers);
        let keeper = self.keeper(&question.key, &owners);
        let is_ours = Some(keeper) == question.but
            || keeper == self.replica.local_peer
            || self.questions.is_silent(&keeper);
        // One that has just come, or cannot be dialled, leaves its keys to others. And whoever has
        // not asked it may not be able to.
        let leaves = || {
            let connected = peers.iter().find(|peer| peer.id == keeper);
            owners.first() == Some(&keeper)
                && (connected.is_some_and(|peer| peer.age < TERM)
                    || self.replica.members.is_closed(&keeper))
        };
        (!is_ours && !leaves()).then_some(keeper)
    }

    /// Another member who has what is asked for, if this one knows of any.
    pub(super) fn holder(&self, asker: PeerId, question: &Acquire) -> Option<PeerId> {
        let elsewhere = &self.replica.elsewhere;
        let holder = elsewhere.holder(&question.key, question.have)?;
        let is_there = holder != asker
            && Some(holder) != question.but
            && holder != self.replica.local_peer
            && !self.questions.is_silent(&holder)
            && self.is_here(&holder);
        if !is_there {
            elsewhere.forget(&question.key);
        }
        is_there.then_some(holder)
    }

    /// Whether a member can be seen, by this one or by those who pass on what it reports.
    pub(super) fn is_here(&self, member: &PeerId) -> bool {
        let peers = self.transport.peers();
        *member == self.replica.local_peer || self.replica.members.is_here(member, &peers)
    }

    /// Who keeps the book of `key`: the first of its owners. As long as that would be this member,
    /// and it is not fit for it, it leaves the book to the next.
    fn keeper(&self, key: &Key, owners: &[PeerId]) -> PeerId {
        let us = self.replica.local_peer;
        let first = owners.first().copied().unwrap_or(us);
        if first != us {
            return first;
        }
        let keeper = match self.left_to(key) {
            Some(keeper) => Some(keeper),
            None if self.is_fit() => None,
            None => owners.iter().copied().find(|owner| self.speaks(owner)),
        };
        let keeper = keeper.filter(|keeper| self.replica.leases.leave_to(*key, *keeper));
        keeper.unwrap_or(us)
    }

    /// In whose book a key is that this member has left to another.
    fn left_to(&self, key: &Key) -> Option<PeerId> {
        let left_to = self.replica.leases.keeper(key);
        left_to.filter(|keeper| self.speaks(keeper) && self.is_here(keeper))
    }

    /// Whether another member may answer.
    fn speaks(&self, member: &PeerId) -> bool {
        *member != self.replica.local_peer && !self.questions.is_silent(member)
    }

    /// The owners of `key`: this member, those that it is connected to, and those that it could be.
    fn owners(&self, key: &Key, peers: &[PeerInfo]) -> Vec<PeerId> {
        owner::in_order(key, self.replica.members.owners(peers))
    }

    /// Whether this member can be dialled and knows what some other one does, and no lease is left
    /// that was given before either was so.
    fn is_fit(&self) -> bool {
        let open_for = self.replica.members.open_for();
        let caught_up = self.replica.caught_up_at();
        caught_up.is_some_and(|at| at.elapsed() >= TERM) && open_for.is_some_and(|it| it >= TERM)
    }
}
