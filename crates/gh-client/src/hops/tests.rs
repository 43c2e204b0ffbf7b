//! What is dropped, and what never is.

use http::header::HeaderValue;

use super::*;

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_static(name);
        headers.append(name, HeaderValue::from_static(value));
    }
    headers
}

#[test]
fn headers_for_the_next_hop_alone_are_dropped() {
    let mut headers = headers(&[
        ("connection", "close, X-Private"),
        ("x-private", "1"),
        ("transfer-encoding", "chunked"),
        ("keep-alive", "timeout=5"),
        ("accept", "*/*"),
    ]);
    drop_hop_by_hop(&mut headers);
    let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    assert_eq!(left, ["accept"]);
}

#[test]
fn nobody_can_have_a_credential_dropped() {
    let mut headers = headers(&[
        ("connection", "Authorization, cookie, host, content-length"),
        ("authorization", "Bearer t"),
        ("cookie", "c"),
        ("host", "api.github.com"),
        ("content-length", "0"),
    ]);
    drop_hop_by_hop(&mut headers);
    assert_eq!(headers.len(), 4);
}

#[test]
fn of_two_credentials_the_one_that_is_judged_is_sent() {
    let mut request = Request::new(Body::empty());
    *request.headers_mut() =
        headers(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]);
    let admitted = admitted(request);
    let sent: Vec<_> = admitted.headers().get_all("authorization").iter().collect();
    assert_eq!(sent, ["Bearer a"]);
}
