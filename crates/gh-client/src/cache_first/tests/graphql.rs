//! GraphQL queries from the cache, and what is never.

use super::*;

fn post(token: &str, body: &'static str) -> Request<Body> {
    Request::post("/graphql")
        .header("authorization", format!("token {token}"))
        .header("content-type", "application/json")
        .body(Body::full(body))
        .unwrap()
}

const QUERY: &str = r#"{"query":"{ viewer { login } }"}"#;
const SAME: &str = r#"{"query":"query {\n  viewer { login }\n}"}"#;
const SHORT: &str = r#"{"query":"{viewer{login}}"}"#;
const MUTATION: &str = r#"{"query":"mutation { addStar { clientMutationId } }"}"#;
const LOGIN: &str = r#"{"data":{"viewer":{"login":"octocat"}}}"#;

async fn ask(fixture: &Fixture, token: &str, body: &'static str) -> Told {
    told_by(fixture.respond(post(token, body)).await).await
}

#[tokio::test]
async fn a_query_is_answered_from_the_cache() {
    let fixture = Fixture::new(|asked| {
        assert_eq!(asked.method(), Method::POST);
        answer(200, &[], LOGIN)
    });
    assert_eq!(
        ask(&fixture, "t", QUERY).await,
        told(200, "fwd=uri-miss", LOGIN)
    );
    assert_eq!(ask(&fixture, "t", SHORT).await, told(200, "hit", LOGIN));
    // Another document, if only by a word.
    assert_eq!(
        ask(&fixture, "t", SAME).await,
        told(200, "fwd=uri-miss", LOGIN)
    );
    // GraphQL has no 304: another token asks for itself.
    assert_eq!(
        ask(&fixture, "u", QUERY).await,
        told(200, "fwd=uri-miss", LOGIN)
    );
    fixture.wait(30).await;
    assert_eq!(
        ask(&fixture, "t", QUERY).await,
        told(200, "fwd=stale", LOGIN)
    );
    assert_eq!(fixture.asked("if-none-match"), ["-"; 4]);
}

/// <https://docs.github.com/en/graphql> says nothing of it; recorded answers all have it.
#[tokio::test]
async fn that_githubs_answers_to_queries_say_no_cache_does_not_keep_them_out() {
    let control = [("cache-control", "no-cache")];
    let fixture = Fixture::new(move |_| answer(200, &control, LOGIN));
    ask(&fixture, "t", QUERY).await;
    assert_eq!(ask(&fixture, "t", QUERY).await, told(200, "hit", LOGIN));
    assert_eq!(fixture.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_query_that_is_not_to_be_stored_is_passed_on_as_the_read_that_it_is() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let fixture = Fixture::new(move |_| match calls.fetch_add(1, Ordering::Relaxed) {
        1 => answer(502, &[], "oops"),
        _ => answer(200, &[], LOGIN),
    });
    ask(&fixture, "t", QUERY).await;
    let start = Instant::now();
    for _ in 0..20 {
        let mut query = post("t", QUERY);
        let no_store = HeaderValue::from_static("no-store");
        query.headers_mut().insert("cache-control", no_store);
        let answer = told_by(fixture.respond(query).await).await;
        assert_eq!(answer, told(200, "fwd=bypass", LOGIN));
    }
    assert_eq!(
        start.elapsed().as_secs(),
        0,
        "they are not spread as writes are"
    );
    assert_eq!(fixture.calls(), 22, "one was tried again");
    // Nor does it make void what is held.
    assert_eq!(ask(&fixture, "t", QUERY).await, told(200, "hit", LOGIN));
}

#[tokio::test]
async fn errors_are_never_stored() {
    let errors = r#"{"data":null,"errors":[{"type":"NOT_FOUND"}]}"#;
    let fixture = Fixture::new(move |_| answer(200, &[], errors));
    for _ in 0..2 {
        assert_eq!(
            ask(&fixture, "t", QUERY).await,
            told(200, "fwd=uri-miss", errors)
        );
    }
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test]
async fn mutations_pass_and_void_the_principals_answers() {
    let fixture = Fixture::new(|_| answer(200, &[], LOGIN));
    for token in ["t", "u"] {
        ask(&fixture, token, QUERY).await;
    }
    for _ in 0..2 {
        assert_eq!(
            ask(&fixture, "t", MUTATION).await,
            told(200, "fwd=method", LOGIN)
        );
    }
    assert_eq!(
        ask(&fixture, "t", QUERY).await,
        told(200, "fwd=uri-miss", LOGIN)
    );
    assert_eq!(ask(&fixture, "u", QUERY).await, told(200, "hit", LOGIN));
}

#[tokio::test]
async fn a_limit_that_an_error_tells_of_is_a_limit() {
    let limited = r#"{"errors":[{"type":"RATE_LIMITED","message":"used up"}]}"#;
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let fixture = Fixture::new(move |_| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => answer(200, &[], LOGIN),
        _ => {
            let spent = [
                ("x-ratelimit-limit", "5000"),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "1700000900"),
                ("x-ratelimit-resource", "graphql"),
            ];
            answer(200, &spent, limited)
        }
    });
    ask(&fixture, "t", QUERY).await;
    fixture.wait(30).await;
    for _ in 0..2 {
        let stale = ask(&fixture, "t", QUERY).await;
        assert_eq!(stale, told(200, "hit; detail=stale", LOGIN));
    }
    assert_eq!(fixture.calls(), 2);
    let (status, _, body) = ask(&fixture, "t", SAME).await;
    assert_eq!(status, 200);
    assert!(body.contains("RATE_LIMITED"), "{body}");
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test]
async fn what_is_too_long_to_be_read_is_passed_on_whole() {
    let fixture = Fixture::new(|_| answer(200, &[], LOGIN));
    let long = format!(
        r#"{{"query":"{{ a }} #{}"}}"#,
        "x".repeat(crate::graphql::MAX_REQUEST)
    );
    let request = post("t", "").map(|_| Body::full(long));
    assert_eq!(
        told_by(fixture.respond(request).await).await.1,
        "fwd=method"
    );
}
