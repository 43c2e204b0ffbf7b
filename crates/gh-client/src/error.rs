//! Why GitHub could not be asked.

use std::error::Error;
use std::iter;
use std::time::Duration;

use crate::body::BoxError;

/// A URL that GitHub's API cannot be at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is not the URL of an API: {reason}; give it like https://api.github.com")]
pub struct InvalidUpstream {
    /// What was given.
    pub url: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// A text that says no part of the API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPathPrefix {
    /// Write it as a path.
    #[error("{0:?} is not a path; write it like /repos/OWNER/REPO")]
    NotAPath(String),
    /// Leave the query out: what is asked with it lies at the path.
    #[error("{0:?} has a query; a path covers all queries of it")]
    Query(String),
    /// Say in another way that everything is meant.
    #[error("/ covers everything; name a part of it, such as /repos/OWNER/REPO")]
    Everything,
}

/// What was given is no private key of a GitHub App.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAppKey {
    /// Give the PEM file as GitHub has made it.
    #[error("there is no private key in it; give the .pem file that GitHub has made for the App")]
    NoKey,
    /// Make a key on the App's page.
    #[error("it is no RSA key of 2048 bits or more; make a private key on the App's page")]
    NotRsa,
}

/// There is no token for an installation of a GitHub App.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no token for installation {installation}: {why}")]
#[non_exhaustive]
pub struct NoToken {
    /// Which installation.
    pub installation: u64,
    /// What GitHub has answered; `None` where it has not.
    pub status: Option<http::StatusCode>,
    /// Why, in GitHub's words where there are any, and what may be done.
    pub why: String,
}

/// A client could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Correct the URL.
    #[error(transparent)]
    InvalidUpstream(#[from] InvalidUpstream),
    /// Install the system's certificates (`apt-get install ca-certificates`), or use an upstream
    /// without TLS.
    #[error("no trusted certificates: {0}; install the ca-certificates of your system")]
    Certificates(#[source] std::io::Error),
    /// A mistake of this crate's own: report it.
    #[error("the back-off of retries makes no sense")]
    Backoff,
}

/// Upstream has not answered. What it *did* answer, be it a 500, is never an error here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// The request did not get through, or its answer broke off before the headers were complete.
    #[error("cannot reach {upstream}: {}", root(cause.as_ref()))]
    Unreachable {
        /// Who was asked.
        upstream: String,
        /// Why it failed. The message says it, so it is no [`source`](Error::source), which whoever
        /// prints a chain of errors would say once more.
        cause: BoxError,
    },
    /// The headers of an answer did not arrive in time.
    #[error("GitHub did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// Upstream is broken: it says that nothing has changed, and was not told since when.
    #[error("GitHub answered 304 to a request without a condition")]
    Unconditional304,
    /// The request is for another host. Ask that host without this client.
    #[error("{0} is not the host of the API; ask it directly")]
    ForeignHost(String),
    /// The request's target is not a path.
    #[error("the request's target is not a path at the API")]
    InvalidTarget,
    /// What came back cannot be read; ask again.
    #[error("the answer was lost on its way")]
    Lost,
    /// GitHub gives an installation no token; correct the App's id, its key, or the installation's.
    #[error(transparent)]
    NoToken(#[from] NoToken),
    /// The App's key signs nothing; make another.
    #[error("the App's key: {0}")]
    InvalidAppKey(#[from] InvalidAppKey),
    /// Somebody else's call to the same end has failed.
    #[error(transparent)]
    Shared(#[from] cache_core::FetchError),
}

impl UpstreamError {
    /// Whether the same request may get through at another time.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut(_))
    }

    /// Whether waiting longer might have helped.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::TimedOut(_) => true,
            Self::Shared(error) => error.downcast_ref().is_some_and(Self::is_timeout),
            _ => false,
        }
    }
}

/// What is below the HTTP client's own word, which is only that it has failed.
fn root(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(error.source(), |&error| error.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    if causes.is_empty() {
        return error.to_string();
    }
    causes.join(": ")
}
