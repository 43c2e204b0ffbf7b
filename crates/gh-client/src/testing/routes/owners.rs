//! Users, organisations, and their lists of repositories.

use http::StatusCode;

use super::Visit;
use crate::testing::content::Owner;
use crate::testing::resource::{Refusal, Resource};

impl Visit<'_> {
    /// <https://docs.github.com/rest/users/users#get-the-authenticated-user>
    pub(super) fn authenticated_user(&self) -> Result<Resource, Refusal> {
        let Some(token) = self.caller.token() else {
            return Err(Refusal::requires_authentication());
        };
        if token.is_installation() {
            let message = "Resource not accessible by integration";
            return Err(Refusal::new(StatusCode::FORBIDDEN, message));
        }
        let user = self.owner(&token.login)?;
        Ok(Resource::changed_at(
            self.content.authenticated_user(user, self.caller),
            self.content.owner_updated_at(user),
        ))
    }

    /// <https://docs.github.com/rest/users/users#get-a-user>
    pub(super) fn user(&self, login: &str) -> Result<Resource, Refusal> {
        let user = self.owner(login)?;
        Ok(Resource::changed_at(
            self.content.user(user, self.caller),
            self.content.owner_updated_at(user),
        ))
    }

    /// <https://docs.github.com/rest/orgs/orgs#get-an-organization>
    pub(super) fn organization(&self, login: &str) -> Result<Resource, Refusal> {
        let organization = self.organization_named(login)?;
        Ok(Resource::changed_at(
            self.content.organization(organization, self.caller),
            self.content.owner_updated_at(organization),
        ))
    }

    /// <https://docs.github.com/rest/repos/repos#list-repositories-for-a-user>
    pub(super) fn repositories_of_user(&self, login: &str) -> Result<Resource, Refusal> {
        let user = self.owner(login)?;
        Ok(self.repositories_of(user, &format!("/user/{}/repos", user.id())))
    }

    /// <https://docs.github.com/rest/repos/repos#list-organization-repositories>
    pub(super) fn repositories_of_organization(&self, login: &str) -> Result<Resource, Refusal> {
        let organization = self.organization_named(login)?;
        let path = format!("/organizations/{}/repos", organization.id());
        Ok(self.repositories_of(organization, &path))
    }

    fn repositories_of(&self, owner: &Owner, path: &str) -> Resource {
        let repositories = self.content.repositories_of(&owner.login, self.caller);
        self.list(&repositories, path, |repo| {
            self.content.listed_repository(repo, self.caller)
        })
    }

    fn owner(&self, login: &str) -> Result<&Owner, Refusal> {
        self.content.owner(login).ok_or_else(Refusal::not_found)
    }

    fn organization_named(&self, login: &str) -> Result<&Owner, Refusal> {
        let owner = self.owner(login)?;
        if owner.is_org() {
            Ok(owner)
        } else {
            Err(Refusal::not_found())
        }
    }
}
