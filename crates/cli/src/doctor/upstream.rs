//! Whether GitHub answers, and what is left of its limit.

use std::time::{Duration, SystemTime};

use cache_core::{Cache, Clock, SystemClock};
use gh_client::{Body, Client, PrincipalKey, Token};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::time;
use tower::ServiceExt;

use super::check::Check;
use crate::proxy;

/// How long GitHub is waited for, tries again included.
const PATIENCE: Duration = Duration::from_secs(15);

/// Less than this share of a limit is little.
const LITTLE: u64 = 10;

const REMEDY: &str = "see that this machine reaches it (DNS, firewall, certificates), and that \
                      --upstream (GHMESH_UPSTREAM) is right";

/// What upstream says to a question that costs nothing:
/// [rate limit](https://docs.github.com/en/rest/rate-limit/rate-limit).
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Its `Date`.
    pub(crate) date: Option<String>,
    /// When it came.
    pub(crate) received: SystemTime,
    body: Vec<u8>,
}

/// The quota of the REST API, in requests an hour.
#[derive(Debug, Deserialize)]
struct Quota {
    limit: u64,
    remaining: u64,
}

/// Asks upstream, as a node would; an error says why there is no answer.
pub(crate) async fn ask(upstream: &str, token: Option<&Token>) -> Result<Answer, String> {
    let answer = time::timeout(PATIENCE, exchange(upstream, token)).await;
    match answer {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(_) => Err(format!(
            "{upstream} does not answer within {} s",
            PATIENCE.as_secs()
        )),
    }
}

/// What is to be said of it.
pub(crate) fn checks(upstream: &str, asked: &Result<Answer, String>) -> Vec<Check> {
    let answer = match asked {
        Ok(answer) => answer,
        Err(why) => {
            let remedy = "see what is said of upstream";
            return vec![
                Check::fail("upstream", why, REMEDY),
                Check::warn(
                    "rate-limit",
                    "not checked: upstream does not answer",
                    remedy,
                ),
            ];
        }
    };
    match answer.status {
        StatusCode::OK => vec![Check::pass("upstream", upstream), rate_limit(&answer.body)],
        StatusCode::UNAUTHORIZED => vec![
            Check::pass("upstream", upstream),
            Check::warn(
                "rate-limit",
                "not checked: the token is refused",
                "see what is said of the token",
            ),
        ],
        // An Enterprise Server has none unless its administrator sets them.
        StatusCode::NOT_FOUND if says_no_limits(&answer.body) => vec![
            Check::pass("upstream", upstream),
            Check::pass("rate-limit", "upstream has none"),
        ],
        status => vec![
            Check::fail(
                "upstream",
                format_args!("{upstream} answers {status}"),
                REMEDY,
            ),
            Check::warn(
                "rate-limit",
                "not checked: upstream does not tell it",
                "see what is said of upstream",
            ),
        ],
    }
}

async fn exchange(upstream: &str, token: Option<&Token>) -> anyhow::Result<Answer> {
    let client = Client::builder(PrincipalKey::new(rand::random()))
        .upstream(upstream)
        .pace(false)
        .via(proxy::VIA)
        .build(Cache::builder().build())?;
    let mut request = Request::get("/rate_limit").body(Body::empty())?;
    if let Some(token) = token {
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, token.to_header());
    }
    let response = client.oneshot(request).await?;
    let received = SystemTime::UNIX_EPOCH + Duration::from_millis(SystemClock.now().as_millis());
    let date = response.headers().get(header::DATE);
    let date = date.and_then(|date| date.to_str().ok().map(str::to_owned));
    let status = response.status();
    let body = response.into_body().collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("the answer breaks off: {error}"))?;
    Ok(Answer {
        status,
        date,
        received,
        body: body.to_bytes().to_vec(),
    })
}

fn rate_limit(body: &[u8]) -> Check {
    #[derive(Deserialize)]
    struct Overview {
        resources: Resources,
    }
    #[derive(Deserialize)]
    struct Resources {
        core: Quota,
    }
    let Ok(overview) = serde_json::from_slice::<Overview>(body) else {
        return Check::fail(
            "rate-limit",
            "what upstream answers is not what GitHub's API does",
            "give the API itself as --upstream (GHMESH_UPSTREAM): https://api.github.com, or \
             https://HOST/api/v3",
        );
    };
    let Quota { limit, remaining } = overview.resources.core;
    let found = format!("{remaining} of {limit} requests are left");
    if remaining.saturating_mul(LITTLE) < limit {
        let remedy = "wait for its next hour, or give a token with a limit of its own";
        Check::warn("rate-limit", found, remedy)
    } else {
        Check::pass("rate-limit", found)
    }
}

fn says_no_limits(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).contains("Rate limiting is not enabled")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Status;

    fn left(remaining: u64) -> Check {
        let body = format!(r#"{{"resources":{{"core":{{"limit":60,"remaining":{remaining}}}}}}}"#);
        rate_limit(body.as_bytes())
    }

    fn answer(status: StatusCode, body: &str) -> Vec<Status> {
        let answer = Answer {
            status,
            date: None,
            received: SystemTime::UNIX_EPOCH,
            body: body.into(),
        };
        let checks = checks("https://api.github.com", &Ok(answer));
        checks.iter().map(Check::status).collect()
    }

    #[test]
    fn little_that_is_left_of_a_limit_is_told() {
        assert_eq!(left(60).status(), Status::Pass);
        assert_eq!(left(0).status(), Status::Warn);
        assert_eq!(left(5).found(), "5 of 60 requests are left");
        assert_eq!(rate_limit(b"<html>").status(), Status::Fail);
    }

    #[test]
    fn a_server_without_limits_is_told_from_one_that_is_no_api() {
        let without = r#"{"message":"Rate limiting is not enabled."}"#;
        let not_found = StatusCode::NOT_FOUND;
        assert_eq!(answer(not_found, without), [Status::Pass, Status::Pass]);
        assert_eq!(answer(not_found, "nginx"), [Status::Fail, Status::Warn]);
    }
}
