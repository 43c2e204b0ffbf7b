//! What a test may count on.

use super::TestSealer;
use crate::key::Key;
use crate::sealer::{Purpose, Sealer};

#[test]
fn what_was_sealed_opens_again_for_the_same_purpose_and_seed_alone() {
    let ours = TestSealer::from_seed(1);
    let (a, b) = (Key::public(["a"]), Key::public(["b"]));
    let sealed = ours.seal(Purpose::AtRest(&a), b"text").unwrap();

    assert_eq!(
        ours.open(Purpose::AtRest(&a), sealed.clone()).unwrap(),
        b"text".as_slice()
    );
    assert!(ours.open(Purpose::AtRest(&b), sealed.clone()).is_err());
    assert!(ours.open(Purpose::Broadcast, sealed.clone()).is_err());
    let theirs = TestSealer::from_seed(2);
    assert!(theirs.open(Purpose::AtRest(&a), sealed).is_err());
}

#[test]
fn the_text_does_not_show_and_no_bit_of_it_can_be_altered() {
    let sealer = TestSealer::from_seed(1);
    let sealed = sealer.seal(Purpose::Request, b"a text that shows").unwrap();
    assert!(!sealed.windows(4).any(|window| window == b"text"));
    for bit in 0..sealed.len() * 8 {
        let mut altered = sealed.to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(
            sealer.open(Purpose::Request, altered.into()).is_err(),
            "bit {bit}"
        );
    }
}
