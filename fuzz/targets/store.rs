//! Somebody has been at the store on disk: the file was damaged, a thief has altered rows or put
//! one in the place of another, a member gone bad has sealed what is no entry. Nothing breaks, and
//! no key has a body that was not put under it.
//!
//! The input is a list of blows; see [`Blow::take`].
#![no_main]

use std::sync::LazyLock;

use fuzz::store::{Blow, Workshop, let_redb_panic};
use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;

/// More of them would be slower, and spoil no more.
const MAX_BLOWS: usize = 8;

static WORKSHOP: LazyLock<Workshop> = LazyLock::new(Workshop::new);

fuzz_target!(init: let_redb_panic(), |input: &[u8]| {
    let mut input = Unstructured::new(input);
    let mut blows = Vec::new();
    while blows.len() < MAX_BLOWS && !input.is_empty() {
        match Blow::take(&mut input) {
            Ok(blow) => blows.push(blow),
            Err(_) => break,
        }
    }
    WORKSHOP.survive(&blows);
});
