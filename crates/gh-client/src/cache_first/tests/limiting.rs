//! github.md, "Limits", end to end.

use super::*;

pub(super) const SPENT: [(&str, &str); 3] = [
    ("x-ratelimit-limit", "60"),
    ("x-ratelimit-remaining", "0"),
    // A quarter of an hour from the start of the clock.
    ("x-ratelimit-reset", "1700000900"),
];

#[tokio::test]
async fn once_the_limit_is_used_up_only_what_is_free_is_sent() {
    let fixture = Fixture::new(|asked| {
        let mut response = github(asked, "body");
        for (name, value) in SPENT {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        response
    });
    fixture.get().await;
    let refused = fixture
        .respond(get("/y", &[("authorization", "token t")]))
        .await;
    assert_eq!(refused.headers()["retry-after"], "900");
    assert_eq!(refused.headers()["x-ratelimit-remaining"], "0");
    assert_eq!(refused.headers()["x-ratelimit-reset"], "1700000900");
    let (status, _, body) = told_by(refused).await;
    assert_eq!(status, 403);
    assert!(body.contains("API rate limit exceeded"), "{body}");
    assert_eq!(fixture.calls(), 1);

    fixture.wait(60).await;
    let free = fixture.get().await;
    assert_eq!(free, told(200, "hit; detail=revalidated", "body"));
    // Another principal has limits of its own.
    assert_eq!(fixture.get_as("u").await.0, 200);
    fixture.wait(840).await;
    assert_eq!(
        fixture
            .respond(get("/y", &[("authorization", "token t")]))
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn under_a_secondary_limit_nothing_is_sent_and_what_is_stale_is_served() {
    let fixture = Fixture::new(|asked| match asked.uri().path() {
        "/x" => github(asked, "body"),
        _ => answer(429, &[("retry-after", "90")], "slow down"),
    });
    fixture.get().await;
    let limited = get("/y", &[("authorization", "token t")]);
    assert_eq!(told_by(fixture.respond(limited).await).await.0, 429);
    fixture.wait(60).await;
    assert_eq!(fixture.get().await, told(200, "hit; detail=stale", "body"));
    assert_eq!(fixture.calls(), 2);
    let refused = fixture
        .respond(get("/z", &[("authorization", "token t")]))
        .await;
    assert_eq!(refused.headers()["retry-after"], "30");
    assert_eq!(refused.status(), 429);
    fixture.wait(30).await;
    assert_eq!(
        fixture.get().await,
        told(200, "hit; detail=revalidated", "body")
    );
}

#[tokio::test]
async fn a_secondary_limit_that_only_the_message_tells_of_is_a_minute() {
    let words = r#"{"message":"You have exceeded a secondary rate limit."}"#;
    let fixture = Fixture::new(move |_| answer(403, &[], words));
    assert_eq!(fixture.get().await, told(403, "fwd=uri-miss", words));
    assert_eq!(fixture.get().await.0, 403);
    assert_eq!(fixture.calls(), 1);
    fixture.wait(60).await;
    fixture.get().await;
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test]
async fn a_refusal_shows_the_limit_that_it_is_about() {
    let fixture = Fixture::new(|_| answer(403, &SPENT, "rate limit exceeded"));
    let response = fixture.respond(get("/x", &[])).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.headers()["x-ratelimit-reset"], "1700000900");
}

#[tokio::test]
async fn what_is_left_is_asked_for_even_when_nothing_is() {
    let fixture = Fixture::new(|_| answer(200, &SPENT, "{}"));
    for _ in 0..2 {
        let response = fixture.respond(get("/rate_limit", &[])).await;
        assert_eq!(response.status(), 200);
    }
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test]
async fn a_refusal_for_a_limit_leaves_the_stale_answer_in_place() {
    let fixture = Fixture::new(|asked| match asked.headers().get("if-none-match") {
        Some(_) => answer(403, &SPENT, "rate limit exceeded"),
        None => github(asked, "body"),
    });
    fixture.get().await;
    fixture.wait(60).await;
    assert_eq!(fixture.get().await, told(200, "hit; detail=stale", "body"));
}

#[tokio::test]
async fn once_the_limit_is_used_up_a_client_hears_for_free_that_what_it_has_is_right() {
    let fixture = Fixture::new(|asked| {
        let mut response = github(asked, "body");
        for (name, value) in SPENT {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        response
    });
    let authorization = ("authorization", "token t");
    fixture.respond(get("/y", &[authorization])).await;
    assert_eq!(fixture.get().await.0, 403);
    assert_eq!(fixture.calls(), 1);
    let asked = Question::of(
        &get("/x", &[]),
        &BaseUrl::parse("https://api.github.com").unwrap(),
    );
    let credential = Credential::of(&get("/x", &[authorization]));
    let asked = asked.unwrap().to_request(credential.as_ref());
    let tag = etag::computed(asked.headers(), b"body");
    let held = [authorization, ("if-none-match", tag.to_str().unwrap())];
    assert_eq!(fixture.send(&held).await, told(304, "fwd=uri-miss", ""));
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test]
async fn a_secondary_limit_that_only_a_body_tells_of_is_heeded_whatever_met_it() {
    let words = r#"{"message":"You have exceeded a secondary rate limit."}"#;
    let errors = r#"{"errors":[{"message":"You have exceeded a secondary rate limit."}]}"#;
    let mutation = r#"{"query":"mutation { x }"}"#;
    let query = r#"{"query":"{ x }"}"#;
    for (path, sent, status, body) in [
        ("/x", "{}", 403, words),
        ("/graphql", mutation, 403, words),
        ("/graphql", mutation, 200, errors),
        ("/graphql", query, 200, errors),
    ] {
        let fixture = Fixture::new(move |_| answer(status, &[], body));
        let post = || {
            let post = Request::post(path).header("authorization", "token t");
            post.body(Body::full(sent)).unwrap()
        };
        let met = told_by(fixture.respond(post()).await).await;
        assert_eq!((met.0, &*met.2), (status, body));
        let refused = fixture.respond(post()).await;
        assert_eq!(refused.headers()["retry-after"], "60", "{sent}");
        assert_eq!(fixture.calls(), 1, "{sent}");
    }
}

#[tokio::test]
async fn a_secondary_limit_is_heeded_where_the_client_gets_it_compressed() {
    let fixture = Fixture::new(|_| {
        let words = br#"{"message":"You have exceeded a secondary rate limit."}"#;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, words).unwrap();
        let gzip = gzip.finish().unwrap();
        answer(403, &[("content-encoding", "gzip")], gzip)
    });
    let post = || Request::post("/x").body(Body::full("{}")).unwrap();
    let met = fixture.respond(post()).await;
    assert_eq!(met.headers()["content-encoding"], "gzip");
    assert_eq!(fixture.respond(post()).await.status(), 403);
    assert_eq!(fixture.calls(), 1);
}

#[tokio::test]
async fn an_answer_from_the_cache_shows_the_limits_of_now() {
    let calls = std::sync::atomic::AtomicU32::new(0);
    let fixture = Fixture::new(move |_| {
        let used = 1 + calls.fetch_add(1, Ordering::Relaxed);
        let (used, remaining) = (used.to_string(), (60 - used).to_string());
        let limits = [
            ("x-ratelimit-limit", "60"),
            ("x-ratelimit-used", &used),
            ("x-ratelimit-remaining", &remaining),
            ("x-ratelimit-reset", "1700000900"),
        ];
        answer(200, &limits, "body")
    });
    for path in ["/x", "/y", "/x"] {
        let response = fixture.respond(get(path, &[])).await;
        let remaining = if path == "/x" && fixture.calls() == 1 {
            "59"
        } else {
            "58"
        };
        assert_eq!(response.headers()["x-ratelimit-remaining"], remaining);
    }
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_one_member_meets_holds_for_all_within_half_a_second() {
    let limited = [("retry-after", "60")];
    let members = members(Sharing::Token, move |_| answer(429, &limited, "slow down"));
    let ask = |path| get(path, &[("authorization", "token t")]);
    assert_eq!(members[0].respond(ask("/x")).await.status(), 429);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(members[1].respond(ask("/y")).await.status(), 429);
    assert_eq!(members[1].calls(), 0);
}
