//! The stand-in GitHub, asked over HTTP.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but not in what tests share"
)]

mod access;
mod answers;
mod apps;
mod control;
mod faults;
mod graphql;
mod models;

use bytes::Bytes;
use gh_client::testing::StandIn;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Sends a request on a connection of its own. `Err` where the answer did not come, or not whole.
async fn send(request: Request<Full<Bytes>>) -> Result<Answer, Box<dyn std::error::Error>> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (parts, body) = client.request(request).await?.into_parts();
    Ok(Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await?.to_bytes(),
    })
}

/// A request with a `User-Agent` and these headers.
fn request(
    github: &StandIn,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &'static str,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", github.url()))
        .header("user-agent", "tests");
    for &(name, value) in headers {
        request = request.header(name, value);
    }
    request.body(Full::from(body)).unwrap()
}

async fn get_with(github: &StandIn, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(request(github, "GET", path, headers, ""))
        .await
        .unwrap()
}

const OCTOCAT: (&str, &str) = ("authorization", "Bearer ghp_octocat");

async fn get(github: &StandIn, path: &str) -> Answer {
    get_with(github, path, &[OCTOCAT]).await
}

async fn get_anonymously(github: &StandIn, path: &str) -> Answer {
    get_with(github, path, &[]).await
}
