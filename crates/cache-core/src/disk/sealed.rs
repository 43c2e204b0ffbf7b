//! What is inside a row once it has been opened.
//!
//! One byte for the kind and the fields in [postcard](https://postcard.jamesmunns.com/wire-format),
//! sealed under the row's own key, so that no row passes for another.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::entry::Entry;
use crate::key::{Key, Scope};
use crate::sealer::{OpenError, Purpose, SealError, Sealer};
use crate::time::MeshTime;
use crate::tombstone::{Target, Tombstone};
use crate::transport::{MAX_FRAME, Misconduct};

/// The longest sealed row, in bytes. What seals frames seals nothing longer.
pub(super) const MAX_SEALED: usize = MAX_FRAME;

/// The kinds of rows. A number is never used twice.
mod kind {
    pub(super) const LATEST: u8 = 1;
    pub(super) const ENTRY: u8 = 2;
    pub(super) const TOMBSTONE: u8 = 3;
}

/// Seals an entry under its key.
pub(super) fn seal_entry(
    sealer: &dyn Sealer,
    key: &Key,
    entry: &Entry,
) -> Result<Bytes, SealError> {
    // Checked before the copy is made.
    if entry.value().len() > MAX_SEALED {
        return Err(SealError::TooLarge(entry.value().len()));
    }
    seal(sealer, key, kind::ENTRY, entry, entry.value().len())
}

/// The entry in a row, if it is one.
pub(super) fn open_entry(
    sealer: &dyn Sealer,
    key: &Key,
    sealed: Bytes,
) -> Result<Entry, OpenError> {
    open(sealer, key, kind::ENTRY, sealed)
}

/// Seals a tombstone under the key that goes with its target.
pub(super) fn seal_tombstone(
    sealer: &dyn Sealer,
    key: &Key,
    tombstone: &Tombstone,
) -> Result<Bytes, SealError> {
    seal(sealer, key, kind::TOMBSTONE, tombstone, 0)
}

/// The tombstone in a row, if it is one of this key's.
pub(super) fn open_tombstone(sealer: &dyn Sealer, key: &Key, sealed: &[u8]) -> Option<Tombstone> {
    open(sealer, key, kind::TOMBSTONE, Bytes::copy_from_slice(sealed))
        .ok()
        .filter(|tombstone: &Tombstone| key_of(&tombstone.target) == *key)
}

/// Seals the latest stamp in the store.
pub(super) fn seal_latest(sealer: &dyn Sealer, latest: MeshTime) -> Result<Bytes, SealError> {
    seal(sealer, &latest_key(), kind::LATEST, &latest, 0)
}

/// The latest stamp in the store, if it is sealed with our key.
pub(super) fn open_latest(sealer: &dyn Sealer, sealed: &[u8]) -> Option<MeshTime> {
    let sealed = Bytes::copy_from_slice(sealed);
    open(sealer, &latest_key(), kind::LATEST, sealed).ok()
}

/// What a tombstone is filed under: a key that no entry has, one for each target.
pub(super) fn key_of(target: &Target) -> Key {
    const PURPOSE: &str = "cache-core store tombstone";
    match target {
        Target::Key(Key { family, scope }) => Key::public([
            PURPOSE.as_bytes(),
            b"key",
            family.as_bytes(),
            scope.as_bytes(),
        ]),
        Target::Path(path) => Key::public([PURPOSE, "path", path.as_key()]),
    }
}

/// The bytes by which a key is filed.
pub(super) fn key_bytes(key: &Key) -> [u8; KEY_LEN] {
    let mut bytes = [0; KEY_LEN];
    let (family, scope) = bytes.split_at_mut(FAMILY_LEN);
    family.copy_from_slice(key.family.as_bytes());
    scope.copy_from_slice(key.scope.as_bytes());
    bytes
}

/// The key that is filed by these bytes.
pub(super) fn key_from(bytes: &[u8; KEY_LEN]) -> Option<Key> {
    // A digest is written as it is, so this is the inverse of `key_bytes`.
    postcard::from_bytes(bytes).ok()
}

/// The length of [`key_bytes`].
pub(super) const KEY_LEN: usize = FAMILY_LEN + size_of::<Scope>();
const FAMILY_LEN: usize = 32;

fn latest_key() -> Key {
    Key::public(["cache-core store latest stamp"])
}

fn seal(
    sealer: &dyn Sealer,
    key: &Key,
    kind: u8,
    fields: &impl Serialize,
    len_hint: usize,
) -> Result<Bytes, SealError> {
    let mut plaintext = Vec::with_capacity(len_hint + 256);
    plaintext.push(kind);
    let plaintext = postcard::to_extend(fields, plaintext)
        // Nothing here has a form that postcard cannot write.
        .map_err(|_| SealError::TooLarge(len_hint))?;
    let sealed = sealer.seal(Purpose::AtRest(key), &plaintext)?;
    if sealed.len() > MAX_SEALED {
        return Err(SealError::TooLarge(sealed.len()));
    }
    Ok(sealed)
}

fn open<T: DeserializeOwned>(
    sealer: &dyn Sealer,
    key: &Key,
    kind: u8,
    sealed: Bytes,
) -> Result<T, OpenError> {
    let plaintext = sealer.open(Purpose::AtRest(key), sealed)?;
    decode(kind, &plaintext).ok_or(OpenError(Misconduct::Undecodable))
}

fn decode<T: DeserializeOwned>(kind: u8, plaintext: &[u8]) -> Option<T> {
    let (&found, fields) = plaintext.split_first()?;
    if found != kind {
        return None;
    }
    let (value, rest) = postcard::take_from_bytes(fields).ok()?;
    rest.is_empty().then_some(value)
}
