//! The table, row by row.

use super::*;

const DEFAULT: Duration = Duration::from_secs(300);
const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

fn seconds(path: &str) -> u64 {
    ttl(path, b"{}", DEFAULT).as_secs()
}

#[test]
fn what_is_named_by_its_hash_never_changes() {
    let week = IMMUTABLE.as_secs();
    for kind in ["blobs", "trees", "commits", "tags"] {
        assert_eq!(seconds(&format!("/repos/o/r/git/{kind}/{HASH}")), week);
    }
    assert_eq!(seconds(&format!("/repos/o/r/commits/{HASH}")), week);
    assert_eq!(
        seconds(&format!("/repos/o/r/compare/{HASH}...{HASH}")),
        week
    );
    assert_eq!(seconds(&format!("/repos/o/r/compare/main...{HASH}")), 300);
    assert_eq!(seconds("/repos/o/r/commits/0123456"), 300);
    assert_eq!(
        seconds(&format!("/repos/o/r/commits/{HASH}/check-runs")),
        30
    );
}

#[test]
fn what_changes_rarely_is_fresh_for_an_hour() {
    for path in [
        "/user",
        "/users/mona",
        "/orgs/octo",
        "/repos/o/r",
        "/repos/o/r/languages",
        "/repos/o/r/topics",
        "/repos/o/r/license",
        "/licenses/mit",
    ] {
        assert_eq!(seconds(path), 3600, "{path}");
    }
}

#[test]
fn what_is_worked_on_is_fresh_for_half_a_minute() {
    for path in [
        "/repos/o/r/pulls",
        "/repos/o/r/issues/1/comments",
        "/repos/o/r/actions/runs",
        "/repos/o/r/actions/runners",
        "/repos/o/r/deployments",
        "/orgs/octo/actions/runners",
        "/notifications",
    ] {
        assert_eq!(seconds(path), 30, "{path}");
    }
    assert_eq!(seconds("/search/code"), 60);
}

#[test]
fn a_run_is_fresh_for_longer_once_it_is_completed() {
    let path = "/repos/o/r/actions/runs/7";
    let completed = br#"{"id":7,"status":"completed","name":"CI"}"#;
    let running = br#"{"id":7,"status":"in_progress","name":"completed"}"#;
    assert_eq!(ttl(path, completed, DEFAULT), SLOW);
    assert_eq!(ttl(path, running, DEFAULT), LIVELY);
    assert_eq!(ttl(path, b"not json", DEFAULT), LIVELY);
}

#[test]
fn everything_else_is_the_operators_to_say() {
    for path in [
        "/orgs/octo/repos",
        "/repos/o/r/releases",
        "/repos/o/r/branches",
        "/",
        "",
    ] {
        assert_eq!(seconds(path), 300, "{path}");
    }
}
