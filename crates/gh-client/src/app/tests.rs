//! What an App's key is read from, and what it signs.

use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::*;

const PKCS8: &str = include_str!("another.pem");
const ELLIPTIC: &str = include_str!("elliptic.pem");

#[test]
fn a_key_is_read_in_both_forms_of_rsa_and_in_no_other() {
    assert!(AppKey::new(17, crate::testing::App::KEY).is_ok());
    assert!(AppKey::new("Iv1.app", PKCS8).is_ok());
    let refused = |pem| AppKey::new(17, pem).unwrap_err();
    assert_eq!(refused(ELLIPTIC), InvalidAppKey::NotRsa);
    assert_eq!(refused("ghp_octocat"), InvalidAppKey::NoKey);
    assert_eq!(refused(""), InvalidAppKey::NoKey);
    let half = &PKCS8[..PKCS8.len() / 2];
    assert_eq!(refused(half), InvalidAppKey::NoKey);
}

#[test]
fn what_is_signed_says_who_and_when_and_is_good_for_less_than_ten_minutes() {
    let key = AppKey::new("Iv1.app", PKCS8).unwrap();
    let token = key.sign(MeshTime::from_millis(1_700_000_000_999)).unwrap();
    let (said, signature) = token.expose().rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.key.public_key().as_ref())
        .verify(said.as_bytes(), &signature)
        .unwrap();
    let part = |n| {
        let part = URL_SAFE_NO_PAD.decode(said.split('.').nth(n).unwrap());
        serde_json::from_slice::<serde_json::Value>(&part.unwrap()).unwrap()
    };
    assert_eq!(part(0), serde_json::json!({ "alg": "RS256", "typ": "JWT" }));
    assert_eq!(
        part(1),
        serde_json::json!({ "iss": "Iv1.app", "iat": 1_699_999_940, "exp": 1_700_000_540 })
    );
}

#[test]
fn a_key_cannot_be_seen() {
    let key = AppKey::new("Iv1.app", PKCS8).unwrap();
    assert_eq!(format!("{key:?}"), r#"AppKey { id: "Iv1.app", .. }"#);
}
