//! The table of github.md, "Freshness", row by row.

use super::*;

const DEFAULT: Duration = Duration::from_secs(300);
const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

fn of(target: &str, body: &[u8], rules: &[TtlRule]) -> u64 {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = HeaderMap::new();
    let about = About {
        path,
        query,
        headers: &headers,
        body,
    };
    ttl(&about, rules, DEFAULT).as_secs()
}

fn seconds(target: &str) -> u64 {
    of(target, b"{}", &[])
}

#[test]
fn immutable_by_construction_is_seven_days() {
    let week = 7 * 24 * 3600;
    for kind in ["blobs", "trees", "commits", "tags"] {
        assert_eq!(seconds(&format!("/repos/o/r/git/{kind}/{HASH}")), week);
    }
    for target in [
        format!("/repos/o/r/commits/{HASH}"),
        format!("/repos/o/r/contents/src/lib.rs?ref={HASH}"),
        format!("/repos/o/r/compare/{HASH}...{HASH}"),
        format!("/repositories/17/commits/{HASH}"),
    ] {
        assert_eq!(seconds(&target), week, "{target}");
    }
    for target in [
        format!("/repos/o/r/compare/main...{HASH}"),
        "/repos/o/r/commits/0123456".to_owned(),
        "/repos/o/r/contents/src/lib.rs?ref=main".to_owned(),
        format!("/repos/o/r/contents/src/lib.rs?page={HASH}"),
    ] {
        assert_eq!(seconds(&target), 300, "{target}");
    }
    let checks = format!("/repos/o/r/commits/{HASH}/check-runs");
    assert_eq!(seconds(&checks), 30);
}

#[test]
fn completed_workflow_runs_and_jobs_are_an_hour() {
    let completed = br#"{"id":7,"status":"completed","name":"CI"}"#;
    let running = br#"{"id":7,"status":"in_progress","name":"completed"}"#;
    for path in [
        "/repos/o/r/actions/runs/7",
        "/repos/o/r/actions/runs/7/attempts/2",
        "/repos/o/r/actions/jobs/7",
        "/repositories/17/actions/runs/7",
    ] {
        assert_eq!(of(path, completed, &[]), 3600, "{path}");
        assert_eq!(of(path, running, &[]), 30, "{path}");
        assert_eq!(of(path, b"not json", &[]), 30, "{path}");
    }
    assert_eq!(of("/repos/o/r/actions/runs", completed, &[]), 30);
}

#[test]
fn users_orgs_repositories_licences_topics_languages_are_an_hour() {
    for path in [
        "/user",
        "/users/mona",
        "/user/583231",
        "/orgs/octo",
        "/repos/o/r",
        "/repositories/17",
        "/repos/o/r/languages",
        "/repos/o/r/topics",
        "/repos/o/r/license",
        "/licenses/mit",
    ] {
        assert_eq!(seconds(path), 3600, "{path}");
    }
}

#[test]
fn lists_of_repositories_releases_tags_branches_contents_are_the_default() {
    for path in [
        "/orgs/octo/repos",
        "/organizations/17/repos",
        "/users/mona/repos",
        "/user/17/repos",
        "/user/repos",
        "/repos/o/r/releases",
        "/repos/o/r/releases/latest",
        "/repos/o/r/tags",
        "/repos/o/r/branches",
        "/repos/o/r/contents/README.md",
    ] {
        assert_eq!(seconds(path), 300, "{path}");
    }
}

#[test]
fn what_is_worked_on_is_half_a_minute() {
    for path in [
        "/repos/o/r/pulls",
        "/repos/o/r/pulls/7",
        "/repositories/17/pulls",
        "/repos/o/r/issues/1/comments",
        "/repos/o/r/comments/1",
        "/repos/o/r/actions/runs",
        "/repos/o/r/actions/runs/7/jobs",
        "/repos/o/r/check-runs/7",
        "/repos/o/r/commits/main/status",
        "/repos/o/r/commits/heads/main/status",
        "/repos/o/r/commits/heads/feature/x/check-runs",
        "/repos/o/r/deployments",
        "/repos/o/r/events",
        "/users/mona/events",
        "/repos/o/r/actions/runners",
        "/orgs/octo/actions/runners",
        "/notifications",
        "/graphql",
    ] {
        assert_eq!(seconds(path), 30, "{path}");
    }
}

#[test]
fn search_is_a_minute() {
    assert_eq!(seconds("/search/code?q=x"), 60);
}

#[test]
fn what_the_table_does_not_know_is_the_default_and_no_shorter_than_githubs_word() {
    for path in ["/meta", "/", "", "/repos/o/r/stargazers"] {
        assert_eq!(seconds(path), 300, "{path}");
    }
    let mut headers = HeaderMap::new();
    let control = "public, max-age=900, s-maxage=60";
    headers.insert("cache-control", control.parse().unwrap());
    let about = |path| About {
        path,
        query: "",
        headers: &headers,
        body: b"",
    };
    assert_eq!(ttl(&about("/meta"), &[], DEFAULT).as_secs(), 900);
    assert_eq!(ttl(&about("/search/code"), &[], DEFAULT).as_secs(), 60);
}

#[test]
fn the_operators_rule_counts_for_more_than_the_table() {
    let rule = |path: &str, seconds| TtlRule {
        path: path.parse().unwrap(),
        ttl: Duration::from_secs(seconds),
    };
    let rules = [
        rule("/repos/*/*/actions/runners", 5),
        rule("/repos/*/*/actions/**", 120),
    ];
    assert_eq!(of("/repos/o/r/actions/runners", b"", &rules), 5);
    assert_eq!(of("/repos/o/r/actions/runs", b"", &rules), 120);
    assert_eq!(of("/repositories/17/actions/runs", b"", &rules), 120);
    assert_eq!(of("/repos/o/r/pulls", b"", &rules), 30);
}
