//! Who decides which member fetches a key: its *owner*.

use std::cmp::Reverse;

use crate::key::Key;
use crate::peer::PeerId;

/// These members, the one first who is the owner of `key`, then those who would be in its absence.
///
/// Members who see the same members agree, without a word between them, and the keys of one who
/// leaves fall to all the others alike
/// ([rendezvous hashing](https://doi.org/10.1109/90.663936)).
pub(crate) fn in_order(key: &Key, members: impl IntoIterator<Item = PeerId>) -> Vec<PeerId> {
    let mut members: Vec<_> = members.into_iter().collect();
    members.sort_by_cached_key(|member| (Reverse(closeness(key, member)), *member));
    members.dedup();
    members
}

fn closeness(key: &Key, member: &PeerId) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.family.as_bytes());
    hasher.update(key.scope.as_bytes());
    hasher.update(member.as_bytes());
    let mut closeness = [0; 16];
    hasher.finalize_xof().fill(&mut closeness);
    closeness
}

#[cfg(test)]
mod tests;
