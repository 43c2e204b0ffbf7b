//! github.md, "Limits": what is forbidden, for whom, and until when.

use std::time::Duration;

use proptest::prelude::*;

use super::row::REMAINING;
use super::*;

const ME: Scope = Scope::from_digest([1; 16]);
const NOW: MeshTime = MeshTime::from_millis(1_700_000_000_000);

/// Room for all that a test tells.
const ROOM: usize = 8 * 1024;

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
        price: match is_conditional {
            true => Price::NoneIfConfirmed,
            false => Price::One,
        },
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
fn what_holds_for_our_address_is_told_to_nobody_and_believed_of_nobody() {
    let limits = Limits::new();
    let anonymous = Call {
        principal: Scope::PUBLIC,
        ..call(false)
    };
    limits.observe(&anonymous, StatusCode::OK, &quota("0", "60"), NOW);
    assert!(limits.write(NOW, ROOM).is_empty());
    let row = limits.known.iter().next().unwrap().1.row;
    let other = Limits::new();
    other.read(&postcard::to_allocvec(&row).unwrap(), NOW);
    assert!(other.refuse(&anonymous, NOW).is_none());
}

#[test]
fn only_reads_are_free_and_only_the_limits_themselves_always() {
    let price = |method: &str, path: &str, is_conditional: bool| {
        let request = Request::builder().method(method).uri(path);
        let request = match is_conditional {
            true => request.header("if-none-match", "\"v\""),
            false => request,
        };
        Price::of(&request.body(()).unwrap(), path)
    };
    assert_eq!(price("GET", "/rate_limit", false), Price::None);
    let file = "/repos/o/r/contents/rate_limit";
    assert_eq!(price("GET", file, false), Price::One);
    assert_eq!(price("GET", file, true), Price::NoneIfConfirmed);
    assert_eq!(price("PUT", file, true), Price::One);
    let limits = told(429, &headers(&[("retry-after", "60")]));
    let what_is_left = Call {
        price: Price::None,
        ..call(false)
    };
    assert_eq!(refusal(&limits, &what_is_left, NOW), refused(429, "60"));
}

#[test]
fn a_limit_is_one_principals_and_one_resources() {
    let limits = told(200, &quota("0", "5000"));
    let other = |principal, resource| Call {
        principal,
        resource,
        price: Price::One,
    };
    assert!(limits.refuse(&other(Scope::PUBLIC, "core"), NOW).is_none());
    assert!(limits.refuse(&other(ME, "search"), NOW).is_none());
    for (path, resource) in [
        ("/search/code", "code_search"),
        ("/search/issues", "search"),
        ("/graphql", "graphql"),
        ("/repos/o/r/dependency-graph/sbom", "dependency_sbom"),
        (
            "/orgs/o/actions/runners/registration-token",
            "actions_runner_registration",
        ),
        ("/orgs/o/actions/runners", "core"),
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

/// Has `to` read what `from` writes.
fn tell(from: &Limits, to: &Limits, now: MeshTime) {
    to.read(&from.write(now, ROOM), now);
}

#[test]
fn what_a_member_has_met_holds_where_it_is_told() {
    let met = told(403, &headers(&[("retry-after", "17")]));
    let elsewhere = Limits::new();
    tell(&met, &elsewhere, NOW);
    assert_eq!(refusal(&elsewhere, &call(true), NOW), refused(403, "17"));
    // By way of a third one, too, and however often.
    let third = Limits::new();
    for _ in 0..3 {
        tell(&elsewhere, &third, after(1));
        tell(&third, &elsewhere, after(1));
    }
    assert_eq!(refusal(&third, &call(true), after(1)), refused(403, "16"));
    assert_eq!(refusal(&third, &call(true), after(17)), None);
}

#[test]
fn each_part_of_a_limit_is_taken_from_who_knows_it_later() {
    let spent = told(200, &quota("0", "5000"));
    tell(&told(429, &headers(&[("retry-after", "17")])), &spent, NOW);
    let others = Limits::new();
    others.observe(&call(false), StatusCode::OK, &quota("9", "4991"), after(1));
    tell(&others, &spent, after(1));
    // The calls that are left are the later knowledge; the refusal is not lifted by it.
    assert_eq!(spent.snapshot()[0].remaining, 9);
    assert_eq!(refusal(&spent, &call(true), after(1)), refused(429, "16"));
    assert_eq!(refusal(&spent, &call(false), after(17)), None);
}

#[test]
fn a_secondary_limit_holds_beside_a_primary_one_that_is_longer() {
    let limits = told(403, &quota("0", "5000"));
    let secondary = headers(&[("retry-after", "17")]);
    limits.observe(&call(true), StatusCode::FORBIDDEN, &secondary, NOW);
    let elsewhere = Limits::new();
    tell(&limits, &elsewhere, NOW);
    for limits in [limits, elsewhere] {
        assert!(limits.refuse(&call(true), NOW).is_some());
        assert!(limits.refuse(&call(true), after(17)).is_none());
        assert_eq!(
            refusal(&limits, &call(false), after(17)),
            refused(403, "883")
        );
    }
}

#[test]
fn what_github_says_here_counts_more_than_what_was_told() {
    let limits = Limits::new();
    tell(&told(200, &quota("0", "5000")), &limits, NOW);
    assert!(limits.refuse(&call(false), NOW).is_some());
    limits.observe(&call(true), StatusCode::OK, &quota("9", "4991"), NOW);
    assert!(limits.refuse(&call(false), NOW).is_none());
}

fn row(resource: &str) -> LimitRow {
    LimitRow::new(ME, resource)
}

fn spent(as_of: MeshTime, reset: u64) -> Option<Quota> {
    Some(Quota {
        as_of,
        reset,
        used: u64::MAX,
        limit: 5000,
        remaining: 0,
    })
}

/// A refusal of this moment until that one.
fn forbidding(as_of: MeshTime, until: MeshTime) -> Option<Refusal> {
    let (_, refusal) = Refusal::of(StatusCode::FORBIDDEN, &HeaderMap::new(), 0, as_of);
    Some(Refusal { until, ..refusal })
}

#[test]
fn nobody_can_forbid_for_longer_than_an_hour_or_speak_of_the_future() {
    let until = |limits: &Limits, seconds| limits.refuse(&call(false), after(seconds)).is_some();
    let end = MeshTime::from_millis(u64::MAX);
    for absurd in [
        LimitRow {
            quota: spent(NOW, u64::MAX),
            ..row("core")
        },
        LimitRow {
            primary: forbidding(NOW, end),
            ..row("core")
        },
        LimitRow {
            secondary: forbidding(NOW, end),
            ..row("core")
        },
    ] {
        let limits = Limits::new();
        let absurd = postcard::to_allocvec(&absurd).unwrap();
        // Told again and again, it does not move on.
        for seconds in [0, 1800, 3599] {
            limits.read(&absurd, after(seconds));
            assert!(until(&limits, seconds), "{limits:?}");
        }
        limits.read(&absurd, after(3600));
        assert!(!until(&limits, 3600), "{limits:?}");
    }
    for absurd in [
        LimitRow {
            quota: spent(after(11), u64::MAX),
            ..row("core")
        },
        LimitRow {
            secondary: forbidding(after(11), end),
            ..row("core")
        },
        LimitRow {
            secondary: forbidding(NOW, after(60)),
            ..row("a\r\nb")
        },
        LimitRow {
            secondary: forbidding(NOW, after(60)),
            ..row(&"r".repeat(65))
        },
    ] {
        let limits = Limits::new();
        limits.read(&postcard::to_allocvec(&absurd).unwrap(), NOW);
        assert_eq!(limits.known.iter().count(), 0, "{limits:?}");
    }
}

#[test]
fn where_there_is_little_room_what_forbids_is_told_first() {
    let limits = Limits::new();
    for n in 0..100 {
        let other = Call {
            principal: Scope::from_digest([n; 16]),
            ..call(false)
        };
        limits.observe(&other, StatusCode::OK, &quota("9", "4991"), after(1));
    }
    let limited = headers(&[("retry-after", "17")]);
    limits.observe(&call(false), StatusCode::FORBIDDEN, &limited, NOW);
    let written = limits.write(NOW, 200);
    assert!((100..=200).contains(&written.len()), "{}", written.len());
    let elsewhere = Limits::new();
    elsewhere.read(&written, NOW);
    assert!(elsewhere.refuse(&call(true), NOW).is_some());
}

#[test]
fn what_others_have_told_is_told_on_only_where_it_forbids() {
    let limits = Limits::new();
    tell(&told(200, &quota("9", "4991")), &limits, NOW);
    assert_eq!(limits.snapshot().len(), 1);
    assert!(limits.write(NOW, ROOM).is_empty());
    tell(&told(200, &quota("0", "5000")), &limits, NOW);
    assert!(!limits.write(NOW, ROOM).is_empty());
    // What is said of a window that is over is of use to nobody.
    assert!(limits.write(after(3600), ROOM).is_empty());
}

#[test]
fn calls_that_are_refused_together_are_one_strike() {
    let limits = Limits::new();
    for _ in 0..50 {
        limits.strike(ME, "core", StatusCode::FORBIDDEN, NOW);
    }
    assert_eq!(refusal(&limits, &call(true), NOW), refused(403, "60"));
    limits.strike(ME, "core", StatusCode::FORBIDDEN, after(61));
    assert_eq!(
        refusal(&limits, &call(true), after(61)),
        refused(403, "120")
    );
}

fn rows() -> impl Strategy<Value = LimitRow> {
    let moment = || (0..4_u64).prop_map(after);
    let refusals = || {
        proptest::option::of((moment(), 1..5_u64, 0..2_u64)).prop_map(|refusal| {
            let (as_of, seconds, statuses) = refusal?;
            let until = as_of.saturating_add(Duration::from_secs(60 * seconds));
            let refusal = forbidding(as_of, until)?;
            Some(if statuses == 0 {
                refusal
            } else {
                let status = StatusCode::TOO_MANY_REQUESTS;
                let undated = Refusal::undated(status, 1, as_of);
                Refusal { until, ..undated }
            })
        })
    };
    let quotas = proptest::option::of((moment(), 0..2_u64, 0..2_u64));
    (quotas, refusals(), refusals()).prop_map(|(quota, primary, secondary)| LimitRow {
        quota: quota.map(|(as_of, used, remaining)| Quota {
            as_of,
            reset: 1_700_000_900,
            used,
            limit: 5000,
            remaining,
        }),
        primary,
        secondary,
        ..row("core")
    })
}

proptest! {
    #[test]
    fn in_whatever_order_it_is_told_all_know_the_same(
        told in proptest::collection::vec(rows(), 1..6),
        order in any::<u64>(),
    ) {
        let known = |told: &[LimitRow]| {
            let limits = Limits::new();
            for row in told {
                limits.read(&postcard::to_allocvec(row).unwrap(), after(5));
            }
            let known: Vec<_> = limits.known.iter().map(|(_, known)| known.row).collect();
            known
        };
        let mut other = told.clone();
        other.rotate_left(order as usize % told.len());
        other.extend_from_within(..1);
        other.reverse();
        prop_assert_eq!(known(&told), known(&other));
    }

    #[test]
    fn whatever_is_told_is_read_or_passed_over(told in any::<Vec<u8>>()) {
        Limits::new().read(&told, NOW);
    }
}

#[test]
fn headers_that_make_no_sense_are_passed_over() {
    let limits = told(200, &quota("many", "1"));
    limits.observe(&call(false), StatusCode::OK, &HeaderMap::new(), NOW);
    assert!(limits.snapshot().is_empty());
}
