//! Where requests go, and what stays behind.

use super::*;

#[test]
fn every_request_goes_below_the_apis_path_once() {
    let base = BaseUrl::parse("https://ghes.corp/api/v3").unwrap();
    let upstream = Upstream::new(Arc::new(base), None, Arc::default()).unwrap();
    let sent = |uri: &str| {
        let request = Request::post(uri).body(Body::empty()).unwrap();
        upstream
            .prepare(request)
            .map(|request| request.uri().to_string())
    };
    for uri in ["/user", "/api/v3/user", "https://ghes.corp/api/v3/user"] {
        assert_eq!(sent(uri).unwrap(), "https://ghes.corp/api/v3/user", "{uri}");
    }
    let elsewhere = "https://objects.githubusercontent.com/api/v3/x";
    assert_eq!(sent(elsewhere).unwrap(), elsewhere);
}

#[test]
fn a_client_that_waits_for_a_100_has_got_it_from_us() {
    let base = BaseUrl::parse("https://api.github.com").unwrap();
    let upstream = Upstream::new(Arc::new(base), None, Arc::default()).unwrap();
    let request = Request::post("/x").header("expect", "100-continue");
    let request = request.body(Body::empty()).unwrap();
    let sent = upstream.prepare(request).unwrap();
    assert!(!sent.headers().contains_key("expect"));
}
