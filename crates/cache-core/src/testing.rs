//! For tests, ours and yours: a clock that you move, a network in memory that loses frames, a disk
//! in memory that outlives its node, and a sealer that needs no keys.
//!
//! Everything here runs in virtual time (`#[tokio::test(start_paused = true)]`) and draws its
//! randomness from a seed, so that a failing run can be had again. For whole caches that takes
//! [`Builder::in_turn`](crate::Builder::in_turn) as well.

mod clock;
mod disk;
mod network;
mod sealer;

pub use clock::{ManualClock, SteppedClock, VirtualClock};
pub use disk::MemoryDisk;
pub use network::{MemoryNetwork, MemoryTransport, Traffic};
pub use sealer::TestSealer;
