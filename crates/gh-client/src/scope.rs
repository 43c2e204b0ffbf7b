//! Whose answers are whose: the scope that a principal's answers are filed under, and who has yet
//! to prove the right to see them.

use std::str::FromStr;

use cache_core::Scope;
use http::StatusCode;
use moka::sync::Cache;

use crate::credential::{Credential, PrincipalKey};

/// Who is shown an answer without GitHub being asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// The credentials to which GitHub has shown this very answer: the one that got it, and each
    /// that has got a 304 for it, which costs nothing.
    #[default]
    Token,
    /// All credentials that are used within the fleet, as if they were one: for fleets whose jobs
    /// have equal rights. One that this node has not seen yet first needs an answer of GitHub's
    /// own.
    Fleet,
}

/// The text names no way of sharing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write token or fleet")]
pub struct InvalidSharing;

impl FromStr for Sharing {
    type Err = InvalidSharing;

    fn from_str(text: &str) -> Result<Self, InvalidSharing> {
        match text {
            "token" => Ok(Self::Token),
            "fleet" => Ok(Self::Fleet),
            _ => Err(InvalidSharing),
        }
    }
}

/// What a principal may be shown of the entries in its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Those that are fresh, at once.
    Known,
    /// None before GitHub has said 2xx or 304 to it.
    Unproven,
}

/// Principals that are remembered, of each kind. At the bound those that were not heard of for
/// longest are forgotten: known ones have to prove themselves once more, and refused ones are
/// treated as any other.
const MAX_PRINCIPALS: u64 = 65_536;

/// Knows each principal's scope and standing on this node.
#[derive(Clone, Debug)]
pub(crate) struct Scopes {
    key: PrincipalKey,
    sharing: Sharing,
    /// GitHub has said 2xx or 304 to them.
    proven: Cache<Scope, ()>,
    /// GitHub has said 401 to them, and nothing better since.
    refused: Cache<Scope, ()>,
}

impl Scopes {
    pub(crate) fn new(key: PrincipalKey, sharing: Sharing) -> Self {
        Self {
            key,
            sharing,
            proven: Cache::new(MAX_PRINCIPALS),
            refused: Cache::new(MAX_PRINCIPALS),
        }
    }

    pub(crate) fn principal(&self, credential: Option<&Credential>) -> Scope {
        self.key.principal(credential)
    }

    /// The scope under which a principal's answers are filed.
    pub(crate) fn scope_of(&self, principal: Scope) -> Scope {
        match self.sharing {
            Sharing::Fleet if principal != Scope::PUBLIC => self.key.fleet(),
            _ => principal,
        }
    }

    pub(crate) fn standing(&self, principal: Scope) -> Standing {
        let is_known = match self.sharing {
            _ if principal == Scope::PUBLIC => true,
            Sharing::Token => !self.refused.contains_key(&principal),
            Sharing::Fleet => self.proven.get(&principal).is_some(),
        };
        if is_known {
            Standing::Known
        } else {
            Standing::Unproven
        }
    }

    /// Takes note of what GitHub has said to a principal.
    pub(crate) fn observe(&self, principal: Scope, status: StatusCode) {
        if principal == Scope::PUBLIC {
            return;
        }
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            self.refused.invalidate(&principal);
            if self.sharing == Sharing::Fleet {
                self.proven.insert(principal, ());
            }
        } else if status == StatusCode::UNAUTHORIZED {
            self.refused.insert(principal, ());
            self.proven.invalidate(&principal);
        }
    }

    /// Has a principal prove itself again: it was refused what it could see before.
    pub(crate) fn doubt(&self, principal: Scope) {
        self.proven.invalidate(&principal);
    }
}

#[cfg(test)]
mod tests;
