//! Installations of GitHub Apps: their tokens, which are good for an hour.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cache_core::MeshTime;
use chrono::DateTime;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};
use http::header::{self, HeaderValue};
use http::response::Parts;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use octocrab::Octocrab;
use octocrab::models::InstallationId;
use serde::Deserialize;
use tokio::time;
use tower::ServiceExt as _;

use crate::app::{self, AppKey};
use crate::body::Body;
use crate::client::Client;
use crate::credential::Holder;
use crate::error::{NoToken, UpstreamError};
use crate::face::{Authorised, Caller};
use crate::fetch::PATIENCE;
use crate::github::GitHub;
use crate::retry::{Attempts, Repeatable};
use crate::token::Token;

/// A client of GitHub's API that is an installation of a GitHub App.
///
/// It asks GitHub for a [token](https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app)
/// when it needs one, and for the next before that is over. Clones share it. It is kept in memory
/// alone, and shown to nobody.
///
/// To the cache the *installation* is the principal, not the token of the hour: what GitHub lets it
/// see, and its rate limit, are the installation's. So what it was shown is answered across a
/// renewal, and on other members that are the same installation, as with one token that lasts. A
/// member comes to speak for it in one way only: GitHub has given it a token, for the App's key.
#[derive(Clone)]
pub struct Installation(Arc<Inner>);

struct Inner {
    client: Client,
    key: AppKey,
    id: InstallationId,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// Under way, for as long as anybody waits for it.
    renewal: Option<WeakShared<Renewal>>,
}

type Renewal = BoxFuture<'static, Result<Token, NoToken>>;

struct Held {
    token: Token,
    renew_at: MeshTime,
}

/// How long before its end a token is given up: no request is under way for as long.
const BEFORE_THE_END: Duration = Duration::from_secs(300);

/// How long a token is used on where GitHub cannot give another: what is known of the cache is
/// answered then, and not each request waits for GitHub.
const PAST_A_FAILURE: Duration = Duration::from_secs(30);

/// The longest answer that is read. GitHub's lists up to 500 repositories in it.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// What GitHub has answered in place of a token.
enum Failure {
    /// It could not, or not now.
    Passing(NoToken),
    /// It would not.
    Refused(NoToken),
}

impl Installation {
    pub(crate) fn new(client: Client, key: AppKey, id: InstallationId) -> Self {
        Self(Arc::new(Inner {
            client,
            key,
            id,
            state: Mutex::default(),
        }))
    }

    /// An [`Octocrab`] whose every call asks the cache first.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime, where octocrab starts its worker.
    pub fn octocrab(&self) -> Octocrab {
        let caller = Caller::Installation(self.clone());
        self.0.client.octocrab_of(caller)
    }

    /// The operations that CI jobs ask for most, cached.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime, where octocrab starts its worker.
    pub fn github(&self) -> GitHub {
        GitHub::new(self.octocrab())
    }

    /// The token of now, good for five minutes at least, to clone a repository with, say. Whoever
    /// waits for one waits for the same.
    ///
    /// # Errors
    ///
    /// Where GitHub gives none: with a key that is not the App's, or for an installation that is not
    /// there, or where it cannot be reached and there was none before.
    pub async fn token(&self) -> Result<Token, NoToken> {
        let renewal = {
            let mut state = self.state();
            let now = self.0.client.now();
            if let Some(held) = &state.held
                && now < held.renew_at
            {
                return Ok(held.token.clone());
            }
            let under_way = state.renewal.as_ref().and_then(WeakShared::upgrade);
            under_way.unwrap_or_else(|| {
                let renewal: Shared<Renewal> = self.clone().renew().boxed().shared();
                state.renewal = renewal.downgrade();
                renewal
            })
        };
        renewal.await
    }

    /// Has a token renewed that GitHub does not take.
    pub(crate) fn give_up(&self, token: &Token) {
        let mut state = self.state();
        if let Some(held) = &mut state.held
            && held.token == *token
        {
            held.renew_at = MeshTime::default();
        }
    }

    pub(crate) fn holder(&self) -> Holder {
        Holder::installation(self.0.id.0)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic elsewhere leaves at worst a token that is renewed once more.
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    async fn renew(self) -> Result<Token, NoToken> {
        let has_one = self.state().held.is_some();
        let asked = self.ask(has_one).await;
        let mut state = self.state();
        state.renewal = None;
        match asked {
            Ok(held) => {
                let token = held.token.clone();
                state.held = Some(held);
                Ok(token)
            }
            Err(Failure::Refused(why)) => {
                state.held = None;
                Err(why)
            }
            // What the cache knows is answered to whom it was shown, if not by GitHub.
            Err(Failure::Passing(why)) => match &mut state.held {
                Some(held) => {
                    held.renew_at = self.0.client.now().saturating_add(PAST_A_FAILURE);
                    Ok(held.token.clone())
                }
                None => Err(why),
            },
        }
    }

    async fn ask(&self, has_one: bool) -> Result<Held, Failure> {
        let client = &self.0.client;
        let signed_at = client.now();
        let mut answer = self.answer(has_one, signed_at).await?;
        // GitHub believes nobody whose clock is off; but it tells the time, and ours has been set.
        let now = client.now();
        let was_off = now.since(signed_at).max(signed_at.since(now)) > app::TOLERANCE;
        if answer.0.status == StatusCode::UNAUTHORIZED && was_off {
            answer = self.answer(has_one, now).await?;
        }
        let (parts, body) = answer;
        if parts.status == StatusCode::CREATED {
            return self.read(&body);
        }
        let failure = self.refused(parts.status, &body);
        let is_limited = parts.headers.contains_key(header::RETRY_AFTER);
        Err(match parts.status.is_server_error() || is_limited {
            true => Failure::Passing(failure),
            false => Failure::Refused(failure),
        })
    }

    /// What GitHub answers to who is the App at this moment.
    async fn answer(&self, has_one: bool, now: MeshTime) -> Result<(Parts, Bytes), Failure> {
        let request = self.request(has_one, now)?;
        let answer = self.0.client.clone().oneshot(request).await;
        let (parts, body) = answer.map_err(|error| self.lost(&error))?.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect();
        let body = time::timeout(PATIENCE, body).await;
        let body = body.map_err(|_| self.lost(&UpstreamError::TimedOut(PATIENCE)))?;
        let body = body.map_err(|error| self.passing(error.to_string()))?;
        Ok((parts, body.to_bytes()))
    }

    fn request(&self, has_one: bool, now: MeshTime) -> Result<Request<Body>, Failure> {
        let signed = self.0.key.sign(now);
        let signed = signed.map_err(|error| Failure::Refused(self.without(error.to_string())))?;
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::POST;
        let path = format!("/app/installations/{}/access_tokens", self.0.id);
        *request.uri_mut() = path
            .parse()
            .map_err(|_| self.passing("its path is none".to_owned()))?;
        let json = HeaderValue::from_static("application/vnd.github+json");
        request.headers_mut().insert(header::ACCEPT, json);
        Authorised::new(signed, self.0.key.holder()).put_on(&mut request);
        // One more token than is needed does no harm.
        request.extensions_mut().insert(Repeatable);
        let attempts = if has_one {
            Attempts::FEW
        } else {
            Attempts::ALL
        };
        request.extensions_mut().insert(attempts);
        Ok(request)
    }

    fn read(&self, body: &[u8]) -> Result<Held, Failure> {
        #[derive(Deserialize)]
        struct Given {
            token: String,
            expires_at: String,
        }
        let unreadable = || self.passing("GitHub's answer holds none".to_owned());
        let given: Given = serde_json::from_slice(body).map_err(|_| unreadable())?;
        let token = Token::new(&given.token).map_err(|_| unreadable())?;
        let end = DateTime::parse_from_rfc3339(&given.expires_at).map_err(|_| unreadable())?;
        let end = u64::try_from(end.timestamp_millis()).unwrap_or_default();
        let before = u64::try_from(BEFORE_THE_END.as_millis()).unwrap_or(u64::MAX);
        Ok(Held {
            token,
            renew_at: MeshTime::from_millis(end.saturating_sub(before)),
        })
    }

    fn lost(&self, error: &UpstreamError) -> Failure {
        self.passing(error.to_string())
    }

    fn passing(&self, why: String) -> Failure {
        Failure::Passing(self.without(why))
    }

    fn without(&self, why: String) -> NoToken {
        NoToken {
            installation: self.0.id.0,
            status: None,
            why,
        }
    }

    /// GitHub's own words, and what may be done about it.
    fn refused(&self, status: StatusCode, body: &[u8]) -> NoToken {
        #[derive(Deserialize)]
        struct Refusal {
            message: String,
        }
        let said = serde_json::from_slice(body).map_or_else(
            |_| String::new(),
            |Refusal { message }| format!(" ({message})"),
        );
        let remedy = match status {
            StatusCode::UNAUTHORIZED => "; is the key this App's, and not revoked?",
            StatusCode::NOT_FOUND => "; is the App installed there, and its id right?",
            _ => "",
        };
        NoToken {
            installation: self.0.id.0,
            status: Some(status),
            why: format!("GitHub answered {}{said}{remedy}", status.as_u16()),
        }
    }
}

impl fmt::Debug for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installation")
            .field("id", &self.0.id)
            .field("app", &self.0.key)
            .finish_non_exhaustive()
    }
}
