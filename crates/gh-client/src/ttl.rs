//! How long an answer is fresh, by what it is about.

use std::time::Duration;

use serde::Deserialize;

/// What can never change: an object named by its own hash.
const IMMUTABLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// What changes rarely: who somebody is, what a repository is called.
const SLOW: Duration = Duration::from_secs(3600);
/// What people and machines work on; past this a conditional request costs nothing.
const LIVELY: Duration = Duration::from_secs(30);
/// Search results.
const SEARCH: Duration = Duration::from_secs(60);

/// The longest that an answer is ever fresh.
pub(crate) const LONGEST: Duration = IMMUTABLE;

/// The time for which `body`, the answer to a GET of `path`, is fresh; `default` is the
/// operator's word for what the table does not know.
pub(crate) fn ttl(path: &str, body: &[u8], default: Duration) -> Duration {
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    match segments.as_slice() {
        ["search", ..] => SEARCH,
        ["user"] | ["users" | "orgs", _] | ["licenses", ..] => SLOW,
        ["notifications" | "events" | "issues", ..] => LIVELY,
        [
            "users" | "orgs",
            _,
            "events" | "received_events" | "actions",
            ..,
        ] => LIVELY,
        ["repos", _, _] => SLOW,
        ["repos", _, _, rest @ ..] => in_repository(rest, body, default),
        _ => default,
    }
}

fn in_repository(segments: &[&str], body: &[u8], default: Duration) -> Duration {
    match segments {
        ["git", "blobs" | "trees" | "commits" | "tags", hash] | ["commits", hash]
            if is_hash(hash) =>
        {
            IMMUTABLE
        }
        ["compare", range]
            if range.split("...").count() == 2 && range.split("...").all(is_hash) =>
        {
            IMMUTABLE
        }
        ["license" | "languages" | "topics"] => SLOW,
        ["actions", "runs" | "jobs", _] if is_completed(body) => SLOW,
        [
            "pulls" | "issues" | "comments" | "actions" | "check-runs" | "check-suites"
            | "statuses" | "deployments" | "events" | "notifications",
            ..,
        ]
        | [
            "commits",
            _,
            "check-runs" | "check-suites" | "status" | "statuses" | "comments",
            ..,
        ] => LIVELY,
        _ => default,
    }
}

/// A full SHA-1 in hex. Anything shorter may come to mean something else.
fn is_hash(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
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
