//! A member gone bad: it has the fleet's secret, and seals whatever it likes.
//!
//! It is built from what cache-crypto documents, and not from cache-crypto, so that it can seal
//! what a keyring never would.

use cache_core::Key;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};

pub mod store;

/// The secret of the fleet that is attacked.
pub const SECRET: &str = "ghmesh_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

const PROCESS_SALT: [u8; 16] = [7; 16];
const BROADCAST: u8 = 1;
const AT_REST: u8 = 3;

/// Seals broadcasts, and what lies on disk, under [`SECRET`].
pub struct Forger {
    fingerprint: [u8; 6],
    frames: LessSafeKey,
    store: LessSafeKey,
}

impl Forger {
    /// Derives what a member derives.
    pub fn new() -> Self {
        let secret = Salt::new(HKDF_SHA256, b"ghmesh secret v1").extract(SECRET.as_bytes());
        let root = Prk::new_less_safe(HKDF_SHA256, &expand(&secret, b"ghmesh v1 root"));
        let fingerprint = expand(&root, b"ghmesh v1 fingerprint");
        Self {
            fingerprint: fingerprint[..6].try_into().unwrap(),
            frames: process_key(&root, b"ghmesh v1 frames"),
            store: process_key(&root, b"ghmesh v1 store"),
        }
    }

    /// An envelope around `body` that says it has the form `form`.
    pub fn broadcast(&self, form: u8, body: &[u8]) -> Vec<u8> {
        self.seal(&self.frames, form, &[BROADCAST], body)
    }

    /// The same of what lies on disk under `key`.
    pub fn at_rest(&self, key: &Key, form: u8, body: &[u8]) -> Vec<u8> {
        let bound = [&[AT_REST], &key.family.as_bytes()[..], key.scope.as_bytes()].concat();
        self.seal(&self.store, form, &bound, body)
    }

    /// Its nonce is always the same: nobody is there from whom something would have to be kept.
    fn seal(&self, key: &LessSafeKey, form: u8, purpose: &[u8], body: &[u8]) -> Vec<u8> {
        let mut header = vec![1, form];
        header.extend(self.fingerprint);
        header.extend(PROCESS_SALT);
        header.extend([0; 8]);
        let bound = [&header[..], purpose].concat();

        let mut sealed = body.to_vec();
        key.seal_in_place_append_tag(
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

/// The key of this process, out of the one that `label` names.
fn process_key(root: &Prk, label: &[u8]) -> LessSafeKey {
    let of_all = Prk::new_less_safe(HKDF_SHA256, &expand(root, label));
    let process = [b"ghmesh v1 process", &PROCESS_SALT[..]].concat();
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &expand(&of_all, &process)).unwrap())
}

fn expand(from: &Prk, info: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    from.expand(&[info], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .unwrap();
    key
}
