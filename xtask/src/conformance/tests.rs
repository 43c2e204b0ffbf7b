//! What is missing is named.

use super::missing;

#[test]
fn a_missing_client_is_named_by_the_package_that_brings_it() {
    assert!(missing(|_| true).is_empty());
    assert_eq!(missing(|program| program != "node"), ["nodejs"]);
    assert_eq!(
        missing(|program| !program.starts_with('n')),
        ["nodejs", "npm"]
    );
}
