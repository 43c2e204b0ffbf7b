//! A stranger sends whatever it likes: nothing of it may open, nor break anything.
//!
//! The first byte chooses the purpose that the rest is opened for, and whether the rest is taken as
//! it is or is what is added to a genuine envelope, byte by byte: so the fuzzer gets past the
//! header, and zeros alone leave it genuine.
#![no_main]

use std::sync::LazyLock;

use cache_core::{Key, Misconduct, OpenError, Purpose, Sealer};
use cache_crypto::{Keyring, Secret};
use fuzz::{Forger, SECRET};
use libfuzzer_sys::fuzz_target;

static KEYRING: LazyLock<Keyring> = LazyLock::new(|| {
    let previous = Secret::parse(&"b2".repeat(32)).unwrap();
    let keyring = Keyring::new(&Secret::parse(SECRET).unwrap()).unwrap();
    keyring.with_previous(&previous)
});

const BODY: &[u8] = b"GET /repos/octo-org/octo-repo";

static GENUINE: LazyLock<Vec<u8>> = LazyLock::new(|| Forger::new().broadcast(0, BODY));

fuzz_target!(|input: &[u8]| {
    let Some((&choice, rest)) = input.split_first() else {
        return;
    };
    let key = Key::public(["GET", "/user"]);
    let purpose = match choice & 3 {
        0 => Purpose::Request,
        1 => Purpose::Broadcast,
        2 => Purpose::Reply { to: rest },
        _ => Purpose::AtRest(&key),
    };
    let sealed = if choice & 4 == 0 {
        rest.to_vec()
    } else {
        altered(rest, choice & 8 != 0)
    };

    let genuine = sealed == *GENUINE && purpose == Purpose::Broadcast;
    let short = sealed.len() < GENUINE.len() - BODY.len();
    match KEYRING.open(purpose, sealed.into()) {
        Ok(_) => assert!(genuine),
        Err(OpenError(judged)) => {
            assert!(!genuine);
            assert!(!short || judged != Misconduct::Forged);
        }
    }
});

/// The genuine envelope with `difference` added, and as long as that where it is to be cut off or
/// that is longer.
fn altered(difference: &[u8], cut_off: bool) -> Vec<u8> {
    let mut sealed = GENUINE.clone();
    if cut_off || difference.len() > sealed.len() {
        sealed.resize(difference.len(), 0);
    }
    for (byte, difference) in sealed.iter_mut().zip(difference) {
        *byte = byte.wrapping_add(*difference);
    }
    sealed
}
