//! AES-256-GCM against the vectors of NIST and of Project Wycheproof.

use std::collections::HashMap;

use ring::aead::{AES_256_GCM, UnboundKey};
use serde_json::Value;

use super::*;

/// One case: what is sealed, and whether it opens.
struct Vector {
    name: String,
    key: Vec<u8>,
    nonce: [u8; 12],
    associated_data: Vec<u8>,
    /// Without it the ciphertext must not open.
    plaintext: Option<Vec<u8>>,
    ciphertext_and_tag: Vec<u8>,
}

impl Vector {
    fn key(&self) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &self.key).unwrap())
    }

    fn seals(&self) {
        let Some(plaintext) = &self.plaintext else {
            return;
        };
        let mut buffer = plaintext.clone();
        let bound = &self.associated_data;
        seal_in_place(&self.key(), self.nonce, bound, &mut buffer, 0).unwrap();
        assert_eq!(buffer, self.ciphertext_and_tag, "{}", self.name);
    }

    fn opens(&self) {
        let bound = &self.associated_data;
        let mut buffer = self.ciphertext_and_tag.clone();
        let opened = open_in_place(&self.key(), self.nonce, bound, &mut buffer);
        assert_eq!(opened.is_ok(), self.plaintext.is_some(), "{}", self.name);
        if let Some(plaintext) = &self.plaintext {
            let opened = &buffer[..buffer.len() - TAG_LEN];
            assert_eq!(opened, plaintext, "{}", self.name);
        }
    }
}

/// The cases of a response file of NIST's: lines of `name = value`, and `FAIL` for a plaintext.
fn nist(file: &str) -> Vec<Vector> {
    let mut vectors = Vec::new();
    for case in file.split("Count = ").skip(1) {
        let fields: HashMap<&str, Vec<u8>> = case
            .lines()
            .filter_map(|line| line.split_once(" ="))
            .filter(|(name, _)| !name.starts_with('['))
            .map(|(name, digits)| (name, hex::decode(digits.trim()).unwrap()))
            .collect();
        let field = |name: &str| fields[name].clone();
        vectors.push(Vector {
            name: format!("count {}", case.lines().next().unwrap()),
            key: field("Key"),
            nonce: field("IV").try_into().unwrap(),
            associated_data: field("AAD"),
            plaintext: fields.get("PT").cloned(),
            ciphertext_and_tag: [field("CT"), field("Tag")].concat(),
        });
    }
    vectors
}

/// The cases with our lengths of key, nonce and tag.
fn wycheproof() -> Vec<Vector> {
    let file = include_str!("../../vectors/wycheproof/aes_gcm_test.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let groups = file["testGroups"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|group| {
            group["keySize"] == 256 && group["ivSize"] == 96 && group["tagSize"] == 128
        });
    let cases = groups.flat_map(|group| group["tests"].as_array().unwrap());
    let vectors = cases.map(|case| {
        let field = |name: &str| hex::decode(case[name].as_str().unwrap()).unwrap();
        Vector {
            name: format!("case {}: {}", case["tcId"], case["comment"]),
            key: field("key"),
            nonce: field("iv").try_into().unwrap(),
            associated_data: field("aad"),
            plaintext: (case["result"] == "valid").then(|| field("msg")),
            ciphertext_and_tag: [field("ct"), field("tag")].concat(),
        }
    });
    vectors.collect()
}

#[test]
fn sealing_gives_what_nist_has_published() {
    let vectors = nist(include_str!("../../vectors/nist/gcmEncryptExtIV256.rsp"));
    assert_eq!(vectors.len(), 375);
    for vector in &vectors {
        vector.seals();
        vector.opens();
    }
}

#[test]
fn opening_gives_what_nist_has_published_and_refuses_what_nist_has_spoilt() {
    let vectors = nist(include_str!("../../vectors/nist/gcmDecrypt256.rsp"));
    let spoilt = vectors.iter().filter(|vector| vector.plaintext.is_none());
    assert_eq!((vectors.len(), spoilt.count()), (375, 191));
    for vector in &vectors {
        vector.opens();
    }
}

#[test]
fn wycheproof_finds_nothing() {
    let vectors = wycheproof();
    let invalid = vectors.iter().filter(|vector| vector.plaintext.is_none());
    assert_eq!((vectors.len(), invalid.count()), (66, 27));
    for vector in &vectors {
        vector.seals();
        vector.opens();
    }
}
