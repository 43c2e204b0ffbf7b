//! Whole nodes and whole fleets, from outside.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod cli;
mod doctor;
mod fleet;
mod fleet_stats;
mod gh;
mod invalidation;
mod library;
mod manners;
mod network;
mod proxy;
mod rotation;
mod silence;
mod store;

use gh_client::testing::{StandIn, Token};

/// A token that the stand-in knows.
const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";

/// A stand-in for GitHub that knows [`TOKEN`].
async fn github() -> StandIn {
    let github = StandIn::start().await.unwrap();
    github.add_token(Token::new(TOKEN).login("octocat").limit(100_000));
    github
}
