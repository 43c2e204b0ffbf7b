//! How rows lie in the file, and what they cost there.
//!
//! redb rounds a row that is larger than a page up to a power of two pages, which have to lie side
//! by side: a value of 1.1 MiB would take 2 MiB, and where small ones went a large one would not
//! fit. So whatever is long is cut into *chunks* that fill one page each. Any free page then serves
//! any purpose.

use redb::TableDefinition;

use super::sealed::KEY_LEN;

/// The version of this layout. Whatever has a later one is not looked at.
pub(super) const VERSION: u32 = 1;

/// Facts about the whole store, by name; see [`row`].
pub(super) const HEADER: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("header");

/// Where the body of each entry is, by key.
pub(super) const ENTRIES: TableDefinition<'_, &[u8; KEY_LEN], (u64, u64, u64, u32)> =
    TableDefinition::new("entries");

/// The bodies in the order in which they die, then in that of their ids: the key that they belong
/// to, and as much of the sealed entry as is not in chunks.
pub(super) const BODIES: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("bodies");

/// The chunks of a body, by its id and from 0 on. They come before what is in [`BODIES`].
pub(super) const CHUNKS: TableDefinition<'_, (u64, u32), &[u8; CHUNK]> =
    TableDefinition::new("chunks");

/// The tombstones by the key that goes with their target: stamp and time of death in little-endian
/// milliseconds, then the sealed tombstone.
pub(super) const TOMBSTONES: TableDefinition<'_, &[u8; KEY_LEN], &[u8]> =
    TableDefinition::new("tombstones");

/// The names of the rows of [`HEADER`].
pub(super) mod row {
    /// [`VERSION`](super::VERSION), four bytes, little-endian.
    pub(in super::super) const VERSION: &str = "version";
    /// The latest stamp in the store, sealed: that it opens shows whether the store is ours.
    pub(in super::super) const LATEST: &str = "latest";
    /// [`Totals`](super::Totals).
    pub(in super::super) const TOTALS: &str = "totals";
}

/// What redb allocates by, in bytes.
const PAGE: usize = 4096;

/// A page less what redb writes in front of a single row of fixed width, and the row's key.
pub(super) const CHUNK: usize = PAGE - 4 - 12;

/// The longest row in [`BODIES`] beside its key. Two fit a page, so that splitting a full page
/// never leaves more in one half than a page holds.
const MAX_INLINE: usize = 1900;

/// Where the body of an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// In milliseconds, as the others.
    pub(super) dies_at: u64,
    pub(super) id: u64,
    pub(super) stored_at: u64,
    /// The length of the sealed entry in bytes.
    pub(super) len: u32,
}

impl Place {
    /// How the sealed entry is divided: full chunks, bytes in a last chunk that is filled up with
    /// zeros, and bytes in the row of [`BODIES`]. Of the latter two one is zero.
    pub(super) fn division(&self) -> (u32, usize, usize) {
        let len = self.len as usize;
        let (chunks, rest) = (len / CHUNK, len % CHUNK);
        let chunks = u32::try_from(chunks).unwrap_or(u32::MAX);
        if rest > MAX_INLINE {
            (chunks, rest, 0)
        } else {
            (chunks, 0, rest)
        }
    }

    /// What the entry occupies in the file in bytes, its share of the tables included.
    pub(super) fn charge(&self) -> u64 {
        // Pages of small rows in no order are two thirds full.
        const ROWS: usize = KEY_LEN + 28 + (16 + 8 + KEY_LEN);
        // A page's own key, place and checksum in the page above it.
        const ABOVE: u64 = 48;
        let (chunks, last, inline) = self.division();
        let pages = u64::from(chunks) + u64::from(last > 0);
        pages * (PAGE as u64 + ABOVE) + ((ROWS + inline) * 3 / 2) as u64
    }
}

impl From<(u64, u64, u64, u32)> for Place {
    fn from((dies_at, id, stored_at, len): (u64, u64, u64, u32)) -> Self {
        Self {
            dies_at,
            id,
            stored_at,
            len,
        }
    }
}

impl From<Place> for (u64, u64, u64, u32) {
    fn from(place: Place) -> Self {
        (place.dies_at, place.id, place.stored_at, place.len)
    }
}

/// What is in the store, kept up to date with each commit, so that nobody has to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) entries: u64,
    /// What they are charged; see [`Place::charge`].
    pub(super) bytes: u64,
    /// The id of the next body.
    pub(super) next_id: u64,
}

impl Totals {
    pub(super) fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let fields = [self.entries, self.bytes, self.next_id];
        for (at, field) in bytes.chunks_exact_mut(8).zip(fields) {
            at.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (fields, []) = bytes.as_chunks::<8>() else {
            return None;
        };
        let &[entries, bytes, next_id] = fields else {
            return None;
        };
        Some(Self {
            entries: u64::from_le_bytes(entries),
            bytes: u64::from_le_bytes(bytes),
            next_id: u64::from_le_bytes(next_id),
        })
    }

    pub(super) fn add(&mut self, place: &Place) {
        self.entries = self.entries.saturating_add(1);
        self.bytes = self.bytes.saturating_add(place.charge());
    }

    // Saturating: the file may say anything.
    pub(super) fn remove(&mut self, place: &Place) {
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(place.charge());
    }
}
