//! Fleets of all sizes, by their seeds.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod seeds;
