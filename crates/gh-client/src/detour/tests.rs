//! What goes where.

use http::Method;

use super::*;

/// Which way a request goes; `None` where it goes nowhere.
async fn way(method: Method, uri: &str) -> Option<&'static str> {
    way_at("https://api.github.com", method, uri).await
}

/// The same where the API is elsewhere.
async fn way_at(api: &str, method: Method, uri: &str) -> Option<&'static str> {
    let leading = |way: &'static str| {
        tower::service_fn(move |_: Request<Body>| async move {
            let response = Response::builder().header("x-way", way);
            Ok(response.body(Body::empty()).unwrap())
        })
    };
    let layer = DetourLayer {
        base: Arc::new(BaseUrl::parse(api).unwrap()),
        leaf: leading("past the cache"),
        counters: Arc::default(),
    };
    let request = Request::builder().method(method).uri(uri);
    let request = request.body(Body::empty()).unwrap();
    let response = layer.layer(leading("to the API")).oneshot(request).await;
    let way = response.ok()?.headers()["x-way"].clone();
    ["to the API", "past the cache"]
        .into_iter()
        .find(|known| way == known)
}

#[tokio::test]
async fn the_api_is_asked_by_way_of_the_cache_and_downloads_past_it() {
    for api in ["/user", "https://api.github.com/user"] {
        assert_eq!(way(Method::GET, api).await, Some("to the API"), "{api}");
        assert_eq!(way(Method::POST, api).await, Some("to the API"), "{api}");
    }
    let asset = "https://objects.githubusercontent.com/github-production/x?sig=y";
    assert_eq!(way(Method::GET, asset).await, Some("past the cache"));
    assert_eq!(way(Method::HEAD, asset).await, Some("past the cache"));
}

#[tokio::test]
async fn it_is_no_open_proxy() {
    for elsewhere in ["https://evil.example/", "http://169.254.169.254/latest"] {
        assert_eq!(way(Method::GET, elsewhere).await, None, "{elsewhere}");
    }
    assert_eq!(way(Method::POST, "https://github.com/login").await, None);
}

#[tokio::test]
async fn an_enterprise_servers_downloads_go_past_the_cache_too() {
    let ghes = "https://ghes.corp/api/v3";
    let way = async |method, uri| way_at(ghes, method, uri).await;
    let api = "https://ghes.corp/api/v3/user";
    assert_eq!(way(Method::GET, api).await, Some("to the API"));
    for download in [
        "https://ghes.corp/o/r/archive/x",
        "https://codeload.ghes.corp/x",
    ] {
        assert_eq!(way(Method::GET, download).await, Some("past the cache"));
        assert_eq!(way(Method::POST, download).await, None);
    }
    assert_eq!(way(Method::GET, "https://x.ghes.corp/").await, None);
}
