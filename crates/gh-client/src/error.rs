//! Why GitHub could not be asked.

use std::time::Duration;

use http::Uri;

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
}

/// Upstream has not answered. What it *did* answer, be it a 500, is never an error here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// The request did not get through, or its answer broke off before the headers were complete.
    #[error("cannot reach {upstream}: {}", innermost(source.as_ref()))]
    Unreachable {
        /// Who was asked.
        upstream: Uri,
        /// Why it failed.
        source: BoxError,
    },
    /// The headers of an answer did not arrive in time.
    #[error("{upstream} did not answer within {} s", patience.as_secs())]
    TimedOut {
        /// Who was asked.
        upstream: Uri,
        /// How long it was given.
        patience: Duration,
    },
    /// The request's target is not a path.
    #[error("{0:?} is not a path at the upstream")]
    InvalidTarget(String),
    /// Somebody else's call to the same end has failed.
    #[error(transparent)]
    Shared(#[from] cache_core::FetchError),
}

impl UpstreamError {
    /// Whether waiting longer might have helped.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::TimedOut { .. } => true,
            Self::Shared(error) => error.downcast_ref().is_some_and(Self::is_timeout),
            Self::Unreachable { .. } | Self::InvalidTarget(_) => false,
        }
    }
}

/// The cause at the bottom says what a person can act on ("connection refused"); what is wrapped
/// around it names only who passed it on.
fn innermost<'a>(
    mut error: &'a (dyn std::error::Error + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}
