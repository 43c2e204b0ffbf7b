//! Users and organisations.

use serde_json::{Map, Value, json};

use super::{Content, html_url};
use crate::testing::seed;
use crate::testing::tokens::Caller;

/// A user or an organisation, with its repositories.
///
/// ```
/// use gh_client::testing::Owner;
///
/// let ours = Owner::org("acme").admin("mona").repositories(250, "service");
/// let hers = Owner::user("mona").repository("dotfiles");
/// ```
#[derive(Clone, Debug)]
pub struct Owner {
    pub(in crate::testing) login: String,
    is_org: bool,
    admins: Vec<String>,
    repositories: Vec<String>,
}

impl Owner {
    /// A user without repositories.
    pub fn user(login: impl Into<String>) -> Self {
        Self {
            login: login.into(),
            is_org: false,
            admins: Vec::new(),
            repositories: Vec::new(),
        }
    }

    /// An organisation without repositories.
    pub fn org(login: impl Into<String>) -> Self {
        Self {
            is_org: true,
            ..Self::user(login)
        }
    }

    /// Adds a user who may do everything in this organisation.
    #[must_use]
    pub fn admin(mut self, login: impl Into<String>) -> Self {
        self.admins.push(login.into());
        self
    }

    /// Adds `count` repositories: `prefix-000`, `prefix-001` and so on.
    #[must_use]
    pub fn repositories(mut self, count: usize, prefix: &str) -> Self {
        self.repositories
            .extend((0..count).map(|number| format!("{prefix}-{number:03}")));
        self
    }

    /// Adds one repository.
    #[must_use]
    pub fn repository(mut self, name: impl Into<String>) -> Self {
        self.repositories.push(name.into());
        self
    }

    pub(super) fn repository_names(&self) -> Vec<String> {
        self.repositories.clone()
    }

    pub(super) fn is_run_by(&self, login: &str) -> bool {
        let is = |name: &String| name.eq_ignore_ascii_case(login);
        if self.is_org {
            self.admins.iter().any(is)
        } else {
            is(&self.login)
        }
    }

    pub(in crate::testing) fn is_org(&self) -> bool {
        self.is_org
    }

    pub(in crate::testing) fn id(&self) -> u64 {
        seed::id(&self.login.to_ascii_lowercase())
    }

    /// The path at which its profile is.
    fn path(&self) -> String {
        let kind = if self.is_org { "orgs" } else { "users" };
        format!("/{kind}/{}", self.login)
    }
}

impl Content {
    /// When an owner's profile was last changed.
    pub(in crate::testing) fn owner_updated_at(&self, owner: &Owner) -> u64 {
        self.updated_at(&owner.path())
    }

    /// A user or an organisation as other things name it: its `owner`, `user`, `actor`.
    pub(in crate::testing) fn simple_user(&self, login: &str) -> Value {
        let unlisted = Owner::user(login);
        let owner = self.owner(login).unwrap_or(&unlisted);
        let login = &owner.login;
        let (id, kind) = (owner.id(), kind_of(owner));
        let at = |rest: &str| self.url(&format!("/users/{login}{rest}"));
        json!({
            "login": login,
            "id": id,
            "node_id": seed::node_id(kind, id),
            "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
            "gravatar_id": "",
            "url": at(""),
            "html_url": html_url(&format!("/{login}")),
            "followers_url": at("/followers"),
            "following_url": at("/following{/other_user}"),
            "gists_url": at("/gists{/gist_id}"),
            "starred_url": at("/starred{/owner}{/repo}"),
            "subscriptions_url": at("/subscriptions"),
            "organizations_url": at("/orgs"),
            "repos_url": at("/repos"),
            "events_url": at("/events{/privacy}"),
            "received_events_url": at("/received_events"),
            "type": kind,
            "user_view_type": "public",
            "site_admin": false,
        })
    }

    /// `GET /users/{login}`, which shows organisations too.
    pub(in crate::testing) fn user(&self, owner: &Owner, caller: &Caller) -> Value {
        let mut user = self.simple_user(&owner.login);
        extend(&mut user, self.profile(owner, caller));
        extend(
            &mut user,
            json!({ "gravatar_id": "", "hireable": null, "bio": null }),
        );
        user
    }

    /// `GET /user`, which shows more than others see.
    pub(in crate::testing) fn authenticated_user(&self, owner: &Owner, caller: &Caller) -> Value {
        let mut user = self.user(owner, caller);
        extend(
            &mut user,
            json!({
                "user_view_type": "private",
                "private_gists": 0,
                "total_private_repos": 0,
                "owned_private_repos": 0,
                "disk_usage": 1024,
                "collaborators": 0,
                "two_factor_authentication": true,
                "plan": {
                    "name": "free",
                    "space": 976_562_499,
                    "collaborators": 0,
                    "private_repos": 10_000,
                },
            }),
        );
        user
    }

    /// `GET /orgs/{login}`.
    pub(in crate::testing) fn organization(&self, owner: &Owner, caller: &Caller) -> Value {
        let login = &owner.login;
        let mut organization = self.simple_organization(owner);
        extend(&mut organization, self.profile(owner, caller));
        extend(
            &mut organization,
            json!({
                "html_url": html_url(&format!("/{login}")),
                "type": "Organization",
                "is_verified": true,
                "has_organization_projects": true,
                "has_repository_projects": true,
                "archived_at": null,
            }),
        );
        organization
    }

    /// An organisation as a repository names it.
    fn simple_organization(&self, owner: &Owner) -> Value {
        let (login, id) = (&owner.login, owner.id());
        let at = |rest: &str| self.url(&format!("/orgs/{login}{rest}"));
        json!({
            "login": login,
            "id": id,
            "node_id": seed::node_id("Organization", id),
            "url": at(""),
            "repos_url": at("/repos"),
            "events_url": at("/events"),
            "hooks_url": at("/hooks"),
            "issues_url": at("/issues"),
            "members_url": at("/members{/member}"),
            "public_members_url": at("/public_members{/member}"),
            "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
            "description": format!("What {login} works on"),
        })
    }

    fn profile(&self, owner: &Owner, caller: &Caller) -> Value {
        let login = &owner.login;
        let public = self
            .repositories_of(login, caller)
            .iter()
            .filter(|repo| !repo.is_private())
            .count();
        json!({
            "name": login,
            "company": null,
            "blog": format!("https://{login}.example"),
            "location": "San Francisco",
            "email": null,
            "twitter_username": null,
            "public_repos": public,
            "public_gists": 8,
            "followers": owner.id() % 10_000,
            "following": 9,
            "created_at": seed::timestamp(seed::created_at(&owner.path().to_ascii_lowercase())),
            "updated_at": seed::timestamp(self.owner_updated_at(owner)),
        })
    }
}

/// Adds the fields of one object to another.
pub(super) fn extend(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend::<Map<String, Value>>(more);
    }
}

fn kind_of(owner: &Owner) -> &'static str {
    if owner.is_org { "Organization" } else { "User" }
}
