//! What there is to be seen: owners, repositories, and what is in them.

mod issues;
mod owners;
mod releases;
mod repositories;
mod runs;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use issues::Ticket;
pub use owners::Owner;
pub(super) use runs::{Run, runners};

use super::seed;
use super::tokens::{Caller, Token};

/// All owners and repositories. Names are compared without regard to case, as on GitHub.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// Where the API is, for the `url` fields.
    base: String,
    owners: BTreeMap<String, Owner>,
    repositories: BTreeMap<String, Repository>,
    /// How many times a path has been touched.
    revisions: BTreeMap<String, u64>,
}

/// A repository, as far as it does not follow from its name.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) owner: String,
    pub(super) name: String,
    /// The tokens that may see it; `None` where everybody may.
    visible_to: Option<BTreeSet<String>>,
    pub(super) tickets: Vec<Ticket>,
}

impl Repository {
    fn new(owner: &str, name: &str) -> Self {
        let full_name = format!("{owner}/{name}");
        Self {
            id: seed::id(&full_name),
            owner: owner.to_owned(),
            name: name.to_owned(),
            visible_to: None,
            tickets: issues::seeded(&full_name),
        }
    }

    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    pub(super) fn is_private(&self) -> bool {
        self.visible_to.is_some()
    }

    pub(super) fn is_visible_to(&self, caller: &Caller) -> bool {
        match (&self.visible_to, caller.token()) {
            (None, _) => true,
            (Some(tokens), Some(token)) => {
                tokens.contains(&token.text) || tokens.contains(token.holder())
            }
            (Some(_), None) => false,
        }
    }
}

impl Content {
    pub(super) fn new(base: &str, owners: Vec<Owner>) -> Self {
        let mut content = Self {
            base: base.to_owned(),
            ..Self::default()
        };
        for owner in owners {
            content.add_owner(owner);
        }
        content
    }

    pub(super) fn add_owner(&mut self, owner: Owner) {
        for name in owner.repository_names() {
            self.repository_named(&owner.login, &name);
        }
        self.owners.insert(owner.login.to_ascii_lowercase(), owner);
    }

    /// Makes sure that there is a user for whom a token can speak.
    pub(super) fn add_user_of(&mut self, token: &Token) {
        if self.owner(&token.login).is_none() {
            self.add_owner(Owner::user(&token.login));
        }
    }

    /// Makes a repository, new or old, visible to these tokens alone.
    pub(super) fn hide(&mut self, owner: &str, name: &str, tokens: BTreeSet<String>) {
        if self.owner(owner).is_none() {
            self.add_owner(Owner::user(owner));
        }
        self.repository_named(owner, name).visible_to = Some(tokens);
    }

    fn repository_named(&mut self, owner: &str, name: &str) -> &mut Repository {
        self.repositories
            .entry(repository_key(owner, name))
            .or_insert_with(|| Repository::new(owner, name))
    }

    pub(super) fn owner(&self, login: &str) -> Option<&Owner> {
        self.owners.get(&login.to_ascii_lowercase())
    }

    pub(super) fn owner_with_id(&self, id: u64) -> Option<&Owner> {
        self.owners.values().find(|owner| owner.id() == id)
    }

    pub(super) fn repository(&self, owner: &str, name: &str) -> Option<&Repository> {
        self.repositories.get(&repository_key(owner, name))
    }

    pub(super) fn repository_mut(&mut self, owner: &str, name: &str) -> Option<&mut Repository> {
        self.repositories.get_mut(&repository_key(owner, name))
    }

    pub(super) fn repositories(&self) -> impl Iterator<Item = &Repository> {
        self.repositories.values()
    }

    pub(super) fn repository_with_id(&self, id: u64) -> Option<&Repository> {
        self.repositories.values().find(|repo| repo.id == id)
    }

    /// An owner's repositories that the caller may see, by name.
    pub(super) fn repositories_of(&self, login: &str, caller: &Caller) -> Vec<&Repository> {
        self.repositories
            .values()
            .filter(|repo| repo.owner.eq_ignore_ascii_case(login) && repo.is_visible_to(caller))
            .collect()
    }

    /// Whether the caller owns what belongs to `login`, or is an admin of it.
    pub(super) fn is_admin(&self, login: &str, caller: &Caller) -> bool {
        match (self.owner(login), caller.token()) {
            (Some(owner), Some(token)) if !token.is_installation() => owner.is_run_by(&token.login),
            _ => false,
        }
    }

    /// Makes what is at this path look changed a second later than before.
    pub(super) fn touch(&mut self, path: &str) {
        *self.revisions.entry(path.to_ascii_lowercase()).or_default() += 1;
    }

    /// When what is at this path was last changed.
    fn updated_at(&self, path: &str) -> u64 {
        let revision = self.revisions.get(&path.to_ascii_lowercase());
        seed::updated_at(&path.to_ascii_lowercase()) + revision.copied().unwrap_or_default()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn repository_key(owner: &str, name: &str) -> String {
    format!("{owner}/{name}").to_ascii_lowercase()
}

/// A page for people, which the stand-in does not have.
fn html_url(path: &str) -> String {
    format!("https://github.com{path}")
}
