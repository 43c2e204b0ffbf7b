//! Whose answers are whose: the scope that a principal's answers are filed under, and who has yet
//! to prove the right to see them.

use std::str::FromStr;
use std::time::Duration;

use cache_core::{Family, MeshTime, Scope};
use http::StatusCode;

use crate::credential::{Credential, PrincipalKey};
use crate::views::{View, Views};

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

/// For how long a fleet takes a credential for good that GitHub has answered. An installation's token
/// is over after [an hour](https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-an-installation-access-token-for-a-github-app),
/// whether GitHub has been asked with it again or not.
const STANDING: Duration = Duration::from_secs(3600);

/// Knows each principal's scope and standing.
#[derive(Clone, Debug)]
pub(crate) struct Scopes {
    key: PrincipalKey,
    sharing: Sharing,
    views: Views,
}

impl Scopes {
    pub(crate) fn new(key: PrincipalKey, sharing: Sharing, views: Views) -> Self {
        Self {
            key,
            sharing,
            views,
        }
    }

    /// The same scopes, with these words on them.
    #[cfg(test)]
    pub(crate) fn knowing(self, views: Views) -> Self {
        Self { views, ..self }
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

    /// What a principal may be shown without GitHub being asked.
    pub(crate) fn standing(&self, principal: Scope, now: MeshTime) -> Standing {
        if principal == Scope::PUBLIC {
            return Standing::Known;
        }
        let is_known = match (self.views.word(View::all_of(principal)), self.sharing) {
            (Some(word), _) if word.is_refusal => false,
            (_, Sharing::Token) => true,
            (Some(word), Sharing::Fleet) => word.at.saturating_add(STANDING) > now,
            (None, Sharing::Fleet) => false,
        };
        if is_known {
            Standing::Known
        } else {
            Standing::Unproven
        }
    }

    /// The same for one answer, of which its view may have ended.
    pub(crate) fn standing_at(&self, principal: Scope, family: Family, now: MeshTime) -> Standing {
        match self.views.word(View::of(principal, family)) {
            Some(word) if word.is_refusal => Standing::Unproven,
            _ => self.standing(principal, now),
        }
    }

    /// Takes note of what GitHub has said to a principal.
    pub(crate) fn observe(&self, principal: Scope, status: StatusCode, now: MeshTime) {
        if principal == Scope::PUBLIC {
            return;
        }
        let view = View::all_of(principal);
        if status == StatusCode::UNAUTHORIZED {
            self.views.end(view, now);
        } else if status.is_success() || status == StatusCode::NOT_MODIFIED {
            match self.sharing {
                Sharing::Fleet => self.views.grant(view, now),
                Sharing::Token => self.views.restore(view, now),
            }
        }
    }

    /// Takes note of an answer that GitHub has shown to a principal.
    pub(crate) fn show(&self, principal: Scope, family: Family, now: MeshTime) {
        self.views.restore(View::of(principal, family), now);
    }

    /// Takes note of an answer that GitHub has refused to a principal. One that could see it before
    /// has to prove itself again, whatever it asks for.
    pub(crate) fn refuse(&self, principal: Scope, family: Family, now: MeshTime) {
        self.views.end(View::of(principal, family), now);
        self.views.doubt(View::all_of(principal));
    }
}

#[cfg(test)]
mod tests;
