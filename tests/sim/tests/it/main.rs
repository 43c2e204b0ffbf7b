//! Fleets of all sizes, by their seeds; and that what is broken on purpose is found out.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod flaws;
mod seeds;
