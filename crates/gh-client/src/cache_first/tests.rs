//! What clients notice, with a scripted upstream in place of GitHub.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use cache_core::testing::ManualClock;
use http_body_util::BodyExt;
use tower::util::BoxCloneSyncService;

use super::*;
use crate::fetch::ROOM;
use crate::observe::ObserveLayer;

type Stack = CacheFirst<BoxCloneSyncService<Request<Body>, Response<Body>, UpstreamError>>;

type Reply = fn(&Request<Body>) -> Response<Body>;

fn layer(clock: &ManualClock) -> CacheFirstLayer {
    CacheFirstLayer {
        cache: Cache::builder().clock(clock.clone()).build(),
        base: Arc::new(BaseUrl::parse("https://api.github.com").unwrap()),
        key: PrincipalKey::new([7; 32]),
        keeping: Keeping {
            default_ttl: Duration::from_secs(60),
            stale_for: Duration::from_secs(600),
            max_entry_bytes: 1000,
        },
        room: Arc::new(Semaphore::new(ROOM)),
        limits: RateLimits::new(),
        counters: Arc::default(),
    }
}

/// A stack over an upstream that answers by a function and keeps what it was asked.
struct Fixture {
    service: Stack,
    asked: Arc<Mutex<Vec<HeaderMap>>>,
    clock: ManualClock,
}

impl Fixture {
    fn new(reply: Reply) -> Self {
        let clock = ManualClock::default();
        let asked = Arc::<Mutex<Vec<HeaderMap>>>::default();
        let upstream = {
            let asked = Arc::clone(&asked);
            tower::service_fn(move |request: Request<Body>| {
                asked.lock().unwrap().push(request.headers().clone());
                let response = reply(&request);
                async move { Ok(response) }
            })
        };
        let layer = layer(&clock);
        Self {
            service: layer.layer(BoxCloneSyncService::new(upstream)),
            asked,
            clock,
        }
    }

    async fn send(&self, headers: &[(&str, &str)]) -> (StatusCode, String, String) {
        let request = headers
            .iter()
            .fold(Request::get("/x"), |request, (name, value)| {
                request.header(*name, *value)
            })
            .body(Body::empty())
            .unwrap();
        let response = self.service.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let cache_status = response.headers()["cache-status"]
            .to_str()
            .unwrap()
            .to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (
            status,
            cache_status,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    async fn get(&self) -> (StatusCode, String, String) {
        self.send(&[("authorization", "token t")]).await
    }

    fn calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> Response<Body> {
    let response = Response::builder().status(status);
    headers
        .iter()
        .fold(response, |response, (name, value)| {
            response.header(*name, *value)
        })
        .body(Body::full(body))
        .unwrap()
}

fn told(status: u16, cache_status: &str, body: &str) -> (StatusCode, String, String) {
    let status = StatusCode::from_u16(status).unwrap();
    (status, format!("ghmesh; {cache_status}"), body.to_owned())
}

#[tokio::test]
async fn the_second_client_is_answered_from_the_cache_and_told_its_age() {
    let fixture = Fixture::new(|_| answer(200, &[], "body"));
    assert_eq!(fixture.get().await, told(200, "fwd=uri-miss", "body"));
    fixture.clock.advance(Duration::from_secs(7));
    assert_eq!(fixture.get().await, told(200, "hit", "body"));
    let request = Request::get("/x").header("authorization", "Bearer t");
    let request = request.body(Body::empty()).unwrap();
    let response = fixture.service.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["age"], "7");
    assert_eq!(fixture.calls(), 1);
}

#[tokio::test]
async fn another_credential_does_not_meet_the_answer() {
    let fixture = Fixture::new(|_| answer(200, &[], "body"));
    fixture.get().await;
    for headers in [&[("authorization", "token other")][..], &[]] {
        let (_, cache_status, _) = fixture.send(headers).await;
        assert_eq!(cache_status, "ghmesh; fwd=uri-miss");
    }
    assert_eq!(fixture.calls(), 3);
}

#[tokio::test]
async fn upstream_is_asked_in_one_form_whoever_asks() {
    let fixture = Fixture::new(|_| answer(500, &[], ""));
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
    assert_eq!(asked[0], asked[1]);
    assert_eq!(asked[0]["authorization"], "Bearer t");
    assert_eq!(asked[0]["accept"], "application/vnd.github+json");
}

#[tokio::test]
async fn a_stale_answer_is_revalidated_and_its_body_kept() {
    let fixture = Fixture::new(|request| match request.headers().get("if-none-match") {
        Some(tag) if tag == "\"v1\"" => answer(304, &[("etag", "\"v1\"")], ""),
        _ => answer(200, &[("etag", "\"v1\"")], "body"),
    });
    fixture.get().await;
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(
        fixture.get().await,
        told(200, "hit; detail=revalidated", "body")
    );
    assert_eq!(fixture.get().await, told(200, "hit", "body"));
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test]
async fn a_stale_answer_that_has_changed_is_replaced() {
    let fixture = Fixture::new(|request| match request.headers().get("if-none-match") {
        Some(_) => answer(200, &[("etag", "\"v2\"")], "new"),
        None => answer(200, &[("etag", "\"v1\"")], "old"),
    });
    fixture.get().await;
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(fixture.get().await, told(200, "fwd=stale", "new"));
}

#[tokio::test]
async fn a_refusal_or_an_error_leaves_the_stale_answer_in_place() {
    let fixture = Fixture::new(|request| match request.headers().get("if-none-match") {
        Some(_) => answer(
            403,
            &[("x-ratelimit-remaining", "0")],
            "rate limit exceeded",
        ),
        None => answer(200, &[("etag", "\"v1\"")], "body"),
    });
    fixture.get().await;
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(fixture.get().await, told(200, "hit; detail=stale", "body"));
}

#[tokio::test]
async fn what_is_not_a_200_is_passed_on_and_asked_for_again() {
    let fixture = Fixture::new(|_| answer(404, &[], "Not Found"));
    for _ in 0..2 {
        assert_eq!(fixture.get().await, told(404, "fwd=uri-miss", "Not Found"));
    }
    let fixture = Fixture::new(|_| answer(500, &[], "oops"));
    for _ in 0..2 {
        assert_eq!(fixture.get().await, told(500, "fwd=uri-miss", "oops"));
    }
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test]
async fn a_client_that_has_the_answer_gets_a_304_from_the_cache() {
    let fixture = Fixture::new(|_| answer(200, &[("etag", "W/\"v1\"")], "body"));
    fixture.send(&[]).await;
    let conditional = fixture.send(&[("if-none-match", "\"v1\"")]).await;
    assert_eq!(conditional, told(304, "hit", ""));
    let changed = fixture.send(&[("if-none-match", "\"v0\"")]).await;
    assert_eq!(changed, told(200, "hit", "body"));
    assert_eq!(fixture.calls(), 1);
}

#[tokio::test]
async fn an_answer_over_the_limit_goes_through_and_is_not_kept() {
    fn large() -> &'static str {
        Box::leak("x".repeat(1001).into_boxed_str())
    }
    let fixture = Fixture::new(|_| answer(200, &[], large()));
    for _ in 0..2 {
        assert_eq!(fixture.get().await, told(200, "fwd=uri-miss", large()));
    }
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test]
async fn an_answer_with_a_cookie_is_nobody_elses() {
    let fixture = Fixture::new(|_| answer(200, &[("set-cookie", "a=b")], "body"));
    for _ in 0..2 {
        assert_eq!(fixture.get().await, told(200, "fwd=uri-miss", "body"));
    }
    assert_eq!(fixture.calls(), 2);
}

#[tokio::test]
async fn a_stored_value_that_is_no_answer_is_replaced() {
    let fixture = Fixture::new(|_| answer(200, &[], "body"));
    let layer = &fixture.service.layer;
    let request = Request::get("/x").body(()).unwrap();
    let Plan::Look(question) = Plan::of(&request, &layer.base) else {
        panic!("a GET is looked up")
    };
    let key = Key::new(question.family(&layer.base), Scope::PUBLIC);
    let lifetime = cache_core::Lifetime::fresh_for(Duration::from_secs(60));
    layer.cache.put(key, "garbage".into(), lifetime);
    assert_eq!(fixture.send(&[]).await, told(200, "fwd=stale", "body"));
    assert_eq!(fixture.send(&[]).await, told(200, "hit", "body"));
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_not_believed() {
    let fixture = Fixture::new(|_| answer(304, &[], ""));
    let request = Request::get("/x").body(Body::empty()).unwrap();
    let error = fixture.service.clone().oneshot(request).await.unwrap_err();
    assert!(error.to_string().contains("304"), "{error}");
}

#[tokio::test]
async fn what_a_304_forbids_is_kept_no_longer() {
    let fixture = Fixture::new(|request| match request.headers().get("if-none-match") {
        Some(_) => answer(304, &[("set-cookie", "a=b")], ""),
        None => answer(200, &[("etag", "\"v1\"")], "body"),
    });
    fixture.get().await;
    for _ in 0..2 {
        fixture.clock.advance(Duration::from_secs(60));
        assert_eq!(fixture.get().await, told(200, "fwd=uri-miss", "body"));
    }
}

#[tokio::test]
async fn a_refusal_shows_the_limit_that_it_is_about() {
    let fixture = Fixture::new(|_| {
        let limit = [
            ("x-ratelimit-limit", "60"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1700000000"),
        ];
        answer(403, &limit, "rate limit exceeded")
    });
    let layer = fixture.service.layer.clone();
    let observe = ObserveLayer {
        limits: layer.limits.clone(),
        key: layer.key.clone(),
        cache: layer.cache.clone(),
    };
    let service = layer.layer(observe.layer(fixture.service.upstream.clone()));
    let request = Request::get("/x").body(Body::empty()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.headers()["x-ratelimit-reset"], "1700000000");
}

/// A stack over an upstream that takes a minute, and how many it has worked for at one time.
fn slow() -> (Stack, Arc<AtomicUsize>) {
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
                tokio::time::sleep(Duration::from_secs(60)).await;
                Ok(answer(201, &[], "done"))
            }
        })
    };
    let layer = layer(&ManualClock::default());
    (layer.layer(BoxCloneSyncService::new(upstream)), busiest)
}

#[tokio::test(start_paused = true)]
async fn what_is_passed_on_has_no_deadline_of_ours() {
    let (service, _) = slow();
    let upload = Request::post("/x")
        .body(Body::full("a large file"))
        .unwrap();
    let response = service.oneshot(upload).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_github_does_not_answer_ends_in_a_timeout() {
    let (service, _) = slow();
    let question = Request::get("/x").body(Body::empty()).unwrap();
    let error = service.oneshot(question).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn no_more_answers_are_read_at_one_time_than_there_is_room_for() {
    let (service, busiest) = slow();
    let clients = (0..3 * ROOM).map(|number| {
        let question = Request::get(format!("/x/{number}"))
            .body(Body::empty())
            .unwrap();
        // Each leaves at once; the question goes on without it.
        tokio::time::timeout(Duration::from_secs(1), service.clone().oneshot(question))
    });
    let left = futures::future::join_all(clients).await;
    assert!(left.iter().all(Result::is_err));
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(busiest.load(Ordering::Relaxed), ROOM);
}

#[tokio::test]
async fn githubs_date_sets_the_clock_that_entries_are_stamped_by() {
    // The local clock stands at 22:13:20.
    let fixture = Fixture::new(|_| answer(200, &[("date", "Tue, 14 Nov 2023 23:13:20 GMT")], "{}"));
    let layer = fixture.service.layer.clone();
    let observe = ObserveLayer {
        limits: layer.limits.clone(),
        key: layer.key.clone(),
        cache: layer.cache.clone(),
    };
    let mut events = layer.cache.subscribe();
    let service = layer.layer(observe.layer(fixture.service.upstream.clone()));
    for path in ["/x", "/y"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        service.clone().oneshot(request).await.unwrap();
    }
    let mut stamps = Vec::new();
    for _ in 0..2 {
        let Some(cache_core::Event::Kept { stored_at, .. }) = events.next().await else {
            panic!("nothing was kept");
        };
        stamps.push(stored_at);
    }
    let apart = stamps[1].since(stamps[0]);
    assert_eq!(apart, Duration::from_secs(3600));
}
