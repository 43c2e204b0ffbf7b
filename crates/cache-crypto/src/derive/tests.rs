//! Published vectors of HKDF and PBKDF2, and what our own derivation must keep giving.

use super::*;

fn unhex(digits: &str) -> Vec<u8> {
    hex::decode(digits).unwrap()
}

/// The first 32 bytes: HKDF's output does not depend on how much of it is taken.
fn hkdf(salt: &str, material: &str, info: &str) -> String {
    let prk = Salt::new(HKDF_SHA256, &unhex(salt)).extract(&unhex(material));
    hex::encode(expand_bytes(&prk, &[&unhex(info)]).as_bytes())
}

#[test]
fn hkdf_gives_the_vectors_of_rfc_5869() {
    // Appendix A.1, A.2 and A.3.
    assert_eq!(
        hkdf(
            "000102030405060708090a0b0c",
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "f0f1f2f3f4f5f6f7f8f9",
        ),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
    );
    let bytes = |range: std::ops::RangeInclusive<u8>| hex::encode(range.collect::<Vec<_>>());
    assert_eq!(
        hkdf(
            &bytes(0x60..=0xaf),
            &bytes(0x00..=0x4f),
            &bytes(0xb0..=0xff)
        ),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
    );
    assert_eq!(
        hkdf("", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", ""),
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    );
}

#[test]
fn stretching_gives_the_vectors_of_rfc_7914() {
    // Section 11, the first block of each.
    let stretched = |passphrase: &str, salt: &str, iterations| {
        let iterations = NonZeroU32::new(iterations).unwrap();
        let key = stretch(passphrase.as_bytes(), salt.as_bytes(), iterations);
        hex::encode(key.as_bytes())
    };
    assert_eq!(
        stretched("passwd", "salt", 1),
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
    );
    assert_eq!(
        stretched("Password", "NaCl", 80_000),
        "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
    );
}

#[test]
fn every_label_gives_another_key() {
    let root = root(b"material");
    let keys = [
        Label::Root,
        Label::Fingerprint,
        Label::Membership,
        Label::Frames,
        Label::Store,
        Label::Principals,
        Label::Digests,
        Label::Process,
    ]
    .map(|label| *expand(&root, label).as_bytes());
    for (i, key) in keys.iter().enumerate() {
        assert!(!keys[..i].contains(key), "label {i}");
    }
}

#[test]
fn debug_shows_nothing_of_a_key() {
    assert_eq!(format!("{:?}", root(b"material")), "DerivedKey(..)");
}
