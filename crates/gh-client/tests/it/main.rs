//! The public interface: GitHub's rules over a real HTTP server, and that server itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod apps;
mod faces;
mod limits;
mod sharing;
mod standin;

use cache_core::Cache;
use gh_client::testing::StandIn;
use gh_client::{Client, PrincipalKey, Token};

/// A client of the stand-in, with a cache of its own.
fn client(github: &StandIn) -> Client {
    Client::builder(PrincipalKey::new([7; 32]))
        .upstream(github.url())
        .build(Cache::builder().build())
        .unwrap()
}

/// The token that the stand-in knows from the start.
fn token() -> Token {
    Token::new(StandIn::TOKEN).unwrap()
}
