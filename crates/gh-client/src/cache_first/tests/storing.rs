//! github.md, "Which answers are stored", end to end.

use super::*;

/// Whether the second of two clients is answered from the cache.
async fn is_stored(reply: impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static) -> bool {
    let fixture = Fixture::new(reply);
    let (first, second) = (fixture.get().await, fixture.get().await);
    assert_eq!(first.1, "fwd=uri-miss");
    assert_eq!((first.0, first.2), (second.0, second.2));
    second.1 == "hit"
}

#[tokio::test]
async fn the_second_client_is_answered_from_the_cache_and_told_its_age() {
    let fixture = Fixture::new(|_| answer(200, &[], "body"));
    assert_eq!(fixture.get().await, told(200, "fwd=uri-miss", "body"));
    fixture.wait(7).await;
    let request = get("/x", &[("authorization", "Bearer t")]);
    let response = fixture.respond(request).await;
    assert_eq!(response.headers()["age"], "7");
    assert_eq!(told_by(response).await, told(200, "hit", "body"));
    assert_eq!(fixture.calls(), 1);
}

#[tokio::test]
async fn a_renamed_repository_is_stored_and_what_is_not_there_is_not() {
    assert!(is_stored(|_| answer(301, &[("location", "/y")], "moved")).await);
    for status in [302, 307, 404, 410] {
        assert!(
            !is_stored(move |_| answer(status, &[], "")).await,
            "{status}"
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_stored_where_the_operator_says_so() {
    let change = |parts: &mut Parts| parts.keeping.negative_ttl = Some(Duration::from_secs(5));
    let fixture = Fixture::with(Sharing::Token, change, |_| Ok(answer(404, &[], "none")));
    fixture.get().await;
    assert_eq!(fixture.get().await, told(404, "hit", "none"));
    // Another token is not told what this one was told, and asks without conditions.
    assert_eq!(fixture.get_as("u").await, told(404, "fwd=uri-miss", "none"));
    assert_eq!(fixture.asked("if-none-match"), ["-", "-"]);
    fixture.wait(5).await;
    assert_eq!(fixture.get().await, told(404, "fwd=uri-miss", "none"));
}

#[tokio::test]
async fn cookies_no_store_and_refusals_are_never_stored() {
    assert!(!is_stored(|_| answer(200, &[("set-cookie", "a=b")], "body")).await);
    assert!(!is_stored(|_| answer(200, &[("cache-control", "no-store")], "body")).await);
    for status in [401, 422, 451, 501] {
        assert!(
            !is_stored(move |_| answer(status, &[], "no")).await,
            "{status}"
        );
    }
}

#[tokio::test]
async fn ranges_and_the_rate_limit_are_passed_on() {
    let fixture = Fixture::new(|_| answer(206, &[("content-range", "bytes 0-1/4")], "bo"));
    for _ in 0..2 {
        let part = fixture.send(&[("range", "bytes=0-1")]).await;
        assert_eq!(part, told(206, "fwd=bypass", "bo"));
    }
    assert_eq!(fixture.asked("range"), ["bytes=0-1"; 2]);
    let fixture = Fixture::new(|_| answer(200, &[], "{}"));
    for _ in 0..2 {
        let response = fixture.respond(get("/rate_limit", &[])).await;
        assert_eq!(told_by(response).await, told(200, "fwd=bypass", "{}"));
    }
}

#[tokio::test]
async fn an_answer_over_the_limit_goes_through_and_is_not_kept() {
    assert!(is_stored(|_| answer(200, &[], vec![b'x'; 1000])).await);
    assert!(!is_stored(|_| answer(200, &[], vec![b'x'; 1001])).await);
}

#[tokio::test]
async fn of_what_a_client_leaves_half_way_no_more_is_read_and_nothing_is_kept() {
    let read = Arc::<std::sync::atomic::AtomicUsize>::default();
    let counter = Arc::clone(&read);
    let fixture = Fixture::new(move |_| {
        let counter = Arc::clone(&counter);
        // It has no end.
        let chunks = futures::stream::repeat_with(move || {
            counter.fetch_add(100, Ordering::Relaxed);
            let chunk = bytes::Bytes::from_static(&[0; 100]);
            Ok::<_, std::convert::Infallible>(http_body::Frame::data(chunk))
        });
        let mut response = answer(200, &[], "");
        *response.body_mut() = Body::streaming(http_body_util::StreamBody::new(chunks));
        response
    });
    // What is looked up, and what is passed on.
    for control in ["max-age=60", "no-store"] {
        let before = read.load(Ordering::Relaxed);
        let asked = [("cache-control", control)];
        let response = fixture.respond(get("/x", &asked)).await;
        let mut body = response.into_body();
        for _ in 0..3 {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        // What an entry may have, and three chunks more.
        let read = read.load(Ordering::Relaxed) - before;
        assert!(read <= 1000 + 400, "{control}: {read} bytes");
    }
    assert_eq!(Arc::strong_count(&read), 2, "nobody reads any more");
    assert_eq!(fixture.cache.stats().entries, 0);
}

#[tokio::test]
async fn a_stored_value_that_is_no_answer_is_replaced() {
    let mut cache = None;
    let change = |parts: &mut Parts| cache = Some(parts.cache.clone());
    let fixture = Fixture::with(Sharing::Token, change, |_| Ok(answer(200, &[], "body")));
    let base = BaseUrl::parse("https://api.github.com").unwrap();
    let Plan::Look(question) = Plan::of(&get("/x", &[]), &base) else {
        panic!("a GET is looked up")
    };
    let key = Key::new(question.family(&base), Scope::PUBLIC);
    let lifetime = cache_core::Lifetime::fresh_for(Duration::from_secs(60));
    cache.unwrap().put(key, "garbage".into(), lifetime);
    assert_eq!(fixture.send(&[]).await, told(200, "fwd=stale", "body"));
    assert_eq!(fixture.send(&[]).await, told(200, "hit", "body"));
}

#[tokio::test]
async fn a_path_is_filed_so_that_it_can_be_invalidated_with_and_without_what_lies_below() {
    let mut cache = None;
    let change = |parts: &mut Parts| cache = Some(parts.cache.clone());
    let fixture = Fixture::with(Sharing::Token, change, |_| Ok(answer(200, &[], "body")));
    let cache = cache.unwrap();
    for target in ["/repos/o/r", "/repos/o/r/pulls?page=2"] {
        fixture.respond(get(target, &[])).await;
    }
    cache.invalidate_path(filed_at("/repos/o/r"));
    assert_eq!(cache.count_under("/repos/o/r".into()).await, 1);
    cache.invalidate_path("/repos/o/r".into());
    assert_eq!(cache.count_under("/".into()).await, 0);
}

#[tokio::test]
async fn what_upstream_compresses_is_stored_as_it_was_before() {
    let fixture = Fixture::new(|asked| {
        assert_eq!(asked.headers()["accept-encoding"], "gzip");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, b"body").unwrap();
        let coded = [("content-encoding", "gzip"), ("etag", "W/\"v\"")];
        answer(200, &coded, gzip.finish().unwrap())
    });
    for cache_status in ["fwd=uri-miss", "hit"] {
        let response = fixture.respond(get("/x", &[])).await;
        assert!(!response.headers().contains_key("content-encoding"));
        assert_eq!(told_by(response).await, told(200, cache_status, "body"));
    }
}

#[tokio::test]
async fn other_refusals_leave_what_is_stored_in_place() {
    for status in [410, 422, 451, 400] {
        let fixture = Fixture::new(move |asked| match asked.headers().get("if-none-match") {
            Some(_) => answer(status, &[], "no"),
            None => github(asked, "body"),
        });
        fixture.get().await;
        fixture.wait(60).await;
        assert_eq!(fixture.get().await.0, status);
        let only = [
            ("authorization", "token t"),
            ("cache-control", "only-if-cached, max-stale"),
        ];
        let stale = fixture.send(&only).await;
        assert_eq!(stale, told(200, "hit; detail=stale", "body"), "{status}");
    }
}
