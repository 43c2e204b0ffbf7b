//! HKDF-SHA-256 against the vectors of Project Wycheproof.

use serde_json::Value;

use super::*;

#[test]
fn wycheproof_finds_nothing() {
    let file = include_str!("../../vectors/wycheproof/hkdf_sha256_test.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let groups = file["testGroups"].as_array().unwrap();
    let mut compared = 0;
    for case in groups
        .iter()
        .flat_map(|group| group["tests"].as_array().unwrap())
    {
        // What is invalid is longer than HKDF can give; we ask for 32 bytes always.
        if case["result"] != "valid" {
            continue;
        }
        let field = |name: &str| hex::decode(case[name].as_str().unwrap()).unwrap();
        let prk = Salt::new(HKDF_SHA256, &field("salt")).extract(&field("ikm"));
        let key = expand_bytes(&prk, &[&field("info")]);
        // HKDF's output does not depend on how much of it is taken.
        let published = field("okm");
        let len = published.len().min(32);
        assert_eq!(
            key.as_bytes()[..len],
            published[..len],
            "case {}",
            case["tcId"]
        );
        compared += 1;
    }
    assert_eq!(compared, 83);
}
