//! Who asked for what, and what came of it.

use std::collections::{BTreeMap, VecDeque};

use http::{Method, StatusCode};

use super::pattern::{Pattern, path_of};

/// How many single calls are remembered. The oldest go first; the counts go on.
const REMEMBERED: usize = 1024;

/// How many different counts are kept. What would need one more is counted as a call for
/// [`OTHER`].
const COUNTS: usize = 65_536;

/// The path under which calls are counted once there are too many different ones.
const OTHER: &str = "(other)";

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Its path and query, without GHES's prefix `/api/v3`.
    pub target: String,
    /// Who made it.
    pub by: Asker,
    /// `If-None-Match` and `If-Modified-Since`, as they were sent.
    pub conditions: Vec<String>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `Accept`.
    pub accept: Option<String>,
    /// `Via`: the proxies that it came through.
    pub via: Option<String>,
    /// The status that was sent; `None` where a fault kept everything back.
    pub status: Option<StatusCode>,
    /// Whether it was taken from the caller's rate limit.
    pub charged: bool,
}

/// Who made a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    /// Somebody without a credential.
    Anonymous,
    /// The holder of a token that the stand-in knows.
    Token(String),
    /// An App itself, by its id.
    App(String),
    /// Somebody with a credential that it does not know, and does not keep.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    method: String,
    target: String,
    by: Asker,
    status: Option<u16>,
    charged: bool,
}

/// What has been asked for since the start or the last reset, as it was when it was looked at.
///
/// Each of [`of`](Self::of), [`method`](Self::method), [`status`](Self::status),
/// [`by`](Self::by) and [`charged`](Self::charged) leaves out what does not fit, so that they can
/// be put one after another:
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// # let github = gh_client::testing::StandIn::start().await?;
/// assert_eq!(github.calls().of("/repos/*").status(304).total(), 4);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Calls {
    counts: BTreeMap<Kind, u64>,
    recent: VecDeque<Call>,
}

impl Calls {
    /// How many calls there were.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The last calls, the oldest first; 1024 at most, before anything was left out.
    pub fn recent(&self) -> impl Iterator<Item = &Call> {
        self.recent.iter()
    }

    /// The calls for a path: `/user`, or with a `*` at its end all that begin so: `/repos/*`. With
    /// a `?` in it the query is compared as well.
    #[must_use]
    pub fn of(self, path: &str) -> Self {
        let pattern = Pattern::new(path);
        self.filter(
            |kind| pattern.matches(&kind.target),
            |call| pattern.matches(&call.target),
        )
    }

    /// The calls with this method.
    #[must_use]
    pub fn method(self, method: &Method) -> Self {
        self.filter(
            |kind| kind.method == method.as_str(),
            |call| call.method == *method,
        )
    }

    /// The calls that were answered with this status.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        self.filter(
            |kind| kind.status == Some(status),
            |call| call.status.is_some_and(|sent| sent == status),
        )
    }

    /// The calls of the holder of this token.
    #[must_use]
    pub fn by(self, token: &str) -> Self {
        let is = |by: &Asker| matches!(by, Asker::Token(text) if text == token);
        self.filter(|kind| is(&kind.by), |call| is(&call.by))
    }

    /// The calls that came without a credential.
    #[must_use]
    pub fn anonymous(self) -> Self {
        self.filter(
            |kind| kind.by == Asker::Anonymous,
            |call| call.by == Asker::Anonymous,
        )
    }

    /// The calls that were taken from somebody's rate limit.
    #[must_use]
    pub fn charged(self) -> Self {
        self.filter(|kind| kind.charged, |call| call.charged)
    }

    /// How many different targets were asked for.
    pub fn distinct(&self) -> usize {
        let mut targets: Vec<&str> = self.counts.keys().map(|kind| &*kind.target).collect();
        targets.sort_unstable();
        targets.dedup();
        targets.len()
    }

    pub(super) fn record(&mut self, call: Call) {
        let mut kind = Kind {
            method: call.method.to_string(),
            target: call.target.clone(),
            by: call.by.clone(),
            status: call.status.map(|status| status.as_u16()),
            charged: call.charged,
        };
        if self.counts.len() >= COUNTS && !self.counts.contains_key(&kind) {
            OTHER.clone_into(&mut kind.target);
        }
        *self.counts.entry(kind).or_default() += 1;
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(call);
    }

    fn filter(mut self, kinds: impl Fn(&Kind) -> bool, calls: impl Fn(&Call) -> bool) -> Self {
        self.counts.retain(|kind, _| kinds(kind));
        self.recent.retain(|call| calls(call));
        self
    }
}

impl Call {
    /// Its path, without the query.
    pub fn path(&self) -> &str {
        path_of(&self.target)
    }
}
