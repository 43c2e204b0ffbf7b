//! The stack, put together: one client of GitHub's API for all who share a cache.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use cache_core::{Cache, MeshTime};
use futures::future::BoxFuture;
use http::header::HeaderValue;
use http::{Request, Response};
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use tower::Service;

use crate::app::{App, AppKey};
use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::credential::PrincipalKey;
use crate::error::{BuildError, UpstreamError};
use crate::face::{Caller, Face};
use crate::github::GitHub;
use crate::limits::Limits;
use crate::numbers::Numbers;
use crate::path_prefix::PathPrefix;
use crate::policy::Keeping;
use crate::scope::{Scopes, Sharing};
use crate::stack::{Parts, Stack};
use crate::stats::{Counters, Stats};
use crate::token::Token;
use crate::told::Told;
use crate::ttl::TtlRule;
use crate::upstream::Upstream;
use crate::views::Views;

/// A client of GitHub's API that asks a cache first.
///
/// It is a [`tower::Service`]; [`octocrab`](Self::octocrab) and [`github`](Self::github) are
/// typed faces over it. Clones share everything.
#[derive(Clone)]
pub struct Client {
    stack: Stack<Upstream>,
    cache: Cache,
    base: Arc<BaseUrl>,
    numbers: Numbers,
    limits: Limits,
    counters: Arc<Counters>,
    /// Told to the other members for as long as there is a client.
    _told: Told,
}

/// The settings of a [`Client`].
#[derive(Debug, Clone)]
pub struct Builder {
    upstream: String,
    via: Option<HeaderValue>,
    principal_key: PrincipalKey,
    sharing: Sharing,
    pace: bool,
    keeping: Keeping,
}

impl Client {
    /// Settings for a client that digests credentials under `principal_key`. Members that share
    /// entries have to have the same key.
    pub fn builder(principal_key: PrincipalKey) -> Builder {
        Builder {
            upstream: "https://api.github.com".to_owned(),
            via: None,
            principal_key,
            sharing: Sharing::default(),
            pace: true,
            keeping: Keeping {
                default_ttl: Duration::from_secs(300),
                stale_for: Duration::from_secs(86_400),
                negative_ttl: None,
                // What fits a frame between peers, headers and seal included.
                max_entry_bytes: 8 * 1024 * 1024 - 64 * 1024,
                rules: Arc::default(),
            },
        }
    }

    /// Where the API is.
    pub fn upstream(&self) -> &BaseUrl {
        &self.base
    }

    /// What is known of GitHub's limits, here and from other members.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Makes void, here and on all members, what GitHub has answered for this path and those below
    /// it, whoever has asked. Tells how many entries that were in this member's memory.
    pub async fn invalidate(&self, prefix: &PathPrefix) -> u64 {
        let mut count = 0;
        for path in prefix.places(&self.base, &self.numbers) {
            count += self.cache.count_under(path.clone()).await;
            self.cache.invalidate_path(path);
        }
        count
    }

    /// The same of everything.
    pub async fn invalidate_all(&self) -> u64 {
        let count = self.cache.count_under(cache_core::Path::root()).await;
        self.cache.invalidate_all();
        count
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        Stats {
            bypassed: self.counters.bypassed.load(Ordering::Relaxed),
            api_calls_made: self.counters.api_calls.load(Ordering::Relaxed),
            rate_limits: self.limits.snapshot(),
        }
    }

    /// An [`Octocrab`] whose every call asks the cache first, with a token or anonymously.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime, where octocrab starts its worker.
    pub fn octocrab(&self, token: Option<&Token>) -> Octocrab {
        let auth = token.map_or(AuthState::None, |token| AuthState::AccessToken {
            token: token.expose().into(),
        });
        self.octocrab_as(auth)
    }

    /// An [`Octocrab`] whose every call asks the cache first, authenticated in any of octocrab's
    /// ways. For GitHub Apps and their installations there is [`app`](Self::app).
    ///
    /// octocrab sends such credentials to `api.github.com` alone. That is therefore what this API
    /// is called here wherever it is, and what the links to further pages name.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime, where octocrab starts its worker.
    pub fn octocrab_as(&self, auth: AuthState) -> Octocrab {
        self.octocrab_by(Caller::AsSent, auth)
    }

    /// The same for who is not authenticated by octocrab.
    pub(crate) fn octocrab_of(&self, caller: Caller) -> Octocrab {
        self.octocrab_by(caller, AuthState::None)
    }

    fn octocrab_by(&self, caller: Caller, auth: AuthState) -> Octocrab {
        let built: Result<Octocrab, Infallible> = OctocrabBuilder::new_empty()
            .with_service(Face::over(self.clone(), caller))
            .with_auth(auth)
            .build();
        match built {
            Ok(octocrab) => octocrab,
        }
    }

    /// The client as a GitHub App, and from there as its installations.
    pub fn app(&self, key: AppKey) -> App {
        App::new(self.clone(), key)
    }

    /// The time, as GitHub has last told it.
    pub(crate) fn now(&self) -> MeshTime {
        self.cache.now()
    }

    /// The operations that CI jobs ask for most, cached.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime, where octocrab starts its worker.
    pub fn github(&self, token: Option<&Token>) -> GitHub {
        GitHub::new(self.octocrab(token))
    }
}

impl Service<Request<Body>> for Client {
    type Response = Response<Body>;
    type Error = UpstreamError;
    type Future = BoxFuture<'static, Result<Response<Body>, UpstreamError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        self.stack.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.stack.call(request)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("upstream", &self.base.origin())
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// The URL of the API. The default is `https://api.github.com`.
    #[must_use]
    pub fn upstream(mut self, url: impl Into<String>) -> Self {
        self.upstream = url.into();
        self
    }

    /// What a proxy adds to `Via` on the way to GitHub
    /// ([RFC 9110, section 7.6.3](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.3)), so that
    /// it knows a request that comes back to it. Nothing is added by default.
    #[must_use]
    pub fn via(mut self, via: HeaderValue) -> Self {
        self.via = Some(via);
        self
    }

    /// How long an answer is fresh about which nothing more is known. The default is five
    /// minutes.
    #[must_use]
    pub fn default_ttl(mut self, ttl: Duration) -> Self {
        self.keeping.default_ttl = ttl;
        self
    }

    /// How long past that an answer may be revalidated, or served while GitHub cannot answer. The
    /// default is a day.
    #[must_use]
    pub fn stale_for(mut self, stale_for: Duration) -> Self {
        self.keeping.stale_for = stale_for;
        self
    }

    /// How long the answers of some paths are fresh, in place of what is built in. Of several rules
    /// for one path the first counts. There are none by default.
    #[must_use]
    pub fn ttl_rules(mut self, rules: impl IntoIterator<Item = TtlRule>) -> Self {
        self.keeping.rules = rules.into_iter().collect();
        self
    }

    /// For how long it is remembered that something is not there (404, 410). By default it is not
    /// remembered at all: what was not there a moment ago may be there now. With
    /// [`Sharing::Fleet`] it is not either: what one credential is refused, another may see.
    #[must_use]
    pub fn negative_ttl(mut self, ttl: Duration) -> Self {
        self.keeping.negative_ttl = Some(ttl);
        self
    }

    /// The longest body that is kept, in bytes, and at most the default, just below 8 MiB. Longer
    /// ones go through.
    #[must_use]
    pub fn max_entry_bytes(mut self, bytes: usize) -> Self {
        self.keeping.max_entry_bytes = bytes.min(self.keeping.max_entry_bytes);
        self
    }

    /// Who is shown an answer without GitHub being asked. The default is [`Sharing::Token`].
    #[must_use]
    pub fn sharing(mut self, sharing: Sharing) -> Self {
        self.sharing = sharing;
        self
    }

    /// Whether to stay under GitHub's secondary limits by sending more slowly, as by default. An
    /// Enterprise Server may have none.
    ///
    /// The pace is this process's own: members that write with one token at the same time have to
    /// be told by GitHub that they are too fast together. That holds for all of them, then.
    #[must_use]
    pub fn pace(mut self, on: bool) -> Self {
        self.pace = on;
        self
    }

    /// The longest time for which an entry is kept under these settings, which
    /// [a cache](cache_core::Builder::longest_lifetime) has to know.
    pub fn longest_lifetime(&self) -> Duration {
        self.keeping.longest()
    }

    /// The client, over `cache`. The cache's members are told what it counts, and of the limits that
    /// GitHub tells of, which hold for all of them.
    pub fn build(self, cache: Cache) -> Result<Client, BuildError> {
        let base = Arc::new(BaseUrl::parse(&self.upstream)?);
        let counters = Arc::<Counters>::default();
        let limits = Limits::new().with_bell(cache.bell());
        let views = Views::new(cache.bell());
        let told = Told::share(
            &cache,
            &base,
            views.clone(),
            limits.clone(),
            Arc::clone(&counters),
        );
        let scopes = Scopes::new(self.principal_key, self.sharing, views);
        let upstream = Upstream::new(Arc::clone(&base), self.via, Arc::clone(&counters))?;
        let numbers = Numbers::new();
        let parts = Parts {
            cache: cache.clone(),
            base: Arc::clone(&base),
            keeping: self.keeping,
            scopes,
            limits: limits.clone(),
            counters: Arc::clone(&counters),
            numbers: numbers.clone(),
            pace: self.pace,
        };
        Ok(Client {
            stack: parts.over(upstream)?,
            cache,
            base,
            numbers,
            limits,
            counters,
            _told: told,
        })
    }
}
