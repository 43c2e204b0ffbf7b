//! github.md, "What a request is", and what it asks for.

use super::*;

#[tokio::test]
async fn upstream_is_asked_in_one_form_whoever_asks() {
    let fixture = Fixture::new(|_| answer(404, &[], ""));
    let curl = [
        ("authorization", "token t"),
        ("user-agent", "curl/8"),
        ("accept", "*/*"),
    ];
    fixture.send(&curl).await;
    let octokit = [
        ("authorization", "Bearer t"),
        ("accept", "application/vnd.github.v3+json"),
        ("if-none-match", "\"mine\""),
        ("x-github-api-version", "2022-11-28"),
    ];
    fixture.send(&octokit).await;
    let asked = fixture.asked.lock().unwrap();
    assert_eq!(asked[0].headers(), asked[1].headers());
    assert_eq!(asked[0].headers()["authorization"], "Bearer t");
    assert_eq!(asked[0].headers()["accept"], "application/vnd.github+json");
    assert_eq!(asked[0].headers()["accept-encoding"], "gzip");
    let agent = asked[0].headers()["user-agent"].to_str().unwrap();
    assert!(
        !["curl", "Wget", "Safari", "Firefox"]
            .iter()
            .any(|name| agent.contains(name))
    );
}

#[tokio::test]
async fn a_head_is_answered_from_gets_entry_and_makes_one() {
    let fixture = Fixture::new(|asked| {
        assert_eq!(asked.method(), Method::GET);
        answer(200, &[("etag", "\"v\"")], "body")
    });
    for cache_status in ["fwd=uri-miss", "hit"] {
        let mut head = get("/x", &[]);
        *head.method_mut() = Method::HEAD;
        let response = fixture.respond(head).await;
        assert_eq!(response.headers()["content-length"], "4");
        assert_eq!(told_by(response).await, told(200, cache_status, ""));
    }
    assert_eq!(fixture.send(&[]).await, told(200, "hit", "body"));
    assert_eq!(fixture.calls(), 1);
}

#[tokio::test]
async fn no_cache_revalidates_and_no_store_bypasses() {
    let fixture = Fixture::new(|asked| github(asked, "body"));
    fixture.send(&[]).await;
    let no_cache = fixture.send(&[("cache-control", "no-cache")]).await;
    assert_eq!(no_cache, told(200, "hit; detail=revalidated", "body"));
    let no_store = fixture.send(&[("cache-control", "no-store")]).await;
    assert_eq!(no_store, told(200, "fwd=bypass", "body"));
    assert_eq!(fixture.calls(), 3);
}

#[tokio::test]
async fn max_age_and_gh_cache_ttl_say_how_old_an_answer_may_be() {
    let fixture = Fixture::new(|asked| github(asked, "body"));
    fixture.send(&[]).await;
    fixture.wait(59).await;
    let younger = fixture.send(&[("cache-control", "max-age=59")]).await;
    assert_eq!(younger, told(200, "hit; detail=revalidated", "body"));
    fixture.wait(100).await;
    let older = fixture.send(&[("x-gh-cache-ttl", "1h0m0s")]).await;
    assert_eq!(older, told(200, "hit", "body"));
}

#[tokio::test]
async fn only_if_cached_is_answered_504_on_a_miss() {
    let fixture = Fixture::new(|asked| github(asked, "body"));
    let wish = [("cache-control", "only-if-cached")];
    let (status, cache_status, _) = fixture.send(&wish).await;
    assert_eq!((status, &*cache_status), (504, "detail=only-if-cached"));
    fixture.send(&[]).await;
    assert_eq!(fixture.send(&wish).await, told(200, "hit", "body"));
    fixture.wait(60).await;
    assert_eq!(fixture.send(&wish).await.0, 504);
    let tolerant = [("cache-control", "only-if-cached, max-stale=1")];
    let stale = fixture.send(&tolerant).await;
    assert_eq!(stale, told(200, "hit; detail=stale", "body"));
    assert_eq!(fixture.calls(), 1);
}

#[tokio::test]
async fn max_stale_is_content_with_what_is_stale() {
    let fixture = Fixture::new(|_| answer(200, &[], "body"));
    fixture.send(&[]).await;
    fixture.wait(69).await;
    let stale = fixture.send(&[("cache-control", "max-stale=10")]).await;
    assert_eq!(stale, told(200, "hit; detail=stale", "body"));
    let fixture = Fixture::new(|_| answer(200, &[], "body"));
    fixture.send(&[]).await;
    fixture.wait(70).await;
    let too_stale = fixture.send(&[("cache-control", "max-stale=10")]).await;
    assert_eq!(too_stale, told(200, "fwd=stale", "body"));
}

#[tokio::test]
async fn stale_if_error_bounds_how_stale_an_answer_may_be() {
    let fixture = Fixture::new(|asked| match asked.headers().get("if-none-match") {
        Some(_) => answer(403, &[("retry-after", "9")], "refused"),
        None => github(asked, "body"),
    });
    fixture.send(&[]).await;
    fixture.wait(65).await;
    let with = |control| [("cache-control", control)];
    let refused = fixture.send(&with("stale-if-error=4")).await;
    assert_eq!((refused.0, &*refused.1), (403, "fwd=uri-miss"));
    let stale = fixture.send(&with("stale-if-error=5")).await;
    assert_eq!(stale, told(200, "hit; detail=stale", "body"));
    assert_eq!(fixture.send(&[]).await, stale);
}

#[tokio::test]
async fn a_client_that_has_the_answer_gets_a_304_from_the_cache() {
    let typed = [("etag", "W/\"v1\""), ("content-type", "text/x")];
    let fixture = Fixture::new(move |_| answer(200, &typed, "body"));
    fixture.send(&[]).await;
    let conditional = fixture
        .respond(get("/x", &[("if-none-match", "\"v1\"")]))
        .await;
    assert!(!conditional.headers().contains_key("content-type"));
    assert_eq!(told_by(conditional).await, told(304, "hit", ""));
    let changed = fixture.send(&[("if-none-match", "\"v0\"")]).await;
    assert_eq!(changed, told(200, "hit", "body"));
    assert_eq!(fixture.calls(), 1);
}

#[tokio::test]
async fn what_must_be_revalidated_is_whatever_the_client_is_content_with() {
    for control in ["must-revalidate", "no-cache", "proxy-revalidate"] {
        let fixture = Fixture::new(move |asked| {
            let mut response = github(asked, "body");
            let control = HeaderValue::from_static(control);
            response.headers_mut().insert("cache-control", control);
            response
        });
        fixture.send(&[]).await;
        fixture.wait(61).await;
        for wish in ["max-stale", "max-stale=600", "max-age=600"] {
            let answer = fixture.send(&[("cache-control", wish)]).await;
            assert_ne!(answer.1, "hit; detail=stale", "{control}, {wish}");
            fixture.wait(61).await;
            let only = [("cache-control", "only-if-cached, max-stale")];
            assert_eq!(fixture.send(&only).await.0, 504, "{control}, {wish}");
        }
        assert_eq!(fixture.calls(), 4);
    }
}

#[tokio::test]
async fn min_fresh_says_for_how_much_longer_an_answer_has_to_be_fresh() {
    let fixture = Fixture::new(|asked| github(asked, "body"));
    fixture.send(&[]).await;
    fixture.wait(29).await;
    let wish = [("cache-control", "min-fresh=30")];
    assert_eq!(fixture.send(&wish).await, told(200, "hit", "body"));
    fixture.wait(1).await;
    let revalidated = fixture.send(&wish).await;
    assert_eq!(revalidated, told(200, "hit; detail=revalidated", "body"));
}

#[tokio::test]
async fn header_lines_of_one_name_are_passed_on_in_their_order() {
    let fixture = Fixture::new(|_| answer(201, &[], ""));
    let post = Request::post("/x")
        .header("x-twice", "one")
        .header("x-twice", "two");
    fixture.respond(post.body(Body::empty()).unwrap()).await;
    let asked = fixture.asked.lock().unwrap();
    let twice: Vec<_> = asked[0].headers().get_all("x-twice").iter().collect();
    assert_eq!(twice, ["one", "two"]);
}
