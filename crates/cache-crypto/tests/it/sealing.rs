//! What a keyring seals opens where it should, and nowhere else.

use std::sync::LazyLock;

use cache_core::{
    Family, Key, MAX_FRAME, Misconduct, OpenError, Purpose, Scope, SealError, Sealer,
};
use cache_crypto::{Keyring, Secret};
use proptest::prelude::*;

/// Two members of one fleet.
static OURS: LazyLock<Keyring> = LazyLock::new(|| keyring("a1"));
static THEIRS: LazyLock<Keyring> = LazyLock::new(|| keyring("a1"));
static STRANGER: LazyLock<Keyring> = LazyLock::new(|| keyring("b2"));

fn keyring(byte: &str) -> Keyring {
    let secret = Secret::parse(&format!("ghmesh_{}", byte.repeat(32))).unwrap();
    Keyring::new(&secret).unwrap()
}

/// What names our secret and does not open.
const FORGED: OpenError = OpenError(Misconduct::Forged);

/// A purpose that owns what it refers to.
#[derive(Clone, Debug, PartialEq)]
enum For {
    Request,
    Broadcast,
    Reply(Vec<u8>),
    AtRest(Key),
}

impl For {
    fn purpose(&self) -> Purpose<'_> {
        match self {
            Self::Request => Purpose::Request,
            Self::Broadcast => Purpose::Broadcast,
            Self::Reply(to) => Purpose::Reply { to },
            Self::AtRest(key) => Purpose::AtRest(key),
        }
    }
}

fn any_purpose() -> impl Strategy<Value = For> {
    prop_oneof![
        Just(For::Request),
        Just(For::Broadcast),
        prop::collection::vec(any::<u8>(), 0..100).prop_map(For::Reply),
        any_key().prop_map(For::AtRest),
    ]
}

/// Often two of one family in different scopes, or the other way round.
fn any_key() -> impl Strategy<Value = Key> {
    ("[ab]?", 0..3_u8)
        .prop_map(|(path, scope)| Key::new(Family::of([path]), Scope::from_digest([scope; 16])))
}

/// Some that compress and some that do not.
fn any_plaintext() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..600),
        ("[a-z]{1,20}", 1_usize..200).prop_map(|(word, times)| word.repeat(times).into_bytes()),
    ]
}

fn every_purpose() -> [For; 4] {
    [
        For::Request,
        For::Broadcast,
        For::Reply(OURS.seal(Purpose::Request, b"question").unwrap().to_vec()),
        For::AtRest(Key::public(["GET", "/user"])),
    ]
}

proptest! {
    #[test]
    fn what_one_member_seals_another_opens(
        purpose in any_purpose(),
        plaintext in any_plaintext(),
    ) {
        let sealed = OURS.seal(purpose.purpose(), &plaintext).unwrap();
        prop_assert_eq!(&THEIRS.open(purpose.purpose(), sealed.clone()).unwrap(), &plaintext);
        prop_assert_eq!(&OURS.open(purpose.purpose(), sealed).unwrap(), &plaintext);
    }

    #[test]
    fn nothing_opens_for_another_purpose(
        sealed_for in any_purpose(),
        opened_for in any_purpose(),
        plaintext in any_plaintext(),
    ) {
        prop_assume!(sealed_for != opened_for);
        let sealed = OURS.seal(sealed_for.purpose(), &plaintext).unwrap();
        let refused = THEIRS.open(opened_for.purpose(), sealed);
        prop_assert_eq!(refused, Err(FORGED));
    }

    #[test]
    fn nothing_opens_under_another_secret(
        purpose in any_purpose(),
        plaintext in any_plaintext(),
    ) {
        let sealed = OURS.seal(purpose.purpose(), &plaintext).unwrap();
        let refused = STRANGER.open(purpose.purpose(), sealed);
        prop_assert_eq!(refused, Err(OpenError(Misconduct::OtherSecret)));
    }

    #[test]
    fn what_is_altered_or_cut_off_anywhere_does_not_open(
        purpose in any_purpose(),
        plaintext in any_plaintext(),
        place in any::<prop::sample::Index>(),
    ) {
        let sealed = OURS.seal(purpose.purpose(), &plaintext).unwrap();
        let bit = place.index(sealed.len() * 8);
        let mut flipped = sealed.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(THEIRS.open(purpose.purpose(), flipped.into()).is_err());
        let cut_off = sealed.slice(..place.index(sealed.len()));
        prop_assert!(THEIRS.open(purpose.purpose(), cut_off).is_err());
    }

    #[test]
    fn noise_does_not_open(purpose in any_purpose(), noise in any_plaintext()) {
        prop_assert!(OURS.open(purpose.purpose(), noise.into()).is_err());
    }
}

#[test]
fn no_single_bit_can_be_flipped() {
    // One that is sealed as it is, and one that is compressed.
    let plaintexts = [b"GET /repos/o/r".to_vec(), b"octocat,".repeat(100)];
    let cases = every_purpose().into_iter().zip(plaintexts.iter().cycle());
    for (purpose, plaintext) in cases {
        let sealed = OURS.seal(purpose.purpose(), plaintext).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let opened = THEIRS.open(purpose.purpose(), flipped.into());
            assert!(opened.is_err(), "bit {bit} of {purpose:?}");
        }
    }
}

#[test]
fn nothing_can_be_cut_off_or_added() {
    for purpose in every_purpose() {
        let sealed = OURS.seal(purpose.purpose(), b"GET /repos/o/r").unwrap();
        for len in 0..sealed.len() {
            let opened = THEIRS.open(purpose.purpose(), sealed.slice(..len));
            assert!(opened.is_err(), "{len} bytes of {purpose:?}");
        }
        let longer = [&sealed[..], &[0]].concat();
        let opened = THEIRS.open(purpose.purpose(), longer.into());
        assert_eq!(opened, Err(FORGED));
    }
}

#[test]
fn a_reply_opens_for_no_other_request_of_the_same_content() {
    let asked = OURS.seal(Purpose::Request, b"GET /user").unwrap();
    let again = OURS.seal(Purpose::Request, b"GET /user").unwrap();
    let reply = THEIRS
        .seal(Purpose::Reply { to: &asked }, b"octocat")
        .unwrap();
    assert!(
        OURS.open(Purpose::Reply { to: &asked }, reply.clone())
            .is_ok()
    );
    assert!(OURS.open(Purpose::Reply { to: &again }, reply).is_err());
}

#[test]
fn the_same_plaintext_never_looks_the_same() {
    let seal = |keyring: &Keyring| keyring.seal(Purpose::Broadcast, b"same").unwrap();
    let envelopes = [seal(&OURS), seal(&OURS), seal(&THEIRS)];
    let ciphertexts = envelopes.each_ref().map(|envelope| &envelope[32..]);
    assert_ne!(ciphertexts[0], ciphertexts[1]);
    assert_ne!(ciphertexts[0], ciphertexts[2]);
    assert_ne!(ciphertexts[1], ciphertexts[2]);
}

#[test]
fn the_longest_plaintext_fits_in_a_frame_and_the_next_is_refused() {
    // 48 bytes around it: header and tag.
    let longest = vec![0; MAX_FRAME - 48];
    let sealed = OURS.seal(Purpose::Broadcast, &longest).unwrap();
    assert!(sealed.len() <= MAX_FRAME);
    assert_eq!(THEIRS.open(Purpose::Broadcast, sealed).unwrap(), longest);

    let too_long = vec![0; MAX_FRAME - 47];
    assert_eq!(
        OURS.seal(Purpose::Broadcast, &too_long),
        Err(SealError::TooLarge(too_long.len()))
    );
}

#[test]
fn an_error_of_opening_tells_no_reason() {
    let refused = STRANGER
        .open(Purpose::Request, "GET /user".into())
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the frame does not open under this fleet's key"
    );
}
