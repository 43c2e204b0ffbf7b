//! github.md, "Revalidation that works across tokens": what is made of a stale entry.

use super::*;

#[tokio::test]
async fn a_stale_answer_is_revalidated_and_its_body_kept() {
    let fixture = Fixture::new(|asked| github(asked, "body"));
    fixture.get().await;
    fixture.wait(60).await;
    let revalidated = fixture.get().await;
    assert_eq!(revalidated, told(200, "hit; detail=revalidated", "body"));
    assert_eq!(fixture.get().await, told(200, "hit", "body"));
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test]
async fn a_stale_answer_that_has_changed_is_replaced() {
    let fixture = Fixture::new(|asked| match asked.headers().get("if-none-match") {
        Some(_) => answer(200, &[("etag", "\"v2\"")], "new"),
        None => answer(200, &[("etag", "\"v1\"")], "old"),
    });
    fixture.get().await;
    fixture.wait(60).await;
    assert_eq!(fixture.get().await, told(200, "fwd=stale", "new"));
}

#[tokio::test]
async fn ones_own_tag_is_sent_and_the_date_where_there_is_none() {
    let date = "Tue, 14 Nov 2023 22:13:20 GMT";
    for (validators, tag, since) in [
        (
            vec![("etag", "W/\"own\""), ("last-modified", date)],
            "W/\"own\"",
            "-",
        ),
        (vec![("last-modified", date)], "-", date),
        (vec![], "-", "-"),
    ] {
        let fixture = Fixture::new(move |_| answer(200, &validators, "body"));
        fixture.get().await;
        fixture.wait(60).await;
        fixture.get().await;
        assert_eq!(fixture.asked("if-none-match")[1], tag);
        assert_eq!(fixture.asked("if-modified-since")[1], since);
    }
}

#[tokio::test]
async fn a_304_overwrites_the_headers_but_for_content_type_and_link() {
    let fixture = Fixture::new(|asked| match asked.headers().get("if-none-match") {
        Some(_) => answer(
            304,
            &[
                ("date", "later"),
                ("link", "none"),
                ("content-type", "none"),
            ],
            "",
        ),
        None => {
            let headers = [
                ("etag", "\"v\""),
                ("date", "d"),
                ("link", "l"),
                ("content-type", "c"),
            ];
            answer(200, &headers, "body")
        }
    });
    fixture.get().await;
    fixture.wait(60).await;
    let response = fixture
        .respond(get("/x", &[("authorization", "token t")]))
        .await;
    assert_eq!(response.headers()["date"], "later");
    assert_eq!(response.headers()["link"], "l");
    assert_eq!(response.headers()["content-type"], "c");
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_asked_again_and_not_believed() {
    let fixture = Fixture::new(|_| answer(304, &[], ""));
    let error = fixture.service.clone().oneshot(get("/x", &[])).await;
    assert!(error.unwrap_err().to_string().contains("304"));
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test]
async fn a_304_about_another_answer_is_asked_again_without_conditions() {
    let fixture = Fixture::new(|asked| match asked.headers().get("if-none-match") {
        Some(_) => answer(304, &[("etag", "\"another\"")], ""),
        None => answer(200, &[("etag", "\"v\"")], "body"),
    });
    fixture.get().await;
    fixture.wait(60).await;
    assert_eq!(fixture.get().await, told(200, "fwd=stale", "body"));
    assert_eq!(fixture.asked("if-none-match"), ["-", "\"v\"", "-"]);
}

#[tokio::test]
async fn what_a_304_forbids_is_kept_no_longer() {
    let fixture = Fixture::new(|asked| match asked.headers().get("if-none-match") {
        Some(_) => answer(304, &[("set-cookie", "a=b")], ""),
        None => answer(200, &[("etag", "\"v1\"")], "body"),
    });
    fixture.get().await;
    for _ in 0..2 {
        fixture.wait(60).await;
        assert_eq!(fixture.get().await, told(200, "fwd=uri-miss", "body"));
    }
}

#[tokio::test]
async fn githubs_date_sets_the_clock_that_entries_are_stamped_by() {
    let mut cache = None;
    // The local clock stands at 22:13:20.
    let fixture = Fixture::with(
        Sharing::Token,
        |parts| cache = Some(parts.cache.clone()),
        |_| {
            Ok(answer(
                200,
                &[("date", "Tue, 14 Nov 2023 23:13:20 GMT")],
                "{}",
            ))
        },
    );
    let mut events = cache.unwrap().subscribe();
    for path in ["/x", "/y"] {
        fixture.respond(get(path, &[])).await;
    }
    let mut stamps = Vec::new();
    while stamps.len() < 2 {
        // What else happens meanwhile is not of interest.
        if let cache_core::Event::Kept { stored_at, .. } = events.next().await.unwrap() {
            stamps.push(stored_at);
        }
    }
    let apart = stamps[1].since(stamps[0]);
    assert_eq!(apart, Duration::from_secs(3600));
}
