//! Who is let in, and where links lead.

use cache_core::Cache;
use gh_client::PrincipalKey;

use super::*;

fn proxy(door: Door) -> Proxy {
    let client = Client::builder(PrincipalKey::new([1; 32]))
        .upstream("https://ghes.corp/api/v3")
        .build(Cache::builder().build())
        .unwrap();
    Proxy::new(client, Router::new(), None, door)
}

fn tcp() -> Proxy {
    proxy(Door::Tcp(([127, 0, 0, 1], 8417).into()))
}

fn status(proxy: &Proxy, path: &str, headers: &[(&str, &str)]) -> u16 {
    let request = headers
        .iter()
        .fold(Request::get(path), |request, (name, value)| {
            request.header(*name, *value)
        })
        .body(())
        .unwrap();
    match proxy.admit(&request) {
        Ok(_) => 200,
        Err(refusal) => refusal.into_response().status().as_u16(),
    }
}

#[tokio::test]
async fn hosts_that_are_ours_are_answered_for() {
    for host in [
        "127.0.0.1:8417",
        "localhost:8417",
        "localhost",
        "[::1]:8417",
        "ghes.corp",
    ] {
        assert_eq!(status(&tcp(), "/user", &[("host", host)]), 200, "{host}");
    }
    let everywhere = proxy(Door::Tcp(([0, 0, 0, 0], 8417).into()));
    assert_eq!(
        status(&everywhere, "/user", &[("host", "10.1.2.3:8417")]),
        200
    );
    for host in [
        "api.github.com",
        "uploads.github.com",
        "ghes.corp",
        "objects.githubusercontent.com",
        "codeload.github.com",
        "127.0.0.1",
        "[::1]:80",
        "localhost",
    ] {
        assert_eq!(
            status(&proxy(Door::Unix), "/x", &[("host", host)]),
            200,
            "{host}"
        );
    }
}

#[tokio::test]
async fn a_name_that_leads_here_by_dns_rebinding_is_refused() {
    for host in [
        "evil.example",
        "evil.example:8417",
        "localhost.evil.example",
        "10.1.2.3:8417",
    ] {
        assert_eq!(status(&tcp(), "/user", &[("host", host)]), 403, "{host}");
    }
    assert_eq!(
        status(&tcp(), "http://evil.example/user", &[("host", "localhost")]),
        403
    );
    assert_eq!(
        status(
            &proxy(Door::Unix),
            "/x",
            &[("host", "objects.githubusercontent.com.evil.example")]
        ),
        403
    );
    // A browser gets at the port, and is sent nowhere but to the API.
    assert_eq!(
        status(&tcp(), "/x", &[("host", "objects.githubusercontent.com")]),
        403
    );
}

#[tokio::test]
async fn a_host_that_is_unclear_is_refused() {
    assert_eq!(
        status(&tcp(), "/-/stats", &[("host", "a{b.evil.example")]),
        403
    );
    let two = [("host", "localhost"), ("host", "evil.example")];
    assert_eq!(status(&tcp(), "/-/stats", &two), 403);
}

#[tokio::test]
async fn a_page_of_another_site_cannot_use_a_token_that_is_not_its_own() {
    let mut injecting = tcp();
    let foreign = [
        ("host", "localhost:8417"),
        ("origin", "https://evil.example"),
    ];
    assert_eq!(status(&injecting, "/user/repos", &foreign), 200);
    injecting.injected = Some(Arc::new(Token::new("ghp_token").unwrap()));
    assert_eq!(status(&injecting, "/user/repos", &foreign), 403);
    assert_eq!(status(&injecting, "/user/repos", &foreign[..1]), 200);
}

#[tokio::test]
async fn a_page_of_another_site_gets_nothing_out_of_the_endpoints() {
    let host = ("host", "localhost:8417");
    for header in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "http://localhost:3000"),
        ("origin", "null"),
    ] {
        assert_eq!(
            status(&tcp(), "/-/stats", &[host, header]),
            403,
            "{header:?}"
        );
    }
    for header in [
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
        ("origin", "http://localhost:8417"),
        ("accept", "*/*"),
    ] {
        assert_eq!(
            status(&tcp(), "/-/stats", &[host, header]),
            200,
            "{header:?}"
        );
    }
}

#[tokio::test]
async fn a_request_that_has_been_here_is_a_loop() {
    let loops = |via| status(&tcp(), "/user", &[("host", "localhost"), ("via", via)]);
    assert_eq!(loops("1.1 ghmesh"), 508);
    assert_eq!(loops("1.0 fred, 1.1 ghmesh (node)"), 508);
    assert_eq!(loops("1.1 fred"), 200);
}

#[test]
fn a_github_that_does_not_answer_is_504_and_one_that_cannot_be_reached_502() {
    let status = |error| Refusal::Upstream(error).into_response().status();
    let late = UpstreamError::TimedOut(std::time::Duration::from_secs(30));
    assert_eq!(status(late), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(status(UpstreamError::Lost), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn who_calls_us_by_the_apis_name_is_not_led_to_the_api() {
    let origin = |host: &'static str, address: [u8; 4]| {
        let door = Door::Tcp((address, 8417).into());
        proxy(door).origin(&Authority::from_static(host)).unwrap()
    };
    let here = [127, 0, 0, 1];
    assert_eq!(origin("localhost:8417", here), "http://localhost:8417");
    assert_eq!(origin("ghes.corp", here), "http://127.0.0.1:8417");
    assert_eq!(origin("GHES.corp:80", [0; 4]), "http://127.0.0.1:8417");
}

#[tokio::test]
async fn who_asks_by_the_socket_is_led_to_the_host_that_it_has_asked() {
    let origin = |host: &'static str| proxy(Door::Unix).origin(&Authority::from_static(host));
    // Upstream leads there itself.
    assert_eq!(origin("ghes.corp"), None);
    let led = |host| origin(host).unwrap();
    assert_eq!(led("api.github.com"), "https://api.github.com");
    // What was uploaded is the API's from then on, and so is what downloads link to.
    assert_eq!(led("uploads.github.com"), "https://api.github.com");
    assert_eq!(led("codeload.github.com"), "https://api.github.com");
    assert_eq!(led("localhost:80"), "http://localhost:80");
    assert_eq!(led("[::1]"), "http://[::1]");
}
