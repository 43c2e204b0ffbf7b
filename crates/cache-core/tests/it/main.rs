//! The public face of the crate.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bounds;
mod clocks;
mod convergence;
mod fleet;
mod large;
mod members;
mod model;
mod node;
mod owners;
mod peer;
mod renewing;
mod sequences;
mod shown;
mod trouble;
mod upstream;
mod world;
