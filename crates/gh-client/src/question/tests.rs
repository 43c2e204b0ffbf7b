//! Which requests are one question, and which are none for a cache.

use super::*;

fn base() -> BaseUrl {
    BaseUrl::parse("https://api.github.com").unwrap()
}

fn get(target: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = Request::get(target);
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    request.body(Body::empty()).unwrap()
}

fn plan(target: &str, headers: &[(&str, &str)]) -> Plan {
    Plan::of(&get(target, headers), &base())
}

fn question(target: &str, headers: &[(&str, &str)]) -> Question {
    match plan(target, headers) {
        Plan::Look(question) => *question,
        other => panic!("not looked up: {other:?}"),
    }
}

#[test]
fn what_clients_usually_accept_is_one_media_type() {
    let plain = question("/user", &[]);
    for accept in [
        "",
        "*/*",
        "application/json",
        "application/vnd.github+json",
        "application/vnd.github.v3+json",
    ] {
        assert_eq!(
            question("/user", &[("accept", accept)]),
            plain,
            "{accept:?}"
        );
    }
    let diff = question("/user", &[("accept", "application/vnd.github.diff")]);
    assert_eq!(diff.accept, "application/vnd.github.diff");
    assert_ne!(diff.family(&base()), plain.family(&base()));
}

#[test]
fn a_client_that_names_no_version_of_the_api_gets_the_default() {
    let named = question("/user", &[("x-github-api-version", "2022-11-28")]);
    assert_eq!(question("/user", &[]), named);
    let other = question("/user", &[("x-github-api-version", "2026-03-10")]);
    assert_ne!(other.family(&base()), named.family(&base()));
}

#[test]
fn the_pairs_of_a_query_are_sorted_and_those_of_one_name_keep_their_order() {
    let target = |target| question(target, &[]).target.to_string();
    assert_eq!(target("/x?page=2&b=1&&a=2"), "/x?a=2&b=1&page=2");
    assert_eq!(target("/x?a=2&b=0&a=1"), "/x?a=2&a=1&b=0");
    assert_eq!(target("/x?"), "/x");
    assert_ne!(target("/x?q=a%20b"), target("/x?q=a+b"));
}

#[test]
fn paths_of_an_enterprise_server_are_those_of_github() {
    let ghes = BaseUrl::parse("https://github.corp/api/v3/").unwrap();
    let ask = |target, base| match Plan::of(&get(target, &[]), base) {
        Plan::Look(question) => question.target.to_string(),
        other => panic!("not looked up: {other:?}"),
    };
    assert_eq!(ask("/api/v3/user", &ghes), "/user");
    assert_eq!(ask("/user", &ghes), "/user");
    let root = base();
    assert_eq!(ask("/api/v3/user", &root), "/user");
    assert_eq!(ask("/api/v30/user", &root), "/api/v30/user");
}

#[test]
fn the_host_is_part_of_the_question() {
    let question = question("/user", &[]);
    let other = BaseUrl::parse("https://github.corp").unwrap();
    assert_ne!(question.family(&base()), question.family(&other));
}

#[test]
fn who_asks_is_no_part_of_the_question() {
    let asked = question(
        "/user",
        &[("authorization", "token a"), ("user-agent", "x")],
    );
    assert_eq!(asked, question("/user", &[]));
}

#[test]
fn only_a_get_and_a_head_are_looked_up() {
    let mut head = get("/user", &[]);
    *head.method_mut() = Method::HEAD;
    assert_eq!(Plan::of(&head, &base()), plan("/user", &[]));
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let mut request = get("/user", &[]);
        *request.method_mut() = method;
        assert_eq!(Plan::of(&request, &base()), Plan::ForwardMethod);
    }
}

#[test]
fn what_must_not_be_cached_bypasses_the_cache() {
    for header in [
        ("cache-control", "no-store"),
        ("range", "bytes=0-1"),
        ("cookie", "a=b"),
        ("if-match", "\"v\""),
        ("if-unmodified-since", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ("x-http-method-override", "DELETE"),
        ("x-github-next-global-id", "1"),
        ("x-requested-with", "XMLHttpRequest"),
    ] {
        assert_eq!(plan("/user", &[header]), Plan::Bypass, "{header:?}");
    }
    let asks_more = get("/user", &[]).map(|_| Body::full("{}"));
    assert_eq!(Plan::of(&asks_more, &base()), Plan::Bypass);
    assert_eq!(plan("/rate_limit", &[]), Plan::Bypass);
    assert_eq!(plan("/api/v3/rate_limit", &[]), Plan::Bypass);
    let two = [("accept", "text/html"), ("accept", "application/json")];
    assert_eq!(plan("/user", &two), Plan::Bypass);
}

#[test]
fn a_request_for_another_host_is_no_question_to_this_api() {
    assert_eq!(plan("https://codeload.github.com/x", &[]), Plan::Bypass);
    assert_eq!(
        question("https://api.github.com/user", &[]),
        question("/user", &[])
    );
}
