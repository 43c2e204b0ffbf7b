//! Frames that do not open, and for which a peer is not parted with, as long as they are not too many.
//!
//! A peer that is ahead of us in a change of secret or of version seals what we cannot open, and is
//! in good order. So is nobody who does nothing else, far more often than a fleet has news.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cache_core::PeerId;
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// How long a peer's frames are counted together, from the first of them on.
const WINDOW: Duration = Duration::from_secs(60);

/// Of so many peers the frames are counted. Where there are more, all are forgotten whose window is
/// over, and if there is none, all: a peer may then send as many again.
const MOST_PEERS: usize = 1024;

/// How many frames each peer was spared for in its window.
pub(crate) struct Spared {
    most: u32,
    windows: Mutex<HashMap<PeerId, Window>>,
}

struct Window {
    since: Instant,
    frames: u32,
}

impl Spared {
    /// A peer is spared for `most` frames a window.
    pub(crate) fn new(most: u32) -> Self {
        Self {
            most,
            windows: Mutex::default(),
        }
    }

    /// Whether the peer is spared for one more frame.
    pub(crate) fn spares(&self, peer: PeerId) -> bool {
        let now = Instant::now();
        let is_over = |window: &Window| now.duration_since(window.since) >= WINDOW;
        // Nothing is left half done where one could panic.
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MOST_PEERS && !windows.contains_key(&peer) {
            windows.retain(|_, window| !is_over(window));
            if windows.len() >= MOST_PEERS {
                windows.clear();
            }
        }
        let anew = || Window {
            since: now,
            frames: 0,
        };
        let window = windows.entry(peer).or_insert_with(anew);
        if is_over(window) {
            *window = anew();
        }
        window.frames = window.frames.saturating_add(1);
        window.frames <= self.most
    }
}
