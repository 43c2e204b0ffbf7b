//! cache-crypto as its users meet it.
#![expect(
    clippy::unwrap_used,
    reason = "a test whose setting cannot be built has failed"
)]

mod at_rest;
mod rotation;
mod sealed;
mod sealing;
mod silence;
