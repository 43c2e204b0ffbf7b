//! A stand-in for GitHub, to test against what talks to GitHub.
//!
//! [`StandIn`] is a real HTTP server on a port of its own that behaves as GitHub does where it
//! matters to a client and to a cache: validators that depend on who asks, conditional requests
//! that cost nothing, rate limits, private repositories, pages. It counts what it is asked, and it
//! can be told to fail.
//!
//! ```no_run
//! use gh_client::testing::{Fault, StandIn, Token};
//!
//! # async fn example() -> std::io::Result<()> {
//! let github = StandIn::start().await?;
//! github.add_token(Token::new("ghp_mona").login("mona").limit(100));
//! github.fault("/orgs/octo-org", Fault::status(502).times(1));
//!
//! // Point a client at `github.url()`, and then:
//! assert_eq!(github.calls().of("/orgs/octo-org").status(502).total(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What there is
//!
//! Unless [`StandIn::builder`] is told otherwise: the organisation `octo-org` with the
//! repositories `octo-repo-000` to `octo-repo-099`, and the user `octocat`, who runs it, has the
//! repository `hello-world` and the token [`StandIn::TOKEN`]. Every repository has 45 workflow
//! runs (the two newest are not over yet), 5 self-hosted runners, 20 commits on `main`, 3 releases,
//! 12 issues and 3 pull requests. What an answer shows follows from its path alone, so it is the same in
//! every run but for the port in its URLs.
//!
//! | path | methods |
//! | --- | --- |
//! | `/`, `/user`, `/users/{login}`, `/orgs/{org}`, `/rate_limit` | GET |
//! | `/users/{login}/repos`, `/orgs/{org}/repos` | GET |
//! | `/repos/{owner}/{repo}`, `…/commits/{ref}` | GET |
//! | `…/actions/runs` (`status`, `branch`, `event`, `head_sha`), `…/actions/runs/{id}` | GET |
//! | `…/actions/runs/{id}/jobs`, `…/actions/runs/{id}/artifacts`, `…/actions/workflows/{id}` | GET |
//! | `…/actions/runners`, for who runs the repository | GET |
//! | `…/releases`, `…/releases/latest`, `…/releases/tags/{tag}`, `…/releases/{id}`, `…/readme` | GET |
//! | `…/issues` (`state`), `…/issues/{number}` | GET, POST, PATCH |
//! | `…/pulls` (`state`), `…/pulls/{number}` | GET |
//! | `/app`, and `/app/installations/{id}/access_tokens`, for an [`App`] | GET, POST |
//! | `/graphql`: queries of owners, repositories, issues, pull requests and releases | POST |
//!
//! Each is found under GHES's prefix `/api/v3` as well; anything else is 404. For other paths, and
//! for large bodies, there is [`StandIn::serve`].
//!
//! # What is as on GitHub
//!
//! - `ETag` is computed by GitHub's formula from the request's `Accept`, `Authorization` and
//!   `Cookie` and the body; it is weak where the body was compressed. `If-None-Match` and
//!   `If-Modified-Since` are answered with 304, which is free for who sends a token.
//! - Lists have `per_page` (30, at most 100), `page`, and a `Link` whose URLs name the repository
//!   or the owner by its number.
//! - A wrong token is 401; a private repository is 404 for who may not see it; who has used up the
//!   limit gets 403 until it is reset, but still 304.
//! - A request without a `User-Agent` is 403; one that looks like curl's gets its JSON indented.

mod answer;
mod apps;
mod asked;
mod body;
mod calls;
mod canned;
mod content;
mod etag;
mod faults;
mod graphql;
mod limits;
mod pages;
mod pattern;
mod resource;
mod routes;
mod seed;
mod server;
mod site;
mod tokens;

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use content::Content;
use etag::Formula;
use limits::Limits;
use site::{Site, State};
use tokens::{Caller, Tokens};

pub use apps::App;
pub use calls::{Asker, Call, Calls};
pub use canned::Canned;
pub use content::Owner;
pub use faults::Fault;
pub use tokens::Token;

/// A running stand-in. Dropping it closes its port and its connections.
pub struct StandIn {
    url: String,
    site: Arc<Site>,
    /// What there was at the start.
    original: Content,
    server: AbortOnDropHandle<()>,
}

impl StandIn {
    /// The token that `octocat` has unless the builder was given others.
    pub const TOKEN: &str = "ghp_octocat";

    /// Starts a stand-in with the usual content on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Where the system has no port to give.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// For one with other content, limits or another clock.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Adds a token, or changes what is known of it. A user whose token it is comes into being
    /// where there is none yet.
    pub fn add_token(&self, token: Token) {
        let mut state = self.site.state();
        state.content.add_user_of(&token);
        state.tokens.add(token);
    }

    /// Adds an App, or changes where it is installed.
    pub fn add_app(&self, app: App) {
        self.site.state().apps.add(app);
    }

    /// Makes a token a wrong one; `false` where it was none.
    pub fn revoke_token(&self, token: &str) -> bool {
        self.site.state().tokens.revoke(token)
    }

    /// Uses up what a token has left of this hour; `false` where it is none.
    pub fn exhaust(&self, token: &str) -> bool {
        let now = self.site.now();
        let state = &mut *self.site.state();
        let Some(token) = state.tokens.get(token) else {
            return false;
        };
        let caller = Caller::Known(Arc::new(token.clone()));
        state.limits.exhaust(&caller, now);
        true
    }

    /// Adds an owner with its repositories.
    pub fn add_owner(&self, owner: Owner) {
        self.site.state().content.add_owner(owner);
    }

    /// Makes `owner/name` a private repository that only these tokens may see; it comes into being
    /// where there is none. Called again, it changes who may see it.
    ///
    /// # Panics
    ///
    /// Where `full_name` is not of the form `owner/name`.
    #[expect(
        clippy::expect_used,
        reason = "a mistake in the test that calls it, which should hear of it at once"
    )]
    pub fn add_private(&self, full_name: &str, tokens: &[&str]) {
        let (owner, name) = full_name.split_once('/').expect("a name like owner/name");
        let tokens = tokens.iter().map(|&token| token.to_owned()).collect();
        self.site.state().content.hide(owner, name, tokens);
    }

    /// Makes what is at this path look changed: its `updated_at` moves on by a second, and so do
    /// its `Last-Modified` and its `ETag`. For owners, repositories, runs, issues and pull
    /// requests; the path is the one with names in it, in the form `/repos/octo-org/octo-repo-000`
    /// (an organisation's is `/orgs/octo-org`).
    pub fn touch(&self, path: &str) {
        self.site.state().content.touch(path);
    }

    /// Takes back all that was written, touched, added or hidden since the start. Tokens, limits,
    /// faults and calls stay.
    pub fn restore(&self) {
        self.site.state().content = self.original.clone();
    }

    /// Makes something go wrong at a path: `/user`, or with a `*` at its end at all paths that
    /// begin so: `/repos/*`. With a `?` in it the query is compared as well. Of several faults for
    /// one request, the first that is not used up happens.
    pub fn fault(&self, path: &str, fault: Fault) {
        self.site.state().faults.add(path, fault);
    }

    /// Answers all requests for a path so, whatever their method and whoever asks. It is a
    /// [`fault`](Self::fault) that is none: it comes in their order, and goes by the same paths.
    pub fn serve(&self, path: &str, answer: Canned) {
        self.fault(path, Fault::answer(answer));
    }

    /// Takes back all faults and answers that were set for exactly this path.
    pub fn heal(&self, path: &str) {
        self.site.state().faults.remove(path);
    }

    /// Begins every answer this much later from now on. Calls count when they arrive.
    pub fn latency(&self, latency: Duration) {
        self.site.state().latency = latency;
    }

    /// Cuts all connections, and each new one as soon as it is made. The port stays taken, so that
    /// [`online`](Self::online) cannot fail. After it has returned nothing is answered or counted.
    pub fn offline(&self) {
        let _state = self.site.state();
        self.site.set_online(false);
    }

    /// Takes connections again.
    pub fn online(&self) {
        self.site.set_online(true);
    }

    /// What has been asked for, as of now.
    pub fn calls(&self) -> Calls {
        self.site.state().calls.clone()
    }

    /// Forgets all calls.
    pub fn reset_calls(&self) {
        self.site.state().calls = Calls::default();
    }

    /// Closes the port and all connections, and returns when they are closed.
    pub async fn stop(self) {
        self.server.abort();
        // It was aborted, or it has panicked; it is over in both cases.
        let _ = self.server.await;
    }
}

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIn")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A stand-in to be started.
#[must_use = "it has to be started"]
pub struct Builder {
    clock: Arc<dyn Clock>,
    owners: Vec<Owner>,
    tokens: Vec<Token>,
    anonymous_limit: u32,
    formula: Formula,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            owners: Vec::new(),
            tokens: Vec::new(),
            anonymous_limit: 60,
            formula: Formula::default(),
        }
    }
}

impl Builder {
    /// Adds an owner. The usual ones are there only where none was added.
    pub fn owner(mut self, owner: Owner) -> Self {
        self.owners.push(owner);
        self
    }

    /// Adds a token. The usual one is there only where none was added.
    pub fn token(mut self, token: Token) -> Self {
        self.tokens.push(token);
        self
    }

    /// How many calls an hour all who send no token have together; 60 by default.
    pub fn anonymous_limit(mut self, calls: u32) -> Self {
        self.anonymous_limit = calls;
        self
    }

    /// Computes tags by another formula than GitHub's of today: clients that foretell tags
    /// are then always wrong.
    pub fn another_etag_formula(mut self) -> Self {
        self.formula = Formula::Another;
        self
    }

    /// Where the time in `Date`, in the rate limits and in what is written comes from.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Starts it on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Where the system has no port to give.
    pub async fn start(mut self) -> io::Result<StandIn> {
        if self.owners.is_empty() {
            self.owners = usual_owners();
        }
        if self.tokens.is_empty() {
            self.tokens.push(Token::new(StandIn::TOKEN));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let mut content = Content::new(&url, self.owners);
        let mut tokens = Tokens::default();
        for token in self.tokens {
            content.add_user_of(&token);
            tokens.add(token);
        }
        let state = State {
            content: content.clone(),
            tokens,
            apps: apps::Apps::default(),
            limits: Limits::new(self.anonymous_limit),
            faults: faults::Faults::default(),
            calls: Calls::default(),
            latency: Duration::ZERO,
            formula: self.formula,
            requests: 0,
        };
        let site = Arc::new(Site::new(self.clock, state));
        let server = tokio::spawn(server::run(listener, Arc::clone(&site)));
        Ok(StandIn {
            url,
            site,
            original: content,
            server: AbortOnDropHandle::new(server),
        })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("owners", &self.owners)
            .field("tokens", &self.tokens)
            .field("anonymous_limit", &self.anonymous_limit)
            .finish_non_exhaustive()
    }
}

fn usual_owners() -> Vec<Owner> {
    vec![
        Owner::org("octo-org")
            .admin("octocat")
            .repositories(100, "octo-repo"),
        Owner::user("octocat").repository("hello-world"),
    ]
}
