//! What is said of the checks, and what is not.

use super::*;

#[test]
fn colours_are_shown_where_they_are_wanted_alone() {
    let checks = [
        Check::pass("secret", "there is one"),
        Check::fail("bootstrap", "nobody is there", "start somebody"),
    ];
    let plain = "pass  secret     there is one\n\
                 fail  bootstrap  nobody is there\n                 → start somebody";
    assert_eq!(in_lines(&checks, false), plain);
    assert!(in_lines(&checks, true).starts_with("\x1b[32mpass\x1b[0m  secret"));
}

#[test]
fn what_looks_like_a_secret_is_in_no_check() {
    let secret = cache_crypto::Secret::generate().unwrap();
    let check = Check::fail("token", secret.expose(), secret.expose());
    let json = serde_json::to_string(&check).unwrap();
    assert!(!json.contains(secret.expose()), "{json}");
    assert!(!in_lines(&[check], false).contains(secret.expose()));
}
