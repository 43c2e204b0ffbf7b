//! Ids, hashes and dates that follow from a name, so that every run shows the same content.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat};
use ring::digest;

/// The first second of 2024, before which nothing was created.
const EPOCH: u64 = 1_704_067_200;

const DAY: u64 = 86_400;

/// A number for the thing called `name`: positive, and small enough for every client's integers.
pub(super) fn id(name: &str) -> u64 {
    let digest = sha1(name);
    digest
        .iter()
        .take(4)
        .fold(0, |id, &byte| (id << 8) | u64::from(byte))
        | 1
}

/// A commit's or tree's SHA-1, in hex.
pub(super) fn sha(name: &str) -> String {
    hex::encode(sha1(name))
}

/// The GraphQL node id of a thing, in the form that GitHub gave out until 2021 and still reads.
pub(super) fn node_id(kind: &str, id: u64) -> String {
    STANDARD.encode(format!("0{}:{kind}{id}", kind.len()))
}

/// When the thing called `name` was created, in seconds since 1970: some day in 2024.
pub(super) fn created_at(name: &str) -> u64 {
    EPOCH + id(name) % (300 * DAY)
}

/// When it was last changed, before anybody changed it at run time.
pub(super) fn updated_at(name: &str) -> u64 {
    created_at(name) + id(name) % (30 * DAY)
}

/// A moment as GitHub writes it: `2024-05-17T09:30:00Z`.
pub(super) fn timestamp(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn sha1(name: &str) -> [u8; 20] {
    let mut bytes = [0; 20];
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, name.as_bytes());
    bytes.copy_from_slice(digest.as_ref());
    bytes
}
