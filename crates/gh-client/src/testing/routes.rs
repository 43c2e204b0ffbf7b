//! Which resource a path leads to.

mod issues;
mod owners;
mod repositories;

use http::Method;
use serde_json::{Value, json};

use super::asked::Asked;
use super::content::{Content, Repository};
use super::pages::Page;
use super::resource::{Refusal, Resource};
use super::tokens::Caller;

/// What one request is answered from.
pub(super) struct Visit<'a> {
    pub(super) content: &'a mut Content,
    pub(super) caller: &'a Caller,
    pub(super) asked: &'a Asked,
    /// Seconds since 1970.
    pub(super) now: u64,
}

impl Visit<'_> {
    /// The resource that was asked for. As on GitHub, a method that a path does not have is
    /// answered like a path that is not there.
    pub(super) fn resource(&mut self) -> Result<Resource, Refusal> {
        let segments = self.by_name(self.asked.segments());
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        let method = match self.asked.method {
            Method::HEAD => &Method::GET,
            ref method => method,
        };
        match (method.as_str(), path.as_slice()) {
            ("GET", []) => Ok(Resource::new(self.root())),
            ("GET", ["user"]) => self.authenticated_user(),
            ("GET", ["users", login]) => self.user(login),
            ("GET", ["users", login, "repos"]) => self.repositories_of_user(login),
            ("GET", ["orgs", login]) => self.organization(login),
            ("GET", ["orgs", login, "repos"]) => self.repositories_of_organization(login),
            ("GET", ["repos", owner, name]) => self.repository(owner, name),
            ("GET", ["repos", owner, name, "commits", reference @ ..]) => {
                self.commit(owner, name, &reference.join("/"))
            }
            ("GET", ["repos", owner, name, "actions", "runs"]) => self.runs(owner, name),
            ("GET", ["repos", owner, name, "actions", "runs", id]) => self.run(owner, name, id),
            ("GET", ["repos", owner, name, "actions", "runs", id, of_run]) => {
                self.of_run(owner, name, id, of_run)
            }
            ("GET", ["repos", owner, name, "check-runs", _, "annotations"]) => {
                self.visible(owner, name)?;
                Ok(Resource::new(json!([])))
            }
            ("GET", ["repos", owner, name, "actions", "workflows"]) => self.workflows(owner, name),
            ("GET", ["repos", owner, name, "actions", "workflows", id]) => {
                self.workflow(owner, name, id)
            }
            ("GET", ["repos", owner, name, "actions", "runners"]) => self.runners(owner, name),
            ("GET", ["repos", owner, name, "readme"]) => self.readme(owner, name),
            ("GET", ["repos", owner, name, "releases", which @ ..]) => {
                self.releases(owner, name, which)
            }
            ("GET", ["repos", owner, name, "issues"]) => self.issues(owner, name),
            ("POST", ["repos", owner, name, "issues"]) => self.open_issue(owner, name),
            ("GET", ["repos", owner, name, "issues", number]) => self.issue(owner, name, number),
            ("PATCH", ["repos", owner, name, "issues", number]) => {
                self.change_issue(owner, name, number)
            }
            ("GET", ["repos", owner, name, "pulls"]) => self.pulls(owner, name),
            ("GET", ["repos", owner, name, "pulls", number]) => self.pull(owner, name, number),
            _ => Err(Refusal::not_found()),
        }
    }

    /// The repository, where the caller may know that it exists.
    pub(super) fn visible(&self, owner: &str, name: &str) -> Result<&Repository, Refusal> {
        self.content
            .repository(owner, name)
            .filter(|repo| repo.is_visible_to(self.caller))
            .ok_or_else(Refusal::not_found)
    }

    /// One page of `items`, which are at `path`, each shown by `show`.
    fn list<T>(&self, items: &[T], path: &str, show: impl Fn(&T) -> Value) -> Resource {
        let page = Page::of(self.asked);
        let shown: Vec<Value> = items[page.range(items.len())].iter().map(show).collect();
        let link = page.link(self.asked, path, items.len());
        Resource::page(Value::Array(shown), link)
    }

    /// The same as a list, in an object that also tells how many items there are.
    fn counted_list<T>(
        &self,
        field: &str,
        items: &[T],
        path: &str,
        show: impl Fn(&T) -> Value,
    ) -> Resource {
        let list = self.list(items, path, show);
        let body = json!({ "total_count": items.len(), field: list.body });
        Resource { body, ..list }
    }

    /// The paths that `Link` leads to have ids where others have names.
    fn by_name(&self, segments: Vec<String>) -> Vec<String> {
        let named = match segments.as_slice() {
            [kind, id, ..] if id.parse::<u64>().is_ok() => self.name_of(kind, id),
            _ => None,
        };
        match named {
            Some(mut named) => {
                named.extend(segments.into_iter().skip(2));
                named
            }
            None => segments,
        }
    }

    fn name_of(&self, kind: &str, id: &str) -> Option<Vec<String>> {
        let id = id.parse().ok()?;
        match kind {
            "repositories" => self.content.repository_with_id(id).map(|repo| {
                let (owner, name) = (repo.owner.clone(), repo.name.clone());
                vec!["repos".to_owned(), owner, name]
            }),
            "organizations" | "user" => self.content.owner_with_id(id).map(|owner| {
                let kind = if kind == "user" { "users" } else { "orgs" };
                vec![kind.to_owned(), owner.login.clone()]
            }),
            _ => None,
        }
    }

    /// `GET /`: where things are. Clients ask for it to learn a token's scopes.
    fn root(&self) -> Value {
        let at = |path: &str| self.content.url(path);
        json!({
            "current_user_url": at("/user"),
            "organization_url": at("/orgs/{org}"),
            "organization_repositories_url":
                at("/orgs/{org}/repos{?type,page,per_page,sort}"),
            "rate_limit_url": at("/rate_limit"),
            "repository_url": at("/repos/{owner}/{repo}"),
            "user_url": at("/users/{user}"),
            "user_repositories_url": at("/users/{user}/repos{?type,page,per_page,sort}"),
        })
    }
}
