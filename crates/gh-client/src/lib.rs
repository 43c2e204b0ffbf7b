//! GitHub's API behind a cache that peers share.
//!
//! ```no_run
//! use cache_core::Cache;
//! use gh_client::{Client, PrincipalKey, Token};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cache = Cache::builder().build(); // give it a transport, and it is shared
//! let client = Client::builder(PrincipalKey::new([7; 32])).build(cache)?;
//!
//! let token = Token::new("ghp_…")?;
//! let octocrab = client.octocrab(Some(&token)); // every call asks the cache first
//! let repo = octocrab.repos("rust-lang", "rust").get().await?;
//! let repos = client.github(Some(&token)).list_repos("rust-lang", 250).await?;
//! println!("{} of {}: {:?}", repo.name, repos.len(), client.stats());
//! # Ok(())
//! # }
//! ```
//!
//! # The stack
//!
//! Everything is [tower](https://docs.rs/tower). From the outside in:
//!
//! | layer | what it does |
//! | --- | --- |
//! | door | drops what a client says to its next hop alone, before anything is judged by it |
//! | detour | sends downloads from GitHub's other hosts past the rest, and refuses other hosts |
//! | writes | voids, on all members, what a write has changed |
//! | cache first | answers from the [`Cache`](cache_core::Cache) what may be cached, revalidates what is stale, passes on the rest untouched |
//! | retry | tries again what may be sent twice, with a back-off and a budget |
//! | gate | sends nothing that GitHub's limits forbid, whichever member has met them; stands before and behind the next |
//! | pace | stays under the secondary limits |
//! | observe | takes note of what GitHub says of its limits, its time and its callers |
//! | patience | bounds each attempt |
//! | upstream | sends the request over HTTP/1.1 and TLS, and counts it |
//!
//! A [`Client`] is that stack as a service; [`Octocrab`](octocrab::Octocrab) and [`GitHub`] are
//! faces over it, for a token, for nobody, or for a GitHub [`App`] and each [`Installation`] of it.
//! Each of its responses has a [`Decision`] among its extensions: why it was answered so.
//!
//! # What is cached
//!
//! A GET whose complete answer is a 200 of nearly 8 MiB at most, or says that a repository was
//! renamed for good; and GraphQL documents of queries. An answer is filed under what was asked, in
//! a normal form, *and who asked*. Another credential is shown it once GitHub has said that it is
//! its answer, too, which costs nothing; or, in a fleet whose jobs have equal rights, once GitHub
//! has answered it at all: [`Sharing`]. What credentials are like is known to nobody: they are
//! digested under a [`PrincipalKey`].
//!
//! # Features
//!
//! - `testing`: a stand-in for GitHub to test against.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(doctest, feature = "testing"))]
#[doc = include_str!("../README.md")]
mod readme {}

mod app;
mod base_url;
pub mod body;
mod cache_first;
mod client;
mod collect;
mod condition;
mod credential;
mod decision;
mod detour;
mod directives;
pub mod error;
mod etag;
mod face;
mod fetch;
mod gate;
mod github;
mod graphql;
mod hops;
mod hosts;
mod installation;
pub mod limits;
mod links;
mod numbers;
mod observe;
mod pace;
mod path_prefix;
mod patience;
mod pattern;
mod policy;
mod proof;
mod question;
mod retry;
mod scope;
mod stack;
mod stats;
mod stored;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod told;
mod ttl;
mod upstream;
mod views;
mod writes;

pub use app::{App, AppKey};
pub use base_url::BaseUrl;
pub use body::Body;
pub use client::{Builder, Client};
pub use credential::PrincipalKey;
pub use decision::Decision;
pub use error::{
    BuildError, InvalidAppKey, InvalidPathPrefix, InvalidUpstream, NoToken, UpstreamError,
};
pub use github::GitHub;
pub use installation::Installation;
pub use limits::{Limits, RateLimit};
pub use links::lead_to;
pub use path_prefix::PathPrefix;
pub use pattern::{InvalidPattern, PathPattern};
pub use scope::{InvalidSharing, Sharing};
pub use stats::Stats;
pub use token::{InvalidToken, Token};
pub use ttl::TtlRule;
