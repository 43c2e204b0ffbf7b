//! Issues, which can be opened and changed, and pull requests.

use http::StatusCode;
use serde_json::{Map, Value};

use super::Visit;
use crate::testing::content::{Repository, Ticket};
use crate::testing::resource::{Refusal, Resource};

impl Visit<'_> {
    /// <https://docs.github.com/rest/issues/issues#list-repository-issues>
    pub(super) fn issues(&self, owner: &str, name: &str) -> Result<Resource, Refusal> {
        let repo = self.visible(owner, name)?;
        let issues = self.in_wanted_state(repo, |_| true);
        let path = format!("/repositories/{}/issues", repo.id);
        Ok(self.list(&issues, &path, |issue| self.content.issue(repo, issue)))
    }

    /// <https://docs.github.com/rest/issues/issues#get-an-issue>
    pub(super) fn issue(&self, owner: &str, name: &str, number: &str) -> Result<Resource, Refusal> {
        let repo = self.visible(owner, name)?;
        let issue = ticket(repo, number, |_| true)?;
        Ok(Resource::changed_at(
            self.content.issue(repo, issue),
            self.content.ticket_updated_at(repo, issue),
        ))
    }

    /// <https://docs.github.com/rest/pulls/pulls#list-pull-requests>
    pub(super) fn pulls(&self, owner: &str, name: &str) -> Result<Resource, Refusal> {
        let repo = self.visible(owner, name)?;
        let pulls = self.in_wanted_state(repo, |ticket| ticket.is_pull);
        let path = format!("/repositories/{}/pulls", repo.id);
        Ok(self.list(&pulls, &path, |pull| self.content.listed_pull(repo, pull)))
    }

    /// <https://docs.github.com/rest/pulls/pulls#get-a-pull-request>
    pub(super) fn pull(&self, owner: &str, name: &str, number: &str) -> Result<Resource, Refusal> {
        let repo = self.visible(owner, name)?;
        let pull = ticket(repo, number, |ticket| ticket.is_pull)?;
        Ok(Resource::changed_at(
            self.content.full_pull(repo, pull),
            self.content.ticket_updated_at(repo, pull),
        ))
    }

    /// <https://docs.github.com/rest/issues/issues#create-an-issue>
    pub(super) fn open_issue(&mut self, owner: &str, name: &str) -> Result<Resource, Refusal> {
        let path = self.visible(owner, name)?.path();
        let Some(author) = self.caller.token().map(|token| token.login.clone()) else {
            return Err(Refusal::requires_authentication());
        };
        let fields = self.fields()?;
        let title = text(&fields, "title")?
            .filter(|title| !title.is_empty())
            .ok_or_else(|| Refusal::invalid_issue("missing_field", "title"))?;
        let body = text(&fields, "body")?;
        let repo = self.writable(owner, name)?;
        let last = repo.tickets.iter().map(|ticket| ticket.number).max();
        let number = last.unwrap_or_default() + 1;
        let mut issue = Ticket::opened(number, &author, &title, self.now);
        issue.body = body;
        self.writable(owner, name)?.tickets.push(issue.clone());
        // Its count of open issues is another one now.
        self.content.touch(&path);
        let repo = self.visible(owner, name)?;
        let location = self.content.url(&format!("{path}/issues/{number}"));
        Ok(Resource::created(
            self.content.issue(repo, &issue),
            location,
        ))
    }

    /// <https://docs.github.com/rest/issues/issues#update-an-issue>
    pub(super) fn change_issue(
        &mut self,
        owner: &str,
        name: &str,
        number: &str,
    ) -> Result<Resource, Refusal> {
        let repo = self.visible(owner, name)?;
        let path = repo.path();
        let wrote_it = {
            let author = &ticket(repo, number, |_| true)?.author;
            let caller = self.caller.token();
            caller
                .ok_or_else(Refusal::requires_authentication)?
                .login
                .eq_ignore_ascii_case(author)
        };
        if !wrote_it && !self.content.is_admin(owner, self.caller) {
            return Err(Refusal::must_have_admin_rights());
        }
        let change = Change::read(&self.fields()?)?;
        let now = self.now;
        let number = ticket(repo, number, |_| true)?.number;
        let tickets = &mut self.writable(owner, name)?.tickets;
        for issue in tickets.iter_mut().filter(|issue| issue.number == number) {
            change.apply_to(issue, now);
        }
        self.content.touch(&path);
        self.issue(owner, name, &number.to_string())
    }

    /// A repository's issues, or pull requests, in the state that was asked for; the newest first.
    fn in_wanted_state<'a>(
        &self,
        repo: &'a Repository,
        wanted: impl Fn(&Ticket) -> bool,
    ) -> Vec<&'a Ticket> {
        let state = self.asked.query("state").unwrap_or("open");
        let in_state = |ticket: &Ticket| state == "all" || ticket.open == (state == "open");
        repo.tickets
            .iter()
            .rev()
            .filter(|ticket| in_state(ticket) && wanted(ticket))
            .collect()
    }

    fn writable(&mut self, owner: &str, name: &str) -> Result<&mut Repository, Refusal> {
        self.content
            .repository_mut(owner, name)
            .ok_or_else(Refusal::not_found)
    }

    /// The request's body, which has to be a JSON object.
    fn fields(&self) -> Result<Map<String, Value>, Refusal> {
        serde_json::from_slice(&self.asked.body)
            .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "Problems parsing JSON"))
    }
}

/// What a `PATCH` wants changed.
struct Change {
    title: Option<String>,
    body: Option<String>,
    open: Option<bool>,
    reason: Option<String>,
}

impl Change {
    fn read(fields: &Map<String, Value>) -> Result<Self, Refusal> {
        let open = match text(fields, "state")?.as_deref() {
            None => None,
            Some("open") => Some(true),
            Some("closed") => Some(false),
            Some(_) => return Err(Refusal::invalid_issue("invalid", "state")),
        };
        Ok(Self {
            title: text(fields, "title")?,
            body: text(fields, "body")?,
            open,
            reason: text(fields, "state_reason")?,
        })
    }

    fn apply_to(&self, issue: &mut Ticket, now: u64) {
        if let Some(title) = &self.title {
            issue.title.clone_from(title);
        }
        if self.body.is_some() {
            issue.body.clone_from(&self.body);
        }
        match self.open {
            Some(true) => issue.reopen(),
            Some(false) => issue.close(self.reason.as_deref().unwrap_or("completed"), now),
            None => {}
        }
        issue.updated_at = now;
    }
}

fn ticket<'a>(
    repo: &'a Repository,
    number: &str,
    wanted: impl Fn(&Ticket) -> bool,
) -> Result<&'a Ticket, Refusal> {
    let number: u64 = number.parse().map_err(|_| Refusal::not_found())?;
    repo.tickets
        .iter()
        .find(|ticket| ticket.number == number && wanted(ticket))
        .ok_or_else(Refusal::not_found)
}

/// A field that has to be a string where it is there. `null` counts as absent.
fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::invalid_issue("invalid", name)),
    }
}
