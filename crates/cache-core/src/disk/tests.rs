//! The store as its callers see it, through the seam that the cache uses.

mod bound;
mod damage;
mod faults;
mod log;
mod medium;
mod opening;
mod rotation;
mod rows;

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use tempfile::TempDir;

use super::{Disk, Options};
use crate::entry::Entry;
use crate::freshness::Lifetime;
use crate::key::Key;
use crate::path::Path;
use crate::peer::PeerId;
use crate::testing::TestSealer;
use crate::time::MeshTime;
use crate::tombstone::{Target, Tombstone};

const NOW: MeshTime = MeshTime::from_millis(1_700_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn options() -> Options {
    Options::new(Arc::new(TestSealer::from_seed(1)))
}

fn open(dir: &TempDir) -> Disk {
    open_at(dir.path())
}

fn open_at(dir: &FilePath) -> Disk {
    Disk::open(dir, options()).unwrap()
}

fn dir() -> TempDir {
    TempDir::new().unwrap()
}

fn key(n: u64) -> Key {
    Key::public([n.to_le_bytes()])
}

/// An entry that was stored so many milliseconds after [`NOW`], and lives for an hour.
fn entry(at: u64, value: &[u8]) -> Entry {
    living(at, value, HOUR)
}

fn living(at: u64, value: &[u8], ttl: Duration) -> Entry {
    Entry::new(
        NOW.saturating_add(Duration::from_millis(at)),
        PeerId::LOCAL,
        Path::new("/a/b"),
        Bytes::copy_from_slice(value),
        Lifetime::fresh_for(ttl),
    )
}

fn tombstone(target: Target, at: u64) -> Tombstone {
    Tombstone {
        target,
        stamp: NOW.saturating_add(Duration::from_millis(at)),
        kept_for: HOUR,
        origin: PeerId::LOCAL,
    }
}

/// A value that does not compress, and that nobody else has.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut value = vec![0; len];
    rng(seed).fill_bytes(&mut value);
    value
}

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// A length between two bounds, as many short ones as long ones.
fn some_len(rng: &mut StdRng, least: usize, most: usize) -> usize {
    let magnitude = rng.random_range((least as f64).ln()..(most as f64).ln());
    magnitude.exp() as usize
}
