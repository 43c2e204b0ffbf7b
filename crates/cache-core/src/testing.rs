//! For tests, ours and yours: a clock that you move, a network in memory that loses frames, and a
//! sealer that needs no keys.
//!
//! Everything here runs in virtual time (`#[tokio::test(start_paused = true)]`) and draws its
//! randomness from a seed, so that a failing run can be had again.

mod clock;
mod network;
mod sealer;

pub use clock::{ManualClock, VirtualClock};
pub use network::{MemoryNetwork, MemoryTransport};
pub use sealer::TestSealer;
