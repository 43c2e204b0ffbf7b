//! Limits that are told again with answers from the cache.

use super::*;

const ME: Scope = Scope::from_digest([1; 16]);

fn headers(remaining: &str, resource: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (LIMIT, "5000"),
        (REMAINING, remaining),
        (USED, "7"),
        (RESET, "1700000000"),
        (RESOURCE, resource),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    headers
}

#[test]
fn an_answer_from_the_cache_shows_the_limit_of_today() {
    let limits = RateLimits::new();
    limits.observe(ME, &headers("10", "core"));
    limits.observe(ME, &headers("9", "core"));
    limits.observe(ME, &headers("3", "search"));
    limits.observe(Scope::PUBLIC, &headers("1", "core"));

    let mut stored = HeaderMap::new();
    stored.insert(RESOURCE, HeaderValue::from_static("core"));
    limits.apply(ME, &mut stored);
    assert_eq!(stored[REMAINING], "9");
    assert_eq!(limits.snapshot().len(), 3);
}

#[test]
fn nothing_is_made_up_for_a_principal_that_has_not_been_seen() {
    let limits = RateLimits::new();
    limits.observe(ME, &headers("10", "core"));
    let mut stored = HeaderMap::new();
    stored.insert(RESOURCE, HeaderValue::from_static("core"));
    limits.apply(Scope::PUBLIC, &mut stored);
    assert!(!stored.contains_key(REMAINING));
}

#[test]
fn headers_that_make_no_sense_are_passed_over() {
    let limits = RateLimits::new();
    limits.observe(ME, &headers("many", "core"));
    limits.observe(ME, &HeaderMap::new());
    assert!(limits.snapshot().is_empty());
}
