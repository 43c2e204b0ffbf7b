//! In which scopes there are answers to a question.

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use crate::key::{Family, Key, Scope};

/// The scopes of the entries in memory, by family.
///
/// It is as large as the number of entries, which the store bounds. It may be behind the store for
/// a moment: a scope that is missing makes at worst a miss, and one too many finds no entry.
///
/// A family goes by its first eight bytes, which keeps the table small. Two that share them find
/// each other's scopes, where there is no entry of theirs.
#[derive(Debug, Default)]
pub(crate) struct Families(DashMap<[u8; 8], Scopes>);

/// Nearly every family has one.
#[derive(Debug)]
enum Scopes {
    One(Scope),
    Many(Vec<Scope>),
}

impl Families {
    /// Takes note of an entry that has come in.
    pub(crate) fn add(&self, key: Key) {
        match self.0.entry(short(&key.family)) {
            Entry::Vacant(family) => {
                family.insert(Scopes::One(key.scope));
            }
            Entry::Occupied(mut family) => family.get_mut().add(key.scope),
        }
    }

    /// Takes note of an entry that is gone.
    pub(crate) fn remove(&self, key: &Key) {
        if let Entry::Occupied(mut family) = self.0.entry(short(&key.family))
            && family.get_mut().remove(key.scope)
        {
            family.remove();
        }
    }

    /// The scopes of a family.
    pub(crate) fn scopes(&self, family: &Family) -> Vec<Scope> {
        let scopes = self.0.get(&short(family));
        scopes.map_or_else(Vec::new, |scopes| scopes.as_slice().to_vec())
    }
}

impl Scopes {
    fn as_slice(&self) -> &[Scope] {
        match self {
            Self::One(scope) => std::slice::from_ref(scope),
            Self::Many(scopes) => scopes,
        }
    }

    fn add(&mut self, scope: Scope) {
        match self {
            Self::One(one) if *one == scope => {}
            Self::One(one) => *self = Self::Many(vec![*one, scope]),
            Self::Many(scopes) if scopes.contains(&scope) => {}
            Self::Many(scopes) => scopes.push(scope),
        }
    }

    /// Removes a scope; tells whether none is left.
    fn remove(&mut self, scope: Scope) -> bool {
        match self {
            Self::One(one) => *one == scope,
            Self::Many(scopes) => {
                scopes.retain(|held| *held != scope);
                scopes.is_empty()
            }
        }
    }
}

fn short(family: &Family) -> [u8; 8] {
    let mut short = [0; 8];
    short.copy_from_slice(&family.as_bytes()[..8]);
    short
}

#[cfg(test)]
mod tests;
