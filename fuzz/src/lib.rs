//! A member gone bad: it has the fleet's secret, and seals whatever it likes.
//!
//! It is built from what cache-crypto documents, and not from cache-crypto, so that it can seal
//! what a keyring never would.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};

/// The secret of the fleet that is attacked.
pub const SECRET: &str = "ghmesh_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

const PROCESS_SALT: [u8; 16] = [7; 16];
const BROADCAST: u8 = 1;

/// Seals broadcasts under [`SECRET`].
pub struct Forger {
    fingerprint: [u8; 6],
    key: LessSafeKey,
}

impl Forger {
    /// Derives what a member derives.
    pub fn new() -> Self {
        let secret = Salt::new(HKDF_SHA256, b"ghmesh secret v1").extract(SECRET.as_bytes());
        let root = Prk::new_less_safe(HKDF_SHA256, &expand(&secret, b"ghmesh v1 root"));
        let frames = Prk::new_less_safe(HKDF_SHA256, &expand(&root, b"ghmesh v1 frames"));
        let process = [b"ghmesh v1 process", &PROCESS_SALT[..]].concat();
        let key = UnboundKey::new(&AES_256_GCM, &expand(&frames, &process)).unwrap();
        let fingerprint = expand(&root, b"ghmesh v1 fingerprint");
        Self {
            fingerprint: fingerprint[..6].try_into().unwrap(),
            key: LessSafeKey::new(key),
        }
    }

    /// An envelope around `body` that says it has the form `form`. Its nonce is always the same:
    /// nobody is there from whom something would have to be kept.
    pub fn broadcast(&self, form: u8, body: &[u8]) -> Vec<u8> {
        let mut header = vec![1, form];
        header.extend(self.fingerprint);
        header.extend(PROCESS_SALT);
        header.extend([0; 8]);
        let bound = [&header[..], &[BROADCAST]].concat();

        let mut sealed = body.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key([0; 12]),
                Aad::from(bound),
                &mut sealed,
            )
            .unwrap();
        [header, sealed].concat()
    }
}

impl Default for Forger {
    fn default() -> Self {
        Self::new()
    }
}

fn expand(from: &Prk, info: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    from.expand(&[info], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .unwrap();
    key
}
