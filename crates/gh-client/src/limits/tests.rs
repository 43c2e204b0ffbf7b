//! github.md, "Limits": what is forbidden, for whom, and until when.

use super::*;

const ME: Scope = Scope::from_digest([1; 16]);
const NOW: MeshTime = MeshTime::from_millis(1_700_000_000_000);

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.insert(*name, value.parse().unwrap());
    }
    headers
}

fn quota(remaining: &str, used: &str) -> HeaderMap {
    headers(&[
        ("x-ratelimit-limit", "5000"),
        ("x-ratelimit-remaining", remaining),
        ("x-ratelimit-used", used),
        ("x-ratelimit-reset", "1700000900"),
        ("x-ratelimit-resource", "core"),
    ])
}

fn call(is_conditional: bool) -> Call<'static> {
    Call {
        principal: ME,
        resource: "core",
        is_conditional,
    }
}

fn after(seconds: u64) -> MeshTime {
    NOW.saturating_add(Duration::from_secs(seconds))
}

fn told(status: u16, headers: &HeaderMap) -> Limits {
    let limits = Limits::new();
    let status = StatusCode::from_u16(status).unwrap();
    limits.observe(&call(false), status, headers, NOW);
    limits
}

/// The status and `retry-after` of a refusal.
fn refusal(limits: &Limits, call: &Call<'_>, now: MeshTime) -> Option<(u16, String)> {
    let response = limits.refuse(call, now)?;
    let retry_after = response.headers()["retry-after"].to_str().unwrap();
    Some((response.status().as_u16(), retry_after.to_owned()))
}

fn refused(status: u16, retry_after: &str) -> Option<(u16, String)> {
    Some((status, retry_after.to_owned()))
}

#[test]
fn an_answer_from_the_cache_shows_the_limit_of_today() {
    let limits = told(200, &quota("10", "4990"));
    limits.observe(&call(false), StatusCode::OK, &quota("9", "4991"), NOW);
    let mut stored = headers(&[("x-ratelimit-resource", "core")]);
    limits.apply(ME, &mut stored);
    assert_eq!(stored[REMAINING], "9");
    let mut strangers = headers(&[("x-ratelimit-resource", "core")]);
    limits.apply(Scope::PUBLIC, &mut strangers);
    assert!(!strangers.contains_key(REMAINING));
}

#[test]
fn of_answers_that_overtake_each_other_the_one_that_has_used_more_counts() {
    let limits = told(200, &quota("9", "4991"));
    limits.observe(&call(false), StatusCode::OK, &quota("10", "4990"), NOW);
    assert_eq!(limits.snapshot()[0].remaining, 9);
}

#[test]
fn retry_after_comes_first() {
    let mut limited = quota("0", "5000");
    limited.insert("retry-after", "17".parse().unwrap());
    for status in [403, 429] {
        let limits = told(status, &limited);
        assert_eq!(refusal(&limits, &call(false), NOW), refused(status, "17"));
        // A secondary limit is in force: not even what costs nothing is sent.
        assert_eq!(
            refusal(&limits, &call(true), after(16)),
            refused(status, "1")
        );
    }
    let secondary = told(403, &headers(&[("retry-after", "17")]));
    assert_eq!(refusal(&secondary, &call(true), after(17)), None);
}

#[test]
fn then_the_end_of_a_window_that_is_used_up() {
    for status in [200, 403, 429] {
        let limits = told(status, &quota("0", "5000"));
        let refusing = if status == 200 { 403 } else { status };
        assert_eq!(
            refusal(&limits, &call(false), NOW),
            refused(refusing, "900")
        );
        assert_eq!(refusal(&limits, &call(true), NOW), None, "costs nothing");
        assert_eq!(refusal(&limits, &call(false), after(900)), None);
    }
}

#[test]
fn then_a_minute_doubled_each_time() {
    let limits = Limits::new();
    let mut now = NOW;
    for seconds in ["60", "120", "240"] {
        let status = StatusCode::TOO_MANY_REQUESTS;
        limits.observe(&call(false), status, &HeaderMap::new(), now);
        assert_eq!(refusal(&limits, &call(true), now), refused(429, seconds));
        now = now.saturating_add(Duration::from_secs(300));
    }
    limits.observe(&call(false), StatusCode::OK, &quota("9", "4991"), now);
    limits.strike(ME, "core", StatusCode::FORBIDDEN, now);
    assert_eq!(refusal(&limits, &call(true), now), refused(403, "60"));
}

#[test]
fn who_has_no_credential_is_charged_for_a_304_too() {
    let limits = Limits::new();
    let anonymous = Call {
        principal: Scope::PUBLIC,
        ..call(true)
    };
    limits.observe(&anonymous, StatusCode::OK, &quota("0", "60"), NOW);
    assert!(limits.refuse(&anonymous, NOW).is_some());
}

#[test]
fn a_limit_is_one_principals_and_one_resources() {
    let limits = told(200, &quota("0", "5000"));
    let other = |principal, resource| Call {
        principal,
        resource,
        is_conditional: false,
    };
    assert!(limits.refuse(&other(Scope::PUBLIC, "core"), NOW).is_none());
    assert!(limits.refuse(&other(ME, "search"), NOW).is_none());
    for (path, resource) in [
        ("/search/code", "code_search"),
        ("/search/issues", "search"),
        ("/graphql", "graphql"),
        ("/repos/o/r", "core"),
    ] {
        assert_eq!(resource_of(path), resource);
    }
}

#[test]
fn what_is_used_up_of_graphql_is_said_as_graphql_says_it() {
    let mut spent = quota("0", "5000");
    spent.insert("x-ratelimit-resource", "graphql".parse().unwrap());
    let limits = told(200, &spent);
    let query = Call {
        resource: "graphql",
        ..call(false)
    };
    assert_eq!(refusal(&limits, &query, NOW), refused(200, "900"));
}

#[test]
fn an_answer_that_was_under_way_does_not_lift_a_refusal() {
    let limits = told(403, &headers(&[("retry-after", "17")]));
    limits.observe(&call(false), StatusCode::OK, &quota("9", "4991"), after(1));
    assert_eq!(refusal(&limits, &call(false), after(1)), refused(403, "16"));
}

#[test]
fn what_a_member_has_met_holds_where_it_is_told_and_the_latest_wins() {
    let met = told(403, &headers(&[("retry-after", "17")]));
    let row = met.rows().remove(0);
    let elsewhere = Limits::new();
    assert!(elsewhere.merge(row.clone()));
    assert!(!elsewhere.merge(row.clone()));
    assert_eq!(refusal(&elsewhere, &call(false), NOW), refused(403, "17"));

    let later = Limits::new();
    later.observe(&call(false), StatusCode::OK, &quota("9", "4991"), after(1));
    assert!(!later.merge(row));
    assert!(elsewhere.merge(later.rows().remove(0)));
    assert_eq!(refusal(&elsewhere, &call(false), after(1)), None);
}

#[test]
fn headers_that_make_no_sense_are_passed_over() {
    let limits = told(200, &quota("many", "1"));
    limits.observe(&call(false), StatusCode::OK, &HeaderMap::new(), NOW);
    assert!(limits.snapshot().is_empty());
}
