//! Where requests go, and what stays behind.

use super::*;

#[test]
fn the_api_may_lie_at_the_root_or_below_a_path() {
    let joined = |base, target| {
        BaseUrl::parse(base)
            .unwrap()
            .join(target)
            .unwrap()
            .to_string()
    };
    assert_eq!(
        joined("https://api.github.com", "/user?a=b"),
        "https://api.github.com/user?a=b"
    );
    assert_eq!(
        joined("https://ghes.corp/api/v3/", "/user"),
        "https://ghes.corp/api/v3/user"
    );
    assert_eq!(
        joined("http://127.0.0.1:8080", "/"),
        "http://127.0.0.1:8080/"
    );
}

#[test]
fn a_url_that_no_api_can_be_at_is_refused_with_what_is_wrong() {
    for (url, reason) in [
        ("api.github.com", "no scheme"),
        ("ftp://api.github.com", "neither https nor http"),
        ("https://user:pw@api.github.com", "credentials"),
        ("https://api.github.com/?a=b", "query"),
        ("http://a b", "does not parse"),
    ] {
        let error = BaseUrl::parse(url).unwrap_err().to_string();
        assert!(
            error.contains(reason) && error.contains("https://api.github.com"),
            "{error}"
        );
    }
}

#[test]
fn headers_for_the_next_hop_alone_are_dropped() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("connection", "close, X-Private"),
        ("x-private", "1"),
        ("transfer-encoding", "chunked"),
        ("keep-alive", "timeout=5"),
        ("accept", "*/*"),
    ] {
        let name: HeaderName = name.parse().unwrap();
        headers.insert(name, value.parse().unwrap());
    }
    remove_hop_by_hop(&mut headers);
    let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    assert_eq!(left, ["accept"]);
}

#[test]
fn every_request_goes_below_the_apis_path_once_and_to_no_other_host() {
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
    let elsewhere = sent("https://evil.example/user").unwrap_err();
    assert!(elsewhere.to_string().contains("evil.example"));
}
