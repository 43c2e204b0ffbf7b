//! A secret is changed, on a disk that fails meanwhile.

use std::io::ErrorKind;
use std::sync::Arc;

use bytes::Bytes;

use super::log::Log;
use super::medium::{Medium, Plan};
use super::{HOUR, NOW, entry, key, tombstone};
use crate::disk::Options;
use crate::sealer::{OpenError, Purpose, SealError, Sealer};
use crate::testing::TestSealer;
use crate::tier::Tier;
use crate::tombstone::Target;
use crate::transport::Misconduct;

/// Seals under the first of its seeds, and opens under all of them.
struct Rotating(Vec<u8>);

impl Sealer for Rotating {
    fn seal(&self, purpose: Purpose<'_>, plaintext: &[u8]) -> Result<Bytes, SealError> {
        let sealed = TestSealer::from_seed(self.0[0].into()).seal(purpose, plaintext)?;
        Ok([&[self.0[0]], &*sealed].concat().into())
    }

    fn open(&self, purpose: Purpose<'_>, sealed: Bytes) -> Result<Bytes, OpenError> {
        let seed = *sealed.first().ok_or(OpenError(Misconduct::Malformed))?;
        if !self.0.contains(&seed) {
            return Err(OpenError(Misconduct::Forged));
        }
        TestSealer::from_seed(seed.into()).open(purpose, sealed.slice(1..))
    }

    fn is_outdated(&self, sealed: &[u8]) -> bool {
        sealed.first() != self.0.first()
    }
}

const OLD: u8 = 1;
const NEW: u8 = 2;

fn knowing(seeds: &[u8]) -> Options {
    Options::new(Arc::new(Rotating(seeds.to_vec())))
}

/// Changes the secret of a store with an invalidation in it, on a disk that is full once so many
/// changes have been made. Tells whether the store could be opened, and not be sealed anew.
fn is_changed_on_a_disk_that_is_full_after(changes: u32) -> bool {
    let medium = Medium::default();
    let disk = medium.open_with(knowing(&[OLD, NEW]));
    let void = tombstone(Target::Key(key(1)), 1);
    disk.bury(void.clone());
    drop(disk);

    medium.fail(Plan {
        after: changes,
        kind: ErrorKind::StorageFull,
        reads: false,
    });
    let (disk, log) = Log::of(|| medium.open_with(knowing(&[NEW, OLD])));
    medium.heal();
    if !log.contains("WARN") || !log.contains("new secret") {
        return false;
    }
    disk.keep(key(2), entry(2, b"afterwards"), NOW);
    // The first time, the fault from before may be met and mended.
    disk.flush();
    disk.flush();
    assert!(!disk.stats().failing);
    drop(disk);

    let disk = medium.open_with(knowing(&[NEW]));
    assert_eq!(medium.set_aside(), 0);
    assert_eq!(disk.recall().tombstones, [void]);
    assert!(disk.load(&key(2), NOW.saturating_add(HOUR / 2)).is_some());
    true
}

#[test]
fn what_could_not_be_sealed_anew_at_the_start_is_with_the_next_that_is_written() {
    let met = (0..40).filter(|&changes| is_changed_on_a_disk_that_is_full_after(changes));
    assert!(met.count() > 0, "the disk was never full in time");
}
