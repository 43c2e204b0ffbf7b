//! Answering members that ask for leave to fetch.

use std::sync::Arc;

use super::Fleet;
use crate::entry::Entry;
use crate::key::Key;
use crate::lease::{Acquire, Grant, LeaseId, Verdict};
use crate::peer::PeerId;
use crate::time::MeshTime;
use crate::transport::Replier;
use crate::wire::{Message, Put};

/// Questions for whose answers the disk has to be read, at one time. Further ones are told
/// [`Grant::Busy`].
pub(super) const MAX_LOADS: usize = 64;

impl Fleet {
    /// Answers a member that asks for leave to fetch.
    pub(crate) fn answer(self: &Arc<Self>, from: PeerId, question: Acquire, to: Replier) {
        let now = self.replica.now();
        if let Some(entry) = self.replica.get(&question.key, now) {
            return reply(to, self.word(from, &question, Some(entry)));
        }
        if self.replica.tier().is_none() {
            return reply(to, self.word(from, &question, None));
        }
        let Ok(room) = Arc::clone(&self.loads).try_acquire_owned() else {
            return reply(to, Grant::Busy);
        };
        let fleet = Arc::clone(self);
        self.tasks.spawn(async move {
            let entry = fleet.replica.load(question.key, now).await;
            reply(to, fleet.word(from, &question, entry));
            drop(room);
        });
    }

    fn word(&self, from: PeerId, question: &Acquire, held: Option<Entry>) -> Grant {
        if let Some(hit) = held.and_then(|entry| self.hit(question.key, entry, question.have)) {
            return hit;
        }
        let better = self.other_keeper(question);
        if let Some(better) = better.or_else(|| self.holder(from, question)) {
            return Grant::Redirect(better);
        }
        self.decide(&question.key, from, question.have, question.lease)
    }

    /// An entry for one who has that version, if it is of use.
    fn hit(&self, key: Key, entry: Entry, have: Option<MeshTime>) -> Option<Grant> {
        let is_of_use =
            Some(entry.stored_at()) > have && entry.fits_a_frame() && self.replica.is_fresh(&entry);
        is_of_use.then_some(Grant::Hit(Put { key, entry }))
    }

    pub(super) fn decide(
        &self,
        key: &Key,
        asker: PeerId,
        have: Option<MeshTime>,
        lease: Option<LeaseId>,
    ) -> Grant {
        let is_here = |holder: &PeerId| self.is_here(holder);
        match self.replica.leases.acquire(key, asker, lease, is_here) {
            Verdict::Granted(id) => {
                // What has come in since the asker's miss has ended the lease that it came by.
                let entry = self.replica.get(key, self.replica.now());
                match entry.and_then(|entry| self.hit(*key, entry, have)) {
                    Some(hit) => {
                        self.replica.leases.end(key);
                        hit
                    }
                    None => Grant::Granted(id),
                }
            }
            Verdict::Wait(id) => Grant::Wait(id),
            Verdict::Settled(settlement) => Grant::Settled(settlement),
            Verdict::Busy => Grant::Busy,
        }
    }
}

fn reply(to: Replier, grant: Grant) {
    if let Ok(frame) = Message::Grant(grant).encode() {
        to.send(frame);
    }
}
