//! How long an answer is fresh, by what it is about.

use std::time::Duration;

use headers::{CacheControl, HeaderMapExt};
use http::HeaderMap;
use serde::Deserialize;

use crate::pattern::{self, PathPattern, is_hash};

/// An operator's word on how long answers of some paths are fresh. It counts for more than the
/// built-in table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TtlRule {
    /// The paths, below the API's own.
    pub path: PathPattern,
    /// For how long their answers are fresh.
    pub ttl: Duration,
}

/// What there is to know of an answer that bears on how long it is fresh.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    /// The path that was asked for, below the API's own.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// How answers of one kind behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Named by its own hash: it can never change.
    Immutable,
    /// Fresh for an hour once the body says that it is completed; lively until then.
    Run,
    /// What changes rarely: who somebody is, what a repository is called.
    Slow,
    /// Lists of which nothing more is known; the operator says.
    Default,
    /// What people and machines work on; past this a conditional request costs nothing.
    Lively,
    Search,
}

/// The longest that an answer is ever fresh.
pub(crate) const LONGEST: Duration = IMMUTABLE;

const IMMUTABLE: Duration = Duration::from_secs(7 * 24 * 3600);
const SLOW: Duration = Duration::from_secs(3600);
const LIVELY: Duration = Duration::from_secs(30);
const SEARCH: Duration = Duration::from_secs(60);

/// What kind of answer lies at a path. The first row that matches counts.
///
/// A repository's paths stand here as `/repos/*/*`. The links to further pages of a list name it
/// by its number, as `/repositories/*`; that, too, is looked up here.
const TABLE: &[(&str, Class)] = &[
    // Objects that are named by their own hash.
    ("/repos/*/*/git/blobs/{sha}", Class::Immutable),
    ("/repos/*/*/git/trees/{sha}", Class::Immutable),
    ("/repos/*/*/git/commits/{sha}", Class::Immutable),
    ("/repos/*/*/git/tags/{sha}", Class::Immutable),
    ("/repos/*/*/commits/{sha}", Class::Immutable),
    ("/repos/*/*/compare/{sha}...{sha}", Class::Immutable),
    // Runs and jobs.
    ("/repos/*/*/actions/runs/*", Class::Run),
    ("/repos/*/*/actions/runs/*/attempts/*", Class::Run),
    ("/repos/*/*/actions/jobs/*", Class::Run),
    // What is worked on.
    ("/repos/*/*/pulls/**", Class::Lively),
    ("/repos/*/*/issues/**", Class::Lively),
    ("/repos/*/*/comments/**", Class::Lively),
    ("/repos/*/*/actions/**", Class::Lively),
    ("/repos/*/*/check-runs/**", Class::Lively),
    ("/repos/*/*/check-suites/**", Class::Lively),
    ("/repos/*/*/statuses/**", Class::Lively),
    ("/repos/*/*/deployments/**", Class::Lively),
    ("/repos/*/*/events", Class::Lively),
    ("/repos/*/*/notifications", Class::Lively),
    ("/networks/*/*/events", Class::Lively),
    ("/orgs/*/actions/**", Class::Lively),
    ("/orgs/*/events", Class::Lively),
    ("/orgs/*/issues", Class::Lively),
    ("/enterprises/*/actions/**", Class::Lively),
    ("/users/*/events/**", Class::Lively),
    ("/users/*/received_events/**", Class::Lively),
    ("/user/issues", Class::Lively),
    ("/issues", Class::Lively),
    ("/events", Class::Lively),
    ("/notifications/**", Class::Lively),
    ("/graphql", Class::Lively),
    // Lists.
    ("/repos/*/*/releases/**", Class::Default),
    ("/repos/*/*/tags", Class::Default),
    ("/repos/*/*/branches/**", Class::Default),
    ("/repos/*/*/contents/**", Class::Default),
    ("/orgs/*/repos", Class::Default),
    ("/users/*/repos", Class::Default),
    ("/user/repos", Class::Default),
    // What changes rarely.
    ("/user", Class::Slow),
    ("/users/*", Class::Slow),
    ("/orgs/*", Class::Slow),
    ("/repos/*/*", Class::Slow),
    ("/repos/*/*/license", Class::Slow),
    ("/repos/*/*/topics", Class::Slow),
    ("/repos/*/*/languages", Class::Slow),
    ("/licenses/**", Class::Slow),
    ("/search/**", Class::Search),
];

/// What people and machines say of a commit: the last segment of a path below it.
const OF_A_COMMIT: [&str; 6] = [
    "check-runs",
    "check-suites",
    "comments",
    "pulls",
    "status",
    "statuses",
];

/// For how long an answer is fresh: by the operator's rules, else by the table, else by the
/// operator's default; for what the table does not know, no shorter than GitHub's own `max-age`.
pub(crate) fn ttl(about: &About<'_>, rules: &[TtlRule], default: Duration) -> Duration {
    let path = by_name(about.path);
    if let Some(rule) = rules.iter().find(|rule| rule.path.matches(&path)) {
        return rule.ttl;
    }
    match class(&path, about.query) {
        Some(Class::Immutable) => IMMUTABLE,
        Some(Class::Run) if is_completed(about.body) => SLOW,
        Some(Class::Run | Class::Lively) => LIVELY,
        Some(Class::Slow) => SLOW,
        Some(Class::Search) => SEARCH,
        Some(Class::Default) => default,
        None => default.max(max_age(about.headers)),
    }
}

/// Whether what lies at a path is a search.
pub(crate) fn is_search(path: &str) -> bool {
    class(path, "") == Some(Class::Search)
}

fn class(path: &str, query: &str) -> Option<Class> {
    let is_content_of_a_commit = pattern::matches("/repos/*/*/contents/**", path)
        && query
            .split('&')
            .any(|pair| pair.strip_prefix("ref=").is_some_and(is_hash));
    if is_content_of_a_commit {
        return Some(Class::Immutable);
    }
    // What is said of a commit, by its hash or by a ref of as many segments as it has.
    let is_of_a_commit = pattern::matches("/repos/*/*/commits/*/**", path);
    let last = path.rsplit('/').next().unwrap_or_default();
    if is_of_a_commit && OF_A_COMMIT.contains(&last) {
        return Some(Class::Lively);
    }
    let row = TABLE.iter().find(|(row, _)| pattern::matches(row, path));
    row.map(|(_, class)| *class)
}

/// The path with a place for the owner's and the repository's name where it has their number, as
/// the URLs in GitHub's
/// [`Link`](https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api)
/// do.
fn by_name(path: &str) -> String {
    let mut segments: Vec<&str> = path.split('/').collect();
    match segments.as_mut_slice() {
        ["", kind @ "repositories", id, ..] if is_number(id) => {
            *kind = "repos";
            segments.insert(2, "_");
        }
        ["", kind @ "organizations", id, ..] if is_number(id) => *kind = "orgs",
        ["", kind @ "user", id, ..] if is_number(id) => *kind = "users",
        _ => return path.to_owned(),
    }
    segments.join("/")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What GitHub itself says: `private, max-age=60, s-maxage=60` in nearly all cases.
fn max_age(headers: &HeaderMap) -> Duration {
    let control = headers.typed_get::<CacheControl>();
    control
        .and_then(|control| control.max_age())
        .unwrap_or_default()
}

/// Whether a workflow run or a job has come to its end.
fn is_completed(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Run {
        status: String,
    }
    serde_json::from_slice::<Run>(body).is_ok_and(|run| run.status == "completed")
}

#[cfg(test)]
mod tests;
