//! Upstream that fails, hangs, or has too much to do.

use std::sync::atomic::AtomicUsize;

use cache_core::testing::MemoryNetwork;
use tokio::sync::Semaphore;

use super::*;
use crate::fetch::{PATIENCE, UNDER_WAY};

fn unreachable() -> UpstreamError {
    UpstreamError::Unreachable {
        upstream: "GitHub".to_owned(),
        cause: "refused".into(),
    }
}

type Failure = fn() -> Result<Response<Body>, UpstreamError>;

/// A stack whose upstream fails so often before it answers.
fn failing(times: usize, fail: Failure) -> Fixture {
    let left = AtomicUsize::new(times);
    let reply = move |_: &Asked| {
        let fails = left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok();
        if fails {
            fail()
        } else {
            Ok(answer(200, &[], "body"))
        }
    };
    Fixture::with(Sharing::Token, |_| {}, reply)
}

#[tokio::test(start_paused = true)]
async fn what_fails_for_a_moment_is_tried_again() {
    let fails: [Failure; 3] = [
        || Err(unreachable()),
        || Ok(answer(500, &[], "oops")),
        || Ok(answer(503, &[("retry-after", "2")], "oops")),
    ];
    for fail in fails {
        let fixture = failing(3, fail);
        assert_eq!(fixture.get().await, told(200, "fwd=uri-miss", "body"));
        assert_eq!(fixture.calls(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn what_goes_on_failing_is_told_as_it_is() {
    let fixture = failing(usize::MAX, || Ok(answer(502, &[], "oops")));
    assert_eq!(fixture.get().await, told(502, "fwd=uri-miss", "oops"));
    assert_eq!(fixture.calls(), 5);
    let fixture = failing(usize::MAX, || Err(unreachable()));
    let error = fixture.service.clone().oneshot(get("/x", &[])).await;
    assert!(error.unwrap_err().to_string().contains("cannot reach"));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_too_long_for_the_client_is_not_begun() {
    let fixture = failing(1, || Ok(answer(503, &[("retry-after", "60")], "oops")));
    assert_eq!(fixture.get().await.0, 503);
    assert_eq!(fixture.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn where_there_is_something_stale_it_is_served_after_the_second_failure() {
    let is_up = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let reply = {
        let is_up = Arc::clone(&is_up);
        move |_: &Asked| match is_up.load(Ordering::Relaxed) {
            true => Ok(answer(200, &[("etag", "\"v\"")], "body")),
            false => Err(unreachable()),
        }
    };
    let fixture = Fixture::with(Sharing::Token, |_| {}, reply);
    fixture.get().await;
    is_up.store(false, Ordering::Relaxed);
    fixture.wait(60).await;
    assert_eq!(fixture.get().await, told(200, "hit; detail=stale", "body"));
    assert_eq!(fixture.calls(), 3);
    // RFC 9111, section 5.2.2.2.
    fixture.wait(600).await;
    let error = fixture
        .service
        .clone()
        .oneshot(get("/x", &[("authorization", "token t")]));
    assert!(error.await.is_err(), "it is dead");
}

#[tokio::test(start_paused = true)]
async fn what_must_be_revalidated_is_not_served_stale() {
    let fixture = Fixture::new(|asked| match asked.headers().get("if-none-match") {
        Some(_) => answer(500, &[], "oops"),
        None => answer(
            200,
            &[("etag", "\"v\""), ("cache-control", "must-revalidate")],
            "body",
        ),
    });
    fixture.get().await;
    fixture.wait(60).await;
    assert_eq!(fixture.get().await, told(500, "fwd=uri-miss", "oops"));
}

#[tokio::test(start_paused = true)]
async fn a_proof_that_is_over_is_good_enough_where_github_cannot_answer() {
    let calls = AtomicUsize::new(0);
    let fixture = Fixture::new(move |asked| match calls.fetch_add(1, Ordering::Relaxed) {
        0..2 => github(asked, "body"),
        _ => answer(500, &[], "oops"),
    });
    fixture.get_as("a").await;
    fixture.get_as("b").await;
    fixture.wait(60).await;
    for token in ["a", "b"] {
        let stale = fixture.get_as(token).await;
        assert_eq!(stale, told(200, "hit; detail=stale", "body"), "{token}");
    }
    assert_eq!(fixture.get_as("c").await.0, 500);
}

#[tokio::test(start_paused = true)]
async fn writes_are_sent_once() {
    let fixture = failing(1, || Ok(answer(502, &[], "oops")));
    let post = Request::post("/x").body(Body::full("{}")).unwrap();
    assert_eq!(
        told_by(fixture.respond(post).await).await,
        told(502, "fwd=method", "oops")
    );
    assert_eq!(fixture.calls(), 1);
}

/// A stack over an upstream that takes so long, and how many it has worked for at one time.
fn slow(seconds: u64) -> (Stack<Leaf>, Arc<AtomicUsize>) {
    let busiest = Arc::<AtomicUsize>::default();
    let room = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
    let upstream = {
        let busiest = Arc::clone(&busiest);
        tower::service_fn(move |_: Request<Body>| {
            let (busiest, room) = (Arc::clone(&busiest), Arc::clone(&room));
            async move {
                // Given back where the work is done, and where nobody waits for it any more.
                let _working = room.acquire().await.unwrap();
                let working = Semaphore::MAX_PERMITS - room.available_permits();
                busiest.fetch_max(working, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Ok(answer(201, &[], "done"))
            }
        })
    };
    let parts = parts(&ManualClock::default(), Sharing::Token);
    (
        parts.over(BoxCloneSyncService::new(upstream)).unwrap(),
        busiest,
    )
}

#[tokio::test(start_paused = true)]
async fn what_is_passed_on_has_no_deadline_of_ours() {
    let (service, _) = slow(60);
    let upload = Request::post("/x")
        .body(Body::full("a large file"))
        .unwrap();
    let response = service.oneshot(upload).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_github_does_not_answer_ends_in_a_timeout() {
    let (service, _) = slow(60);
    let asked_at = Instant::now();
    let error = service.oneshot(get("/x", &[])).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(asked_at.elapsed() <= crate::fetch::PATIENCE);
}

/// A stack over an upstream that never answers what is below `/slow`, and the rest at once.
fn half_dead(change: impl FnOnce(&mut Parts)) -> Stack<Leaf> {
    let upstream = tower::service_fn(|asked: Request<Body>| async move {
        if asked.uri().path().starts_with("/slow") {
            std::future::pending::<()>().await;
        }
        Ok(answer(200, &[("etag", "\"v\"")], "body"))
    });
    let mut parts = parts(&ManualClock::default(), Sharing::Token);
    change(&mut parts);
    parts.over(BoxCloneSyncService::new(upstream)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn questions_that_github_does_not_answer_keep_no_others_waiting() {
    let service = half_dead(|_| {});
    let slow = (0..80).map(|n| service.clone().oneshot(get(&format!("/slow/{n}"), &[])));
    let slow = tokio::spawn(futures::future::join_all(slow));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked_at = Instant::now();
    let answer = service.oneshot(get("/x", &[("authorization", "token t")]));
    assert_eq!(answer.await.unwrap().status(), 200);
    assert_eq!(asked_at.elapsed().as_secs(), 0);
    slow.abort();
}

#[tokio::test(start_paused = true)]
async fn where_too_much_is_under_way_further_questions_are_refused_and_what_is_known_is_answered() {
    let service = half_dead(|parts| parts.pace = false);
    let ask = |path: String| service.clone().oneshot(get(&path, &[]));
    ask("/x".to_owned()).await.unwrap();
    // Each client leaves at once; the question goes on without it.
    let left = (0..UNDER_WAY).map(|n| {
        let question = ask(format!("/slow/{n}"));
        tokio::time::timeout(Duration::from_secs(1), question)
    });
    futures::future::join_all(left).await;
    let refused = ask("/slow".to_owned()).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(ask("/x".to_owned()).await.unwrap().status(), 200);
    tokio::time::sleep(PATIENCE).await;
    assert_eq!(ask("/y".to_owned()).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn where_there_is_something_stale_a_github_that_hangs_is_not_waited_for() {
    let clock = ManualClock::default();
    let calls = Arc::new(AtomicUsize::new(0));
    let upstream = tower::service_fn(move |_: Request<Body>| {
        let calls = Arc::clone(&calls);
        async move {
            if calls.fetch_add(1, Ordering::Relaxed) > 0 {
                std::future::pending::<()>().await;
            }
            Ok(answer(200, &[("etag", "\"v\"")], "body"))
        }
    });
    let parts = parts(&clock, Sharing::Token);
    let service = parts.over(BoxCloneSyncService::new(upstream)).unwrap();
    let ask = || service.clone().oneshot(get("/x", &[]));
    ask().await.unwrap();
    clock.advance(Duration::from_secs(60));
    let asked_at = Instant::now();
    let stale = told_by(ask().await.unwrap()).await;
    assert_eq!(stale, told(200, "hit; detail=stale", "body"));
    assert!(asked_at.elapsed() < Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_lookup_has_one_deadline_and_counts_once_whoever_asks_for_it() {
    let network = MemoryNetwork::new(7);
    let members: Vec<(Stack<Leaf>, Cache)> = (0..2)
        .map(|n| {
            let transport = network.join(&format!("member {n}"));
            let cache = Cache::builder().transport(transport).build();
            let stack = half_dead(|parts| parts.cache = cache.clone());
            (stack, cache)
        })
        .collect();
    let asking = members.iter().map(|(stack, _)| async {
        let asked_at = Instant::now();
        let error = stack.clone().oneshot(get("/slow", &[])).await.unwrap_err();
        (error, asked_at.elapsed())
    });
    for (error, waited) in futures::future::join_all(asking).await {
        assert!(
            waited < PATIENCE + Duration::from_secs(2),
            "{waited:?}: {error}"
        );
    }
    for (_, cache) in &members {
        assert_eq!(cache.stats().requests(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_everybody_may_see_is_shown_to_a_token_where_github_is_gone() {
    let is_up = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let reply = {
        let is_up = Arc::clone(&is_up);
        move |asked: &Asked| match (
            is_up.load(Ordering::Relaxed),
            asked.uri().path(),
            token(asked),
        ) {
            (true, "/x", _) => Ok(github(asked, "body")),
            (true, ..) => Ok(answer(401, &[], "Bad credentials")),
            (false, ..) => Err(unreachable()),
        }
    };
    let fixture = Fixture::with(Sharing::Token, |_| {}, reply);
    fixture.send(&[]).await;
    let revoked = get("/y", &[("authorization", "token revoked")]);
    assert_eq!(fixture.respond(revoked).await.status(), 401);
    is_up.store(false, Ordering::Relaxed);
    assert_eq!(fixture.get().await, told(200, "hit; detail=stale", "body"));
    let revoked = get("/x", &[("authorization", "token revoked")]);
    assert!(fixture.service.clone().oneshot(revoked).await.is_err());
}
