//! The seam to a second tier of entries behind those in memory: slower, larger, outliving the
//! process.

use crate::entry::Entry;
use crate::key::{Family, Key};
use crate::stats::DiskStats;
use crate::time::MeshTime;
use crate::tombstone::Tombstone;

/// Keeps what the memory has no room for.
///
/// A tier that cannot do what it is asked to says so in the log and in its statistics. To its
/// callers it is then empty: whatever happens to it makes at worst a miss.
pub(crate) trait Tier: Send + Sync + 'static {
    /// What is kept under `key`, if it is not dead at `now`. May block, for as long as a disk takes.
    fn load(&self, key: &Key, now: MeshTime) -> Option<Entry>;

    /// The keys of a family under which something is kept, at most `max`. May block.
    fn keys_of(&self, family: &Family, max: usize) -> Vec<Key>;

    /// Keeps the greater of `entry` and what is kept under `key`, soon. What is kept there from
    /// further ahead of `now` than stamps may lie counts for nothing. Does not block.
    fn keep(&self, key: Key, entry: Entry, now: MeshTime);

    /// Lets go of an entry that was found to be void, unless a newer one has come meanwhile. Does
    /// not block.
    fn discard(&self, key: Key, entry: &Entry);

    /// Remembers a tombstone, soon. Does not block.
    fn bury(&self, tombstone: Tombstone);

    /// Has what waits to be written occupy no more than so many bytes of memory, unless it was made
    /// with a bound of its own. Does not block.
    fn bound_pending(&self, bytes: usize);

    /// What earlier runs have left behind beside entries.
    fn recall(&self) -> Recalled;

    /// Frees the room of what is dead at `now`, and tombstones with it. May block.
    fn sweep(&self, now: MeshTime);

    /// Lets go of entries that are later than `now`, and brings tombstones down to it that lie
    /// further ahead than stamps may, soon. Does not block.
    fn cut_off(&self, now: MeshTime);

    /// Writes down what is still waiting to be. May block.
    fn flush(&self);

    /// Writes down what is still waiting to be, and lets go of what the next one needs that is to
    /// keep the same. Nothing is found from now on. May block.
    fn close(&self);

    /// What is kept, and how the tier is doing.
    fn stats(&self) -> DiskStats;
}

/// What a tier knows at the start.
#[derive(Debug, Default)]
pub(crate) struct Recalled {
    pub(crate) tombstones: Vec<Tombstone>,
    /// No entry and no tombstone that is kept has a later stamp.
    pub(crate) latest: MeshTime,
}
