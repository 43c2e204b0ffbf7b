//! Which paths a pattern describes.

use super::*;

const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn a_star_is_one_segment_and_two_are_all_that_follow() {
    assert!(matches("/repos/*/*", "/repos/o/r"));
    assert!(matches("/repos/*/*", "/repos/o/r/"));
    assert!(!matches("/repos/*/*", "/repos/o"));
    assert!(!matches("/repos/*/*", "/repos/o/r/pulls"));
    assert!(matches("/repos/*/*/**", "/repos/o/r"));
    assert!(matches("/repos/*/*/**", "/repos/o/r/pulls/7"));
    assert!(matches("/**", "/"));
}

#[test]
fn a_hash_has_forty_digits() {
    let commit = "/repos/*/*/commits/{sha}";
    assert!(matches(commit, &format!("/repos/o/r/commits/{HASH}")));
    assert!(!matches(commit, "/repos/o/r/commits/0123456"));
    assert!(!matches(commit, &format!("/repos/o/r/commits/{HASH}0")));
    let compare = "/repos/*/*/compare/{sha}...{sha}";
    assert!(matches(
        compare,
        &format!("/repos/o/r/compare/{HASH}...{HASH}")
    ));
    assert!(!matches(
        compare,
        &format!("/repos/o/r/compare/main...{HASH}")
    ));
    assert!(!matches(compare, &format!("/repos/o/r/compare/{HASH}...ä")));
}

#[test]
fn what_is_no_pattern_is_refused() {
    for text in ["", "repos", "/a/**/b", "/a?b=c", "/a b"] {
        assert!(text.parse::<PathPattern>().is_err(), "{text:?}");
    }
    assert!("/repos/*/*/actions/**".parse::<PathPattern>().is_ok());
}
