//! What the end-to-end tests are written with: `ghmesh` processes, and clients that see every byte.
//!
//! The tests themselves are in `tests/it`; they read like the session of a user.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

pub mod client;
pub mod process;

use std::time::Duration;

use tokio::time::{self, Instant};

/// How long something may take that takes no time on a machine at rest. Only a failing test ever
/// waits for so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `is_true`; panics with `what` where that never comes.
pub async fn eventually(what: &str, mut is_true: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_true().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        time::sleep(Duration::from_millis(10)).await;
    }
}
