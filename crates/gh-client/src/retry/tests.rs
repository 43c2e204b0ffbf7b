//! What is sent again, how often, and when no more.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use futures::future::join_all;
use http_body_util::StreamBody;
use tower::retry::Retry;
use tower::{Service, ServiceExt};

use super::*;

fn request(method: Method) -> Request<Body> {
    let mut request = Request::new(Body::full("body"));
    *request.method_mut() = method;
    request.headers_mut().insert("x-kept", "1".parse().unwrap());
    request
}

/// How often a request is sent to an upstream that always answers so.
async fn sent(policy: &RetryPolicy, request: Request<Body>, status: u16) -> u32 {
    sent_where(policy, request, status, None).await
}

/// The same, where the upstream also asks to wait.
async fn sent_where(
    policy: &RetryPolicy,
    request: Request<Body>,
    status: u16,
    retry_after: Option<u64>,
) -> u32 {
    let counted = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&counted);
    let upstream = tower::service_fn(move |request: Request<Body>| {
        assert_eq!(request.headers()["x-kept"], "1");
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            if let Some(seconds) = retry_after {
                response.headers_mut().insert("retry-after", seconds.into());
            }
            Ok(response)
        }
    });
    let mut service = Retry::new(policy.clone(), upstream);
    let response = service.ready().await.unwrap().call(request).await.unwrap();
    assert_eq!(response.status().as_u16(), status);
    counted.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn what_may_be_sent_twice_is_and_nothing_else() {
    let policy = RetryPolicy::new().unwrap();
    for method in [Method::GET, Method::HEAD] {
        assert_eq!(sent(&policy, request(method), 502).await, Attempts::ALL.0);
    }
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        assert_eq!(sent(&policy, request(method), 502).await, 1);
    }
    let mut query = request(Method::POST);
    query.extensions_mut().insert(Repeatable);
    assert_eq!(sent(&policy, query, 502).await, Attempts::ALL.0);
    let stream = futures::stream::empty::<Result<http_body::Frame<Bytes>, std::io::Error>>();
    let streamed = request(Method::GET).map(|_| Body::streaming(StreamBody::new(stream)));
    assert_eq!(sent(&policy, streamed, 502).await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_will_not_pass_is_not_sent_again() {
    let policy = RetryPolicy::new().unwrap();
    for status in [200, 304, 404, 429, 501] {
        assert_eq!(sent(&policy, request(Method::GET), status).await, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_has_a_way_out_is_sent_twice_at_most() {
    let policy = RetryPolicy::new().unwrap();
    let mut hurried = request(Method::GET);
    hurried.extensions_mut().insert(Attempts::FEW);
    assert_eq!(sent(&policy, hurried, 500).await, 2);
}

#[tokio::test(start_paused = true)]
async fn the_waits_grow_and_differ() {
    let policy = RetryPolicy::new().unwrap();
    let start = Instant::now();
    sent(&policy, request(Method::GET), 500).await;
    // 0.1 + 0.2 + 0.4 + 0.8 s, each up to half as long again.
    let waited = start.elapsed().as_millis();
    assert!((1400..=2300).contains(&waited), "{waited} ms");
}

#[tokio::test(start_paused = true)]
async fn where_all_fails_the_budget_is_soon_spent() {
    let policy = RetryPolicy::new().unwrap();
    // At one moment, so that none of it is made up for meanwhile.
    let failing = (0..100).map(|_| sent(&policy, request(Method::GET), 500));
    let retries: u32 = join_all(failing).await.iter().map(|sent| sent - 1).sum();
    assert!(retries < 200, "{retries} retries");
}

#[tokio::test(start_paused = true)]
async fn patience_begins_with_the_first_attempt() {
    let policy = RetryPolicy::new().unwrap();
    for (seconds, attempts) in [(20, 2), (u64::MAX, 1)] {
        let sent = sent_where(&policy, request(Method::GET), 503, Some(seconds));
        assert_eq!(sent.await, attempts, "{seconds} s");
    }
    let mut hurried = request(Method::GET);
    let deadline = Instant::now() + Duration::from_secs(10);
    hurried.extensions_mut().insert(Deadline(deadline));
    assert_eq!(sent_where(&policy, hurried, 503, Some(20)).await, 1);
}
