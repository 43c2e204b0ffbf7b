//! A member gone bad seals what is no plaintext: compressed bytes that break off, lie about their
//! length, or expand without end. What comes of it is bounded, and is nothing or a plaintext.
//!
//! The first byte is the form that the envelope names, the rest what is sealed in it.
#![no_main]

use std::sync::LazyLock;

use cache_core::{MAX_FRAME, Purpose, Sealer};
use cache_crypto::{Keyring, Secret};
use fuzz::{Forger, SECRET};
use libfuzzer_sys::fuzz_target;

/// What is longer is not sealed again, which would take the time of many inputs.
const SHORT: usize = 16 << 10;

/// A plaintext fits in a frame beside the envelope's header and tag.
const LONGEST: usize = MAX_FRAME - 32 - 16;

static KEYRING: LazyLock<Keyring> =
    LazyLock::new(|| Keyring::new(&Secret::parse(SECRET).unwrap()).unwrap());

static FORGER: LazyLock<Forger> = LazyLock::new(Forger::new);

fuzz_target!(|input: &[u8]| {
    let Some((&form, body)) = input.split_first() else {
        return;
    };
    let sealed = FORGER.broadcast(form, body);
    match (form, KEYRING.open(Purpose::Broadcast, sealed.into())) {
        (0, opened) => assert_eq!(opened.unwrap(), body),
        (1, Ok(plaintext)) if plaintext.len() > SHORT => assert!(plaintext.len() <= LONGEST),
        (1, Ok(plaintext)) => {
            // What has been opened can be sealed again, and is the same then.
            let again = KEYRING.seal(Purpose::Broadcast, &plaintext).unwrap();
            assert_eq!(KEYRING.open(Purpose::Broadcast, again).unwrap(), plaintext);
        }
        (1, Err(_)) => {}
        (_, opened) => assert!(opened.is_err()),
    }
});
