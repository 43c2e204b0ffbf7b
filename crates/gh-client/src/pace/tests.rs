//! When whose turn it is, in virtual time.

use cache_core::notes::Bell;
use futures::future::join_all;
use http::Method;

use super::*;
use crate::credential::PrincipalKey;
use crate::retry::Repeatable;
use crate::scope::Sharing;
use crate::views::Views;

fn layer(is_on: bool) -> PaceLayer {
    let scopes = Scopes::new(
        PrincipalKey::new([7; 32]),
        Sharing::Token,
        Views::new(Bell::default()),
    );
    PaceLayer::new(scopes, is_on)
}

fn request(method: &Method, token: &str) -> Request<Body> {
    let request = Request::builder().method(method.clone()).uri("/x");
    let request = request.header("authorization", format!("Bearer {token}"));
    request.body(Body::empty()).unwrap()
}

/// Sends so many requests at once; tells after how many seconds each was answered, and how.
async fn send(layer: &PaceLayer, method: Method, token: &str, count: usize) -> Vec<(u64, u16)> {
    let start = Instant::now();
    let service = layer.layer(tower::service_fn(|_| async {
        Ok(Response::new(Body::empty()))
    }));
    let answers = (0..count).map(|_| {
        let answer = service.clone().oneshot(request(&method, token));
        async move {
            let status = answer.await.unwrap().status().as_u16();
            (start.elapsed().as_secs(), status)
        }
    });
    let mut answers = join_all(answers).await;
    answers.sort_unstable();
    answers
}

#[tokio::test(start_paused = true)]
async fn writes_are_a_second_apart_and_who_waits_for_too_long_is_told_so() {
    let answers = send(&layer(true), Method::POST, "t", 33).await;
    let done = answers.iter().filter(|(_, status)| *status == 200);
    assert!(done.map(|(seconds, _)| *seconds).eq(0..=30));
    let refused = answers.iter().filter(|(_, status)| *status == 429);
    assert_eq!(refused.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_minute_has_more_than_900_points() {
    let layer = layer(true);
    let mut answered = Vec::new();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(180) {
        let before = start.elapsed().as_secs();
        let round = send(&layer, Method::GET, "t", 100).await;
        answered.extend(round.iter().map(|(seconds, _)| before + seconds));
    }
    for minute in 0..=120 {
        let points = answered
            .iter()
            .filter(|at| (minute..minute + 60).contains(*at));
        assert!(points.count() <= 900, "from second {minute} on");
    }
    assert!(answered.len() > 1800);
}

#[tokio::test(start_paused = true)]
async fn a_write_costs_five_points() {
    let layer = layer(true);
    send(&layer, Method::GET, "t", 299).await;
    // One point is left, and four are due in four tenths of a second.
    let service = layer.layer(tower::service_fn(|_| async {
        Ok(Response::new(Body::empty()))
    }));
    let start = Instant::now();
    service.oneshot(request(&Method::PUT, "t")).await.unwrap();
    assert_eq!(start.elapsed().as_millis() / 10, 40);
}

#[tokio::test(start_paused = true)]
async fn queries_of_graphql_are_no_writes() {
    let layer = layer(true);
    let service = layer.layer(tower::service_fn(|_| async {
        Ok(Response::new(Body::empty()))
    }));
    let start = Instant::now();
    let queries = (0..100).map(|_| {
        let mut query = request(&Method::POST, "t");
        query.extensions_mut().insert(Repeatable);
        service.clone().oneshot(query)
    });
    let answers = join_all(queries).await;
    assert!(
        answers
            .into_iter()
            .all(|answer| answer.unwrap().status() == 200)
    );
    assert_eq!(start.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_principal_has_a_pace_of_its_own() {
    let layer = layer(true);
    for token in ["a", "b", "c"] {
        assert_eq!(send(&layer, Method::POST, token, 1).await, [(0, 200)]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_refusal_is_one_that_clients_know() {
    let layer = layer(true);
    let service = layer.layer(tower::service_fn(|_| async {
        Ok(Response::new(Body::empty()))
    }));
    let answers = (0..40).map(|_| service.clone().oneshot(request(&Method::POST, "t")));
    let answers = join_all(answers).await;
    let refused: Vec<_> = answers
        .iter()
        .flatten()
        .filter(|answer| answer.status() == 429)
        .collect();
    assert!(!refused.is_empty());
    for answer in refused {
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(
            answer.headers()["content-type"],
            "application/json; charset=utf-8"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_than_ninety_are_under_way_at_once() {
    let under_way = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
    let upstream = tower::service_fn(move |_| {
        let under_way = Arc::clone(&under_way);
        async move {
            let _one = under_way.acquire().await;
            assert!(Semaphore::MAX_PERMITS - under_way.available_permits() <= IN_FLIGHT);
            time::sleep(Duration::from_secs(1)).await;
            Ok(Response::new(Body::empty()))
        }
    });
    let service = layer(true).layer(upstream);
    let answers = (0..200).map(|n| {
        service
            .clone()
            .oneshot(request(&Method::GET, &n.to_string()))
    });
    let start = Instant::now();
    join_all(answers).await;
    assert_eq!(start.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn uploads_that_stall_leave_room_for_questions() {
    let upstream = tower::service_fn(|request: Request<Body>| async move {
        if request.method() == Method::POST {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(Body::empty()))
    });
    let service = layer(true).layer(upstream);
    let uploads = (0..200).map(|n: u32| {
        let upload = request(&Method::POST, &n.to_string());
        service.clone().oneshot(upload)
    });
    let uploads = tokio::spawn(join_all(uploads));
    time::sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    let question = service.oneshot(request(&Method::GET, "t"));
    assert_eq!(question.await.unwrap().status(), 200);
    assert_eq!(start.elapsed().as_secs(), 0);
    uploads.abort();
}

#[tokio::test(start_paused = true)]
async fn without_a_pace_nobody_waits() {
    let answers = send(&layer(false), Method::POST, "t", 1000).await;
    assert_eq!(answers, [(0, 200); 1000]);
}
