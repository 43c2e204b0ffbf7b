//! The whole site: its state, and what it makes of one request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cache_core::Clock;
use http::header::{
    ACCEPT, AUTHORIZATION, DATE, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, SERVER, USER_AGENT,
    VIA,
};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time;

use super::answer::{self, Answer};
use super::apps::{self, Apps};
use super::asked::Asked;
use super::body::{Body, Manner};
use super::calls::{Asker, Call, Calls};
use super::content::Content;
use super::etag::{self, Formula};
use super::faults::{Effect, Faults};
use super::limits::{CORE, GRAPHQL, Limits};
use super::resource::{Refusal, Resource};
use super::routes::Visit;
use super::seed;
use super::tokens::{Caller, Tokens};

/// The longest body of a request that is read, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// What all connections share.
pub(super) struct Site {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    online: watch::Sender<bool>,
}

pub(super) struct State {
    pub(super) content: Content,
    pub(super) tokens: Tokens,
    pub(super) apps: Apps,
    pub(super) limits: Limits,
    pub(super) faults: Faults,
    pub(super) calls: Calls,
    pub(super) latency: Duration,
    pub(super) formula: Formula,
    pub(super) requests: u64,
}

/// What becomes of a request.
pub(super) enum Outcome {
    Answered(Response<Body>),
    /// The connection is to be reset.
    Reset,
    /// Nothing is ever to be sent.
    Silence,
}

impl Site {
    pub(super) fn new(clock: Arc<dyn Clock>, state: State) -> Self {
        Self {
            clock,
            state: Mutex::new(state),
            online: watch::Sender::new(true),
        }
    }

    /// The state, for as long as the guard lives; never across an `.await`.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves at worst one request uncounted.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present, in seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.clock.now().as_millis() / 1000
    }

    pub(super) fn set_online(&self, online: bool) {
        self.online.send_replace(online);
    }

    /// Tells when the site goes offline.
    pub(super) fn online(&self) -> watch::Receiver<bool> {
        self.online.subscribe()
    }

    pub(super) async fn answer(&self, request: Request<Incoming>) -> Outcome {
        let (parts, body) = request.into_parts();
        let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
            // Too long, or broken off. Either way there is nobody left who listens.
            return Outcome::Reset;
        };
        let asked = Asked::new(parts, body.to_bytes());
        let Some(reply) = self.reply(&asked) else {
            return Outcome::Reset;
        };
        time::sleep(reply.latency).await;
        match reply.decision {
            Decision::Send(mut answer, manner) => {
                self.date(&mut answer);
                Outcome::Answered(answer.into_response(manner))
            }
            Decision::Reset => Outcome::Reset,
            Decision::Silence => Outcome::Silence,
        }
    }

    /// Decides on the answer and counts the call, both as of the moment when it arrived.
    fn reply(&self, asked: &Asked) -> Option<Reply> {
        let mut state = self.state();
        // Looked at under the lock, so that once `offline` has returned nothing is answered.
        if !*self.online.borrow() {
            return None;
        }
        Some(state.reply(asked, self.now()))
    }

    fn date(&self, answer: &mut Answer) {
        let date = etag::http_date(self.now()).to_string();
        if let Ok(date) = HeaderValue::try_from(date) {
            answer.headers.entry(DATE).or_insert(date);
        }
        let server = HeaderValue::from_static("github.com");
        answer.headers.entry(SERVER).or_insert(server);
    }
}

/// What was decided about a request.
struct Reply {
    latency: Duration,
    decision: Decision,
}

enum Decision {
    Send(Answer, Manner),
    Reset,
    Silence,
}

impl State {
    fn reply(&mut self, asked: &Asked, now: u64) -> Reply {
        self.requests += 1;
        let mut latency = self.latency;
        let mut charged = false;
        let mut ordinary = |state: &mut Self, manner| {
            let (answer, was_charged) = state.ordinary(asked, now);
            charged = was_charged;
            Decision::Send(answer, manner)
        };
        let decision = match self.faults.strike(asked.target()) {
            None => ordinary(self, Manner::Whole),
            Some(Effect::Sent(manner)) => ordinary(self, manner),
            Some(Effect::Late(by)) => {
                latency += by;
                ordinary(self, Manner::Whole)
            }
            Some(Effect::Instead(canned)) => Decision::Send(canned.into(), Manner::Whole),
            Some(Effect::Reset) => Decision::Reset,
            Some(Effect::Silence) => Decision::Silence,
        };
        let status = match &decision {
            Decision::Send(answer, _) => Some(answer.status),
            Decision::Reset | Decision::Silence => None,
        };
        self.count(asked, status, charged, now);
        Reply { latency, decision }
    }

    /// GitHub's own answer, and whether it was taken from the caller's limit.
    fn ordinary(&mut self, asked: &Asked, now: u64) -> (Answer, bool) {
        if asked.header(USER_AGENT).is_none_or(str::is_empty) {
            return (Answer::no_user_agent(), false);
        }
        // Who sends a wrong credential is counted with those who send none.
        let identified = self.identify(asked, now);
        let caller = identified.as_ref().unwrap_or(&Caller::Anonymous).clone();
        let mut answer = match identified {
            Err(refusal) => Answer::refused(asked, &refusal),
            Ok(_) => self.api(asked, &caller, now),
        };
        let resource = if asked.is_graphql() { GRAPHQL } else { CORE };
        let free = asked.segments() == ["rate_limit"]
            || answer.status == StatusCode::UNAUTHORIZED && resource == GRAPHQL
            || (answer.status == StatusCode::NOT_MODIFIED && !caller.is_anonymous());
        let charged = !free && self.limits.charge(&caller, resource, now);
        if !free && !charged {
            answer = match resource {
                GRAPHQL => Answer::of_graphql(asked, &rate_limited()),
                _ => Answer::refused(asked, &limited(&caller)),
            };
        }
        answer.sign(&caller);
        self.limits
            .quota(&caller, resource, now)
            .write_to(resource, &mut answer.headers);
        let id = HeaderValue::try_from(request_id(self.requests, now));
        if let Ok(id) = id {
            answer.headers.insert("x-github-request-id", id);
        }
        (answer, charged)
    }

    fn api(&mut self, asked: &Asked, caller: &Caller, now: u64) -> Answer {
        if let Some(refusal) = answer::unacceptable(asked) {
            return Answer::refused(asked, &refusal);
        }
        if asked.reads() && asked.segments() == ["rate_limit"] {
            let overview = self.limits.overview(caller, now);
            return Answer::found(asked, caller, &Resource::new(overview), self.formula);
        }
        // A write that the limit will refuse must not be done first.
        if !asked.reads()
            && !asked.is_graphql()
            && self.limits.quota(caller, CORE, now).remaining() == 0
        {
            return Answer::refused(asked, &limited(caller));
        }
        let segments = asked.segments();
        if let Some(("app", path)) = segments.split_first().map(|(first, rest)| (&**first, rest)) {
            return match self.app(asked, caller, path, now) {
                Ok(resource) => Answer::found(asked, caller, &resource, self.formula),
                Err(refusal) => Answer::refused(asked, &refusal),
            };
        }
        let mut visit = Visit {
            content: &mut self.content,
            caller,
            asked,
            now,
        };
        if asked.is_graphql() {
            return match visit.graphql() {
                Ok(body) => Answer::of_graphql(asked, &body),
                Err(refusal) => Answer::refused(asked, &refusal),
            };
        }
        match visit.resource() {
            Ok(resource) => Answer::found(asked, caller, &resource, self.formula),
            Err(refusal) => Answer::refused(asked, &refusal),
        }
    }

    fn identify(&self, asked: &Asked, now: u64) -> Result<Caller, Refusal> {
        let credential = asked
            .header(AUTHORIZATION)
            .and_then(|value| value.split_once(' '));
        if let Some((_, signed)) = credential.filter(|(_, text)| apps::is_signed(text)) {
            return Ok(Caller::App(self.apps.identify(signed, now)?.to_owned()));
        }
        let caller = self.tokens.identify(&asked.headers, now);
        caller.map_err(|_| Refusal::new(StatusCode::UNAUTHORIZED, "Bad credentials"))
    }

    /// What only an App may ask for, with what it has signed.
    fn app(
        &mut self,
        asked: &Asked,
        caller: &Caller,
        path: &[String],
        now: u64,
    ) -> Result<Resource, Refusal> {
        let Caller::App(app) = caller else {
            return Err(apps::undecodable());
        };
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match (asked.method.as_str(), path.as_slice()) {
            ("GET", []) => Ok(Resource::new(Apps::show(
                app,
                &self.content.simple_user("octocat"),
            ))),
            ("POST", ["installations", id, "access_tokens"]) => {
                let (token, told) = self.apps.give(app, id, now)?;
                self.tokens.add(token);
                Ok(Resource {
                    status: StatusCode::CREATED,
                    ..Resource::new(told)
                })
            }
            _ => Err(Refusal::not_found()),
        }
    }

    fn count(&mut self, asked: &Asked, status: Option<StatusCode>, charged: bool, now: u64) {
        let by = match self.identify(asked, now) {
            Ok(Caller::Anonymous) => Asker::Anonymous,
            Ok(Caller::App(id)) => Asker::App(id),
            Ok(Caller::Known(token)) => Asker::Token(token.text.clone()),
            Err(_) => Asker::Unknown,
        };
        let sent = |name: HeaderName| asked.header(name).map(str::to_owned);
        self.calls.record(Call {
            method: asked.method.clone(),
            target: asked.target().to_owned(),
            by,
            conditions: [IF_NONE_MATCH, IF_MODIFIED_SINCE]
                .into_iter()
                .filter_map(sent)
                .collect(),
            user_agent: sent(USER_AGENT),
            accept: sent(ACCEPT),
            via: sent(VIA),
            status,
            charged,
        });
    }
}

/// <https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api#exceeding-the-rate-limit>
fn rate_limited() -> Value {
    json!({ "errors": [{ "type": "RATE_LIMITED", "message": "API rate limit exceeded" }] })
}

fn limited(caller: &Caller) -> Refusal {
    let whose = match caller.token() {
        Some(token) => format!(
            "for user ID {}. If you reach out to GitHub Support for help, please include the \
             request ID.",
            seed::id(&token.login.to_ascii_lowercase()),
        ),
        None => "for 127.0.0.1. (But here's the good news: Authenticated requests get a higher \
                 rate limit. Check out the documentation for more details.)"
            .to_owned(),
    };
    let message = format!("API rate limit exceeded {whose}");
    Refusal::new(StatusCode::FORBIDDEN, message)
}

/// A number for the request, in GitHub's notation.
fn request_id(request: u64, now: u64) -> String {
    format!(
        "57AD:{:04X}:{request:X}:{:X}:{now:X}",
        request & 0xffff,
        request * 2
    )
}
