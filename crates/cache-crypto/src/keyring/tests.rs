//! Known answers: what other members, of other builds, derive and seal.
//!
//! The expected values were computed from the documented derivation by other implementations
//! (Python's `hashlib` and OpenSSL's AES-GCM). If one of these tests fails, the change would
//! split every fleet: members of either side could not open what the other seals.

use cache_core::Key;

use super::*;

const FLEET: &str = "ghmesh_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn keyring() -> Keyring {
    Keyring::new(&Secret::parse(FLEET).unwrap()).unwrap()
}

#[test]
fn a_random_secret_derives_the_known_keys() {
    let keyring = keyring();
    assert_eq!(keyring.fingerprint().to_string(), "8004fa7d5a89");
    assert_eq!(
        hex::encode(keyring.membership().as_bytes()),
        "f95448f0f7dd533dd655987f6c17e20abf6819ad0e1df187b6ec40c819199f30"
    );
    assert_eq!(
        hex::encode(keyring.principals().as_bytes()),
        "3e0cc1e357557e983b599e4c0db3df1f6de0343c220d6b6d2ad10210e60596db"
    );
    assert_eq!(
        hex::encode(keyring.digests().as_bytes()),
        "b05db11d6e00815a8b8ca249f5048a62f9b6ccbeecc77dd26d0d52754f2aba03"
    );
}

#[test]
fn a_passphrase_derives_the_known_key() {
    let secret = Secret::parse("correct horse battery staple").unwrap();
    assert_eq!(
        hex::encode(Keyring::new(&secret).unwrap().membership().as_bytes()),
        "d0e4a9d3eeb53c970a40301b07f1a32eec4e6c717aa768dcf8ec86c76556d39f"
    );
}

#[test]
fn a_known_request_and_its_reply_open() {
    let request = hex::decode(
        "01008004fa7d5a89000102030405060708090a0b0c0d0e0f0000000000000007\
         ba257258b2923a58dc79bb075c08278dd067d1e480f6f9faec",
    )
    .unwrap();
    let reply = hex::decode(
        "01008004fa7d5a89000102030405060708090a0b0c0d0e0f0000000000000008\
         1ed885e574a78150c439a500d0f33114fefda32800f150",
    )
    .unwrap();
    let keyring = keyring();
    assert_eq!(
        keyring.open(Purpose::Request, &request).unwrap(),
        "GET /user"
    );
    assert_eq!(
        keyring
            .open(Purpose::Reply { to: &request }, &reply)
            .unwrap(),
        "octocat"
    );
}

#[test]
fn entries_at_rest_have_a_key_that_no_frame_has() {
    let keyring = keyring();
    let entry = Key::public(["GET", "/user"]);
    let purpose = Purpose::AtRest(&entry);
    let sealed = keyring.seal(purpose, b"octocat").unwrap();
    let (header, rest) = Header::parse(&sealed).unwrap();
    let keys = &keyring.current;
    assert!(keys.store.open(purpose, &header, rest).is_ok());
    assert!(keys.frames.open(purpose, &header, rest).is_err());
}

#[test]
fn nothing_shows_more_than_fingerprints() {
    let keyring = keyring();
    assert_eq!(keyring.to_string(), "8004fa7d5a89");
    assert_eq!(format!("{keyring:?}"), "Keyring(8004fa7d5a89)");
}

#[test]
fn what_holds_keys_wipes_them_when_it_is_dropped() {
    fn wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}

    // What does not wipe itself does not compile here. The rest of a keyring is ring's.
    let keyring = keyring();
    wiped(&keyring.current.membership);
    wiped(&keyring.current.principals);
    wiped(&keyring.current.digests);
    wiped(keyring.current.frames.source());
    wiped(keyring.current.store.source());
    let secret = Secret::generate().unwrap();
    wiped(secret.root());
}
