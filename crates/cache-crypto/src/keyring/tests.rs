//! Known answers: what other members, of other builds, derive and seal.
//!
//! The expected values were computed from the documented derivation by other implementations
//! (Python's `hashlib` and OpenSSL's AES-GCM). If one of these tests fails, the change would
//! split every fleet: members of either side could not open what the other seals.

use cache_core::Key;

use crate::envelope::VERSION;

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
    let request = Bytes::from(request);
    let reply = hex::decode(
        "01008004fa7d5a89000102030405060708090a0b0c0d0e0f0000000000000008\
         1ed885e574a78150c439a500d0f33114fefda32800f150",
    )
    .unwrap();
    let keyring = keyring();
    assert_eq!(
        keyring.open(Purpose::Request, request.clone()).unwrap(),
        "GET /user"
    );
    assert_eq!(
        keyring
            .open(Purpose::Reply { to: &request }, reply.into())
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
    let header = Header::parse(&sealed).unwrap();
    let opens = |keys: &OpeningKeys| {
        let mut buffer = BytesMut::from(&sealed[..]);
        keys.open(purpose, &header, &mut buffer).is_ok()
    };
    assert!(opens(&keyring.current.store));
    assert!(!opens(&keyring.current.frames));
}

#[test]
fn nothing_shows_more_than_fingerprints() {
    let previous = Secret::parse(&"b2".repeat(32)).unwrap();
    let named = previous.fingerprint();
    let keyring = keyring();
    assert_eq!(keyring.to_string(), "8004fa7d5a89");
    assert_eq!(format!("{keyring:?}"), "Keyring(8004fa7d5a89)");
    let keyring = keyring.with_previous(&previous);
    assert_eq!(
        format!("{keyring:?}"),
        format!("Keyring(8004fa7d5a89, previous {named})")
    );
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

#[test]
fn what_is_sealed_under_the_previous_secret_opens_and_nothing_is_sealed_under_it() {
    let secrets = ["a1", "b2"].map(|byte| Secret::parse(&byte.repeat(32)).unwrap());
    let [old, new] = secrets.each_ref().map(|s| Keyring::new(s).unwrap());
    let both = Keyring::new(&secrets[1])
        .unwrap()
        .with_previous(&secrets[0]);
    let entry = Key::public(["GET", "/user"]);
    let asked = old.seal(Purpose::Request, b"question").unwrap();
    for purpose in [
        Purpose::Request,
        Purpose::Broadcast,
        Purpose::Reply { to: &asked },
        Purpose::AtRest(&entry),
    ] {
        for known in [&old, &new, &both] {
            let sealed = known.seal(purpose, b"octocat").unwrap();
            assert_eq!(both.open(purpose, sealed).unwrap(), "octocat");
        }
        let sealed = both.seal(purpose, b"octocat").unwrap();
        assert!(new.open(purpose, sealed.clone()).is_ok());
        let refused = old.open(purpose, sealed).unwrap_err();
        assert_eq!(refused, OpenError(Misconduct::OtherSecret));
    }
}

#[test]
fn a_previous_secret_changes_no_key_but_adds_its_membership() {
    let [old, new] = ["a1", "b2"].map(|byte| Secret::parse(&byte.repeat(32)).unwrap());
    let bytes = |key: &DerivedKey| *key.as_bytes();
    let before = Keyring::new(&new).unwrap();
    assert!(before.previous_membership().is_none());
    let both = Keyring::new(&new).unwrap().with_previous(&old);
    assert_eq!(both.fingerprint(), before.fingerprint());
    assert_eq!(bytes(both.membership()), bytes(before.membership()));
    assert_eq!(bytes(both.principals()), bytes(before.principals()));
    assert_eq!(bytes(both.digests()), bytes(before.digests()));
    assert_eq!(
        bytes(both.previous_membership().unwrap()),
        bytes(Keyring::new(&old).unwrap().membership())
    );
}

#[test]
fn the_current_secret_as_the_previous_one_changes_nothing() {
    let secret = Secret::parse(FLEET).unwrap();
    assert!(
        keyring()
            .with_previous(&secret)
            .previous_membership()
            .is_none()
    );
}

#[test]
fn what_does_not_open_is_judged_by_what_can_be_seen_of_it() {
    let ours = keyring();
    let other = Secret::parse(&"b2".repeat(32)).unwrap();
    let theirs = Keyring::new(&other).unwrap();
    let sealed = ours.seal(Purpose::Request, b"question").unwrap();
    let foreign = theirs.seal(Purpose::Request, b"question").unwrap();
    let with_byte = |at: usize, byte: u8| {
        let mut altered = sealed.to_vec();
        altered[at] = byte;
        altered
    };

    assert_eq!(judged(&ours, &foreign), Misconduct::OtherSecret);
    let both = keyring().with_previous(&other);
    assert_eq!(judged(&both, &foreign), Misconduct::Forged);
    assert_eq!(judged(&ours, &sealed), Misconduct::Forged);
    assert_eq!(judged(&ours, &with_byte(40, 0)), Misconduct::Forged);
    let newer = with_byte(0, VERSION + 1);
    assert_eq!(judged(&ours, &newer), Misconduct::OtherVersion);
    assert_eq!(judged(&ours, &with_byte(1, 7)), Misconduct::Malformed);
    let short = &sealed[..HEADER_LEN + TAG_LEN - 1];
    assert_eq!(judged(&ours, short), Misconduct::Malformed);
    assert_eq!(judged(&ours, &[]), Misconduct::Malformed);
    let endless = [&sealed[..], &vec![0; MAX_FRAME]].concat();
    assert_eq!(judged(&ours, &endless), Misconduct::Malformed);
}

/// What is made of something that does not open as a broadcast.
fn judged(keyring: &Keyring, unopened: &[u8]) -> Misconduct {
    let unopened = Bytes::copy_from_slice(unopened);
    keyring.open(Purpose::Broadcast, unopened).unwrap_err().0
}

#[test]
fn what_nobody_else_holds_is_opened_where_it_lies() {
    let keyring = keyring();
    let sealed = keyring.seal(Purpose::Broadcast, b"octocat").unwrap();
    let lay_at = sealed[HEADER_LEN..].as_ptr();
    let opened = keyring.open(Purpose::Broadcast, sealed).unwrap();
    assert_eq!(opened, "octocat");
    assert_eq!(opened.as_ptr(), lay_at);
}

#[test]
fn what_somebody_else_holds_stays_as_it_was() {
    let keyring = keyring();
    let sealed = keyring.seal(Purpose::Broadcast, b"octocat").unwrap();
    let before = sealed.to_vec();
    let opened = keyring.open(Purpose::Broadcast, sealed.clone()).unwrap();
    assert_eq!(opened, "octocat");
    assert_eq!(sealed, before);
}

#[test]
fn no_nonce_comes_twice_in_a_million_seals_whatever_is_sealed_by_whom() {
    const EACH: usize = 250_000;

    let entry = Key::public(["GET", "/user"]);
    let keyring = &keyring();
    let used = std::thread::scope(|threads| {
        let purposes = [
            Purpose::Request,
            Purpose::Broadcast,
            Purpose::Reply { to: b"request" },
            Purpose::AtRest(&entry),
        ];
        let sealing = purposes.map(|purpose| {
            threads.spawn(move || -> Vec<_> {
                let headers = (0..EACH).map(|_| {
                    let sealed = keyring.seal(purpose, b"").unwrap();
                    Header::parse(&sealed).unwrap()
                });
                headers
                    .map(|header| (header.salt, header.nonce()))
                    .collect()
            })
        });
        sealing.map(|thread| thread.join().unwrap()).concat()
    });

    let distinct: std::collections::HashSet<_> = used.iter().collect();
    assert_eq!(distinct.len(), 4 * EACH);
}

#[test]
fn what_was_never_sealed_does_not_pass_for_another_version() {
    let keyring = keyring();
    let json =
        br#"{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest"}"#;
    for text in [
        &json[..],
        b"GET / HTTP/1.1\r\nHost: runner-1.fleet.example.com:9100\r\n\r\n",
        &[0; 99],
    ] {
        assert_eq!(judged(&keyring, text), Misconduct::Malformed);
    }
    for len in 0..HEADER_LEN + TAG_LEN {
        assert_eq!(
            judged(&keyring, &vec![VERSION + 1; len]),
            Misconduct::Malformed
        );
    }
    let by_first_byte = (0..=u8::MAX).map(|first| {
        let mut noise = [0xa5; 200];
        noise[0] = first;
        judged(&keyring, &noise)
    });
    let spared = by_first_byte
        .filter(|judged| *judged != Misconduct::Malformed)
        .count();
    assert!(spared < 10, "{spared} of 256 are spared");
}
