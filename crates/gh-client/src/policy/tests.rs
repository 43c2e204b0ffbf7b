//! The table of github.md, "Which answers are stored", row by row.

use http::header::HeaderName;

use super::*;
use crate::base_url::BaseUrl;
use crate::question::Plan;

fn keeping(negative_ttl: Option<u64>) -> Keeping {
    Keeping {
        default_ttl: Duration::from_secs(300),
        stale_for: Duration::from_secs(10),
        negative_ttl: negative_ttl.map(Duration::from_secs),
        max_entry_bytes: 1000,
        rules: Arc::default(),
    }
}

fn map(headers: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, value.parse().unwrap());
    }
    map
}

/// A question about `/x`.
fn question() -> Question {
    let base = BaseUrl::parse("https://api.github.com").unwrap();
    let request = http::Request::get("/x").body(crate::Body::empty()).unwrap();
    match Plan::of(&request, &base) {
        Plan::Look(question) => *question,
        _ => panic!("a GET is looked up"),
    }
}

/// The ttl that an answer about `/x` is kept with, in seconds.
fn kept(keeping: &Keeping, status: u16, headers: &[(&str, &str)]) -> Option<u64> {
    let status = StatusCode::from_u16(status).unwrap();
    let mut answer = Stored::new(status, HeaderMap::new(), "".into());
    answer.headers = map(headers);
    let lifetime = keeping.lifetime(&question(), &answer)?;
    Some(lifetime.ttl.as_secs())
}

#[test]
fn a_200_is_kept_and_so_is_a_permanent_redirect() {
    let keeping = keeping(None);
    let private = [("cache-control", "private, max-age=60")];
    assert_eq!(kept(&keeping, 200, &private), Some(300));
    assert_eq!(kept(&keeping, 301, &[("location", "/y")]), Some(300));
}

#[test]
fn that_something_is_not_there_is_kept_only_where_the_operator_says_so() {
    for status in [404, 410] {
        assert_eq!(kept(&keeping(None), status, &[]), None);
        assert_eq!(kept(&keeping(Some(20)), status, &[]), Some(20));
    }
}

#[test]
fn redirects_for_now_cookies_parts_and_no_store_are_never_kept() {
    let keeping = keeping(Some(20));
    for status in [201, 204, 206, 302, 303, 304, 307, 308] {
        assert_eq!(kept(&keeping, status, &[]), None, "{status}");
    }
    for header in [
        ("set-cookie", "a=b"),
        ("content-range", "bytes 0-1/2"),
        ("cache-control", "private, no-store"),
        ("vary", "*"),
    ] {
        for status in [200, 301, 404] {
            assert_eq!(kept(&keeping, status, &[header]), None, "{header:?}");
        }
    }
}

#[test]
fn refusals_and_errors_are_never_kept() {
    for status in [400, 401, 403, 409, 415, 422, 429, 500, 502, 503] {
        assert_eq!(kept(&keeping(Some(20)), status, &[]), None, "{status}");
    }
}

#[test]
fn what_must_not_be_used_without_asking_is_stale_at_once() {
    let control = [("cache-control", "no-cache")];
    assert_eq!(kept(&keeping(None), 200, &control), Some(0));
    for directive in ["no-cache", "must-revalidate", "proxy-revalidate"] {
        assert!(!may_be_stale(
            &question(),
            &map(&[("cache-control", directive)])
        ));
    }
    assert!(may_be_stale(
        &question(),
        &map(&[("cache-control", "private, max-age=60")])
    ));
}

/// Recorded answers to searches have it, and no tag to ask with.
#[test]
fn that_githubs_answers_to_searches_say_no_cache_does_not_keep_them_out() {
    let control = [("cache-control", "no-cache")];
    let base = BaseUrl::parse("https://api.github.com").unwrap();
    let request = http::Request::get("/search/issues?q=x").body(()).unwrap();
    let search = Question::of(&request, &base).unwrap();
    let answer = Stored::new(StatusCode::OK, map(&control), Default::default());
    let lifetime = keeping(None).lifetime(&search, &answer).unwrap();
    assert_eq!(lifetime.ttl, Duration::from_secs(60));
    assert!(may_be_stale(&search, &map(&control)));
    assert!(!may_be_kept(&map(&[("cache-control", "no-store")])));
}

#[test]
fn nothing_is_kept_for_longer_than_the_cache_is_told() {
    let mut keeping = keeping(Some(5));
    assert_eq!(keeping.longest(), ttl::LONGEST + Duration::from_secs(10));
    keeping.rules = Arc::new([TtlRule {
        path: "/**".parse().unwrap(),
        ttl: ttl::LONGEST * 2,
    }]);
    assert_eq!(
        keeping.longest(),
        ttl::LONGEST * 2 + Duration::from_secs(10)
    );
}

#[test]
fn a_refusal_for_a_limit_is_told_from_one_for_good() {
    let limited = |status, headers: &[(&str, &str)]| {
        is_rate_limited(StatusCode::from_u16(status).unwrap(), &map(headers))
    };
    assert!(limited(429, &[]));
    assert!(limited(403, &[("retry-after", "60")]));
    assert!(limited(403, &[("x-ratelimit-remaining", "0")]));
    assert!(!limited(403, &[("x-ratelimit-remaining", "12")]));
    assert!(!limited(404, &[("x-ratelimit-remaining", "0")]));
}
