//! github.md, "Who may see an entry".

use std::sync::atomic::AtomicBool;

use futures::FutureExt;

use super::*;

#[tokio::test]
async fn another_token_proves_with_a_304_that_it_sees_this_very_body() {
    let fixture = Fixture::new(|asked| github(asked, "body"));
    assert_eq!(fixture.get_as("a").await, told(200, "fwd=uri-miss", "body"));
    let proof = fixture.get_as("b").await;
    assert_eq!(proof, told(200, "hit; detail=revalidated", "body"));
    for token in ["a", "b"] {
        assert_eq!(fixture.get_as(token).await, told(200, "hit", "body"));
    }
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test]
async fn a_proof_is_good_for_one_freshness_period() {
    let fixture = Fixture::new(|asked| github(asked, "body"));
    fixture.get_as("a").await;
    fixture.wait(30).await;
    fixture.get_as("b").await;
    // The entry itself has become stale.
    fixture.wait(59).await;
    let response = fixture
        .respond(get("/x", &[("authorization", "token b")]))
        .await;
    assert_eq!(response.headers()["age"], "59");
    assert_eq!(told_by(response).await, told(200, "hit", "body"));
    fixture.wait(1).await;
    let again = fixture.get_as("b").await;
    assert_eq!(again, told(200, "hit; detail=revalidated", "body"));
    assert_eq!(fixture.calls(), 3);
}

#[tokio::test]
async fn who_depends_on_an_entry_takes_it_over_before_it_dies() {
    let fixture = Fixture::new(|asked| github(asked, "body"));
    fixture.get_as("a").await;
    fixture.wait(620).await;
    fixture.get_as("b").await;
    fixture.wait(50).await;
    assert_eq!(fixture.get_as("b").await, told(200, "hit", "body"));
    fixture.wait(500).await;
    let again = fixture.get_as("b").await;
    assert_eq!(again, told(200, "hit; detail=revalidated", "body"));
}

#[tokio::test]
async fn a_body_with_anothers_permissions_is_never_shown() {
    let fixture = Fixture::new(|asked| match token(asked) {
        "admin" => github(asked, "permissions: admin"),
        _ => github(asked, "permissions: pull"),
    });
    assert_eq!(fixture.get_as("admin").await.2, "permissions: admin");
    let reader = fixture.get_as("reader").await;
    assert_eq!(reader, told(200, "fwd=uri-miss", "permissions: pull"));
    let other = fixture.get_as("other").await;
    assert_eq!(
        other,
        told(200, "hit; detail=revalidated", "permissions: pull")
    );
    assert_eq!(
        fixture.get_as("admin").await,
        told(200, "hit", "permissions: admin")
    );
}

#[tokio::test]
async fn a_stranger_is_told_404_and_learns_nothing() {
    let fixture = Fixture::new(|asked| match token(asked) {
        "a" => github(asked, "secret"),
        _ => answer(404, &[], "Not Found"),
    });
    let nothing_there = fixture.get_as("stranger").await;
    fixture.get_as("a").await;
    for _ in 0..2 {
        assert_eq!(fixture.get_as("stranger").await, nothing_there);
    }
    assert_eq!(nothing_there, told(404, "fwd=uri-miss", "Not Found"));
    assert_eq!(fixture.get_as("a").await, told(200, "hit", "secret"));
}

#[tokio::test]
async fn a_stranger_is_shown_nothing_stale_where_github_cannot_answer() {
    for sharing in [Sharing::Token, Sharing::Fleet] {
        let fixture = Fixture::sharing(sharing, |asked| match token(asked) {
            "a" => github(asked, "secret"),
            _ => answer(403, &[("retry-after", "1")], "limited"),
        });
        fixture.get_as("a").await;
        for _ in 0..2 {
            let stranger = fixture.get_as("stranger").await;
            assert_eq!(
                (stranger.0, &*stranger.1),
                (403, "fwd=uri-miss"),
                "{sharing:?}"
            );
            fixture.wait(60).await;
        }
    }
}

#[tokio::test]
async fn a_token_that_lost_access_loses_its_view_at_once() {
    for refusal in [401, 403, 404] {
        let fixture = Fixture::new(move |asked| match asked.headers().get("if-none-match") {
            Some(_) if token(asked) == "a" => answer(refusal, &[], "no"),
            _ if token(asked) == "a" => github(asked, "body"),
            _ => github(asked, "body"),
        });
        fixture.get_as("a").await;
        fixture.wait(60).await;
        let (status, ..) = fixture.get_as("a").await;
        assert_eq!(status, refusal);
        // Not even what is stale.
        let only = [
            ("authorization", "token a"),
            ("cache-control", "only-if-cached, max-stale"),
        ];
        assert_eq!(fixture.send(&only).await.0, 504, "{refusal}");
    }
}

#[tokio::test]
async fn a_proof_ends_with_a_refusal_too() {
    let fixture = Fixture::new(|asked| match asked.headers().get("x-lost") {
        _ if token(asked) == "a" => github(asked, "body"),
        _ if asked.uri().path() == "/y" => answer(401, &[], "Bad credentials"),
        _ => github(asked, "body"),
    });
    fixture.get_as("a").await;
    fixture.get_as("b").await;
    assert_eq!(fixture.get_as("b").await, told(200, "hit", "body"));
    // A token that GitHub does not know any more is shown nothing before GitHub says so.
    fixture
        .respond(get("/y", &[("authorization", "token b")]))
        .await;
    let asked_again = fixture.get_as("b").await;
    assert_eq!(asked_again, told(200, "hit; detail=revalidated", "body"));
}

#[tokio::test]
async fn what_is_shown_of_anothers_entry_speaks_of_ones_own_credential() {
    let fixture = Fixture::new(|asked| {
        let scopes = if token(asked) == "a" { "repo" } else { "gist" };
        let mut response = github(asked, "body");
        let scopes = HeaderValue::from_static(scopes);
        response.headers_mut().insert("x-oauth-scopes", scopes);
        response
    });
    let mut tags = Vec::new();
    for (name, scopes) in [("a", "repo"), ("b", "gist"), ("b", "gist"), ("a", "repo")] {
        let authorization = format!("token {name}");
        let response = fixture
            .respond(get("/x", &[("authorization", &authorization)]))
            .await;
        assert_eq!(response.headers()["x-oauth-scopes"], scopes, "{name}");
        tags.push(response.headers()["etag"].clone());
    }
    assert_eq!((&tags[0], &tags[1]), (&tags[3], &tags[2]));
    assert_ne!(tags[0], tags[1]);
}

#[tokio::test]
async fn a_request_without_credentials_sees_anonymous_entries_alone() {
    for sharing in [Sharing::Token, Sharing::Fleet] {
        let fixture = Fixture::sharing(sharing, |asked| match token(asked) {
            "" => github(asked, "public"),
            _ => github(asked, "private"),
        });
        assert_eq!(fixture.get().await.2, "private");
        assert_eq!(fixture.send(&[]).await, told(200, "fwd=uri-miss", "public"));
        assert_eq!(fixture.send(&[]).await, told(200, "hit", "public"));
        assert_eq!(fixture.get().await, told(200, "hit", "private"));
    }
}

#[tokio::test]
async fn an_anonymous_answer_is_a_tokens_too_where_github_says_so() {
    let fixture = Fixture::new(|asked| github(asked, "the same for all"));
    fixture.send(&[]).await;
    let (status, cache_status, _) = fixture.get().await;
    assert_eq!((status, &*cache_status), (200, "hit; detail=revalidated"));
}

#[tokio::test]
async fn a_fleet_makes_one_call_and_one_proof_for_each_token() {
    let fixture = Fixture::sharing(Sharing::Fleet, |asked| github(asked, "body"));
    assert_eq!(fixture.get_as("a").await, told(200, "fwd=uri-miss", "body"));
    for token in ["b", "c"] {
        let proof = fixture.get_as(token).await;
        assert_eq!(proof, told(200, "hit; detail=revalidated", "body"));
        assert_eq!(fixture.get_as(token).await, told(200, "hit", "body"));
    }
    assert_eq!(fixture.calls(), 3);
    // From here on they are one: another question costs one call.
    for (token, cache_status) in [("a", "fwd=uri-miss"), ("b", "hit"), ("c", "hit")] {
        let authorization = format!("token {token}");
        let response = fixture
            .respond(get("/y", &[("authorization", &authorization)]))
            .await;
        assert_eq!(told_by(response).await.1, cache_status);
    }
}

#[tokio::test]
async fn a_stranger_to_the_fleet_neither_sees_nor_spoils_anything() {
    let fixture = Fixture::sharing(Sharing::Fleet, |asked| match token(asked) {
        "stranger" => answer(404, &[], "Not Found"),
        _ => github(asked, "secret"),
    });
    fixture.get_as("a").await;
    for _ in 0..2 {
        let stranger = fixture.get_as("stranger").await;
        assert_eq!(stranger, told(404, "fwd=uri-miss", "Not Found"));
    }
    assert_eq!(fixture.get_as("a").await, told(200, "hit", "secret"));
}

#[tokio::test]
async fn a_formula_that_has_changed_costs_a_call_and_no_wrong_answer() {
    let fixture = Fixture::new(|asked| {
        let tag = format!("\"unknown-{}\"", token(asked));
        match asked.headers().get("if-none-match") {
            Some(named) if *named == *tag => answer(304, &[("etag", &*tag)], ""),
            _ => answer(200, &[("etag", &*tag)], format!("for {}", token(asked))),
        }
    });
    for name in ["a", "b"] {
        let first = fixture.get_as(name).await;
        assert_eq!(first, told(200, "fwd=uri-miss", &format!("for {name}")));
    }
    fixture.wait(60).await;
    for name in ["a", "b"] {
        let (_, cache_status, body) = fixture.get_as(name).await;
        assert_eq!(cache_status, "hit; detail=revalidated");
        assert_eq!(body, format!("for {name}"));
    }
}

#[tokio::test]
async fn a_credential_that_is_not_sent_proves_nothing() {
    for sharing in [Sharing::Token, Sharing::Fleet] {
        let fixture = Fixture::sharing(sharing, |asked| match token(asked) {
            "a" => github(asked, "secret"),
            "" => answer(200, &[], "public"),
            _ => answer(401, &[], "Bad credentials"),
        });
        fixture.get_as("a").await;
        let authorization = ("authorization", "token bogus");
        for control in ["max-age=60", "no-store"] {
            let trick = [
                authorization,
                ("connection", "close, Authorization"),
                ("cache-control", control),
            ];
            assert_eq!(fixture.send(&trick).await.0, 401, "{sharing:?}");
            assert_eq!(fixture.get_as("bogus").await.0, 401, "{sharing:?}");
        }
    }
}

/// Answers all but what `lost` is refused: with this status, once it is.
fn losing(
    status: u16,
    lost: &'static str,
) -> (
    Arc<AtomicBool>,
    impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static,
) {
    let is_lost = Arc::new(AtomicBool::new(false));
    let is_lost_now = Arc::clone(&is_lost);
    let reply = move |asked: &Asked| {
        let is_refused = token(asked) == "lost" && asked.uri().path() == lost;
        match is_lost_now.load(Ordering::Relaxed) && is_refused {
            true => answer(status, &[], "no"),
            false => github(asked, "body"),
        }
    };
    (is_lost, reply)
}

const LOST: [(&str, &str); 1] = [("authorization", "token lost")];

#[tokio::test]
async fn a_view_that_has_ended_is_not_opened_again_by_another_answer() {
    for sharing in [Sharing::Token, Sharing::Fleet] {
        let (is_lost, reply) = losing(404, "/x");
        let fixture = Fixture::sharing(sharing, reply);
        fixture.get_as("a").await;
        fixture.get_as("lost").await;
        is_lost.store(true, Ordering::Relaxed);
        let no_cache = [LOST[0], ("cache-control", "no-cache")];
        assert_eq!(fixture.send(&no_cache).await.0, 404);
        assert_eq!(fixture.respond(get("/y", &LOST)).await.status(), 200);
        assert_eq!(fixture.get_as("lost").await.0, 404, "{sharing:?}");
        assert_eq!(fixture.get_as("a").await, told(200, "hit", "body"));
        is_lost.store(false, Ordering::Relaxed);
        // What was made void is so up to that moment.
        fixture.wait(1).await;
        let regained = fixture.get_as("lost").await;
        assert_eq!(regained, told(200, "hit; detail=revalidated", "body"));
        assert_eq!(fixture.get_as("lost").await, told(200, "hit", "body"));
    }
}

#[tokio::test]
async fn a_refusal_on_the_way_past_the_cache_ends_the_view_too() {
    for sharing in [Sharing::Token, Sharing::Fleet] {
        for status in [401, 403, 404] {
            let (is_lost, reply) = losing(status, "/x");
            let fixture = Fixture::sharing(sharing, reply);
            fixture.get_as("lost").await;
            is_lost.store(true, Ordering::Relaxed);
            let no_store = [LOST[0], ("cache-control", "no-store")];
            assert_eq!(fixture.send(&no_store).await.0, status);
            let only = [LOST[0], ("cache-control", "only-if-cached, max-stale")];
            assert_eq!(fixture.send(&only).await.0, 504, "{sharing:?}, {status}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_member_is_refused_no_other_shows_after_a_second() {
    for sharing in [Sharing::Token, Sharing::Fleet] {
        // A credential that is refused altogether, and one answer of which nothing is held there.
        for (status, path, cached) in [(401, "/y", "/x"), (404, "/y", "/y")] {
            let (is_lost, reply) = losing(status, path);
            let members = members(sharing, reply);
            for member in &members {
                member.respond(get(cached, &LOST)).await;
            }
            let hit = members[1].respond(get(cached, &LOST)).await;
            assert!(told_by(hit).await.1.starts_with("hit"));
            is_lost.store(true, Ordering::Relaxed);
            let refused = [LOST[0], ("cache-control", "no-cache")];
            let refused = members[0].respond(get(path, &refused)).await;
            assert_eq!(refused.status().as_u16(), status);
            tokio::time::sleep(Duration::from_secs(1)).await;
            let only = [LOST[0], ("cache-control", "only-if-cached, max-stale")];
            let shown = members[1].respond(get(cached, &only)).await;
            assert_eq!(shown.status(), 504, "{sharing:?}, {status}");
        }
    }
}

#[tokio::test]
async fn refusals_to_strangers_leave_no_tombstones() {
    for sharing in [Sharing::Token, Sharing::Fleet] {
        let fixture = Fixture::sharing(sharing, |asked| match token(asked) {
            "a" => github(asked, "secret"),
            _ => answer(404, &[], "Not Found"),
        });
        fixture.get_as("a").await;
        let mut events = fixture.cache.subscribe();
        for n in 0..100 {
            assert_eq!(fixture.get_as(&format!("stranger {n}")).await.0, 404);
        }
        let event = events.next().now_or_never();
        assert!(event.is_none(), "{sharing:?}: {event:?}");
        assert_eq!(fixture.get_as("a").await, told(200, "hit", "secret"));
    }
}
