//! What is kept from the cargo that we run.

use super::is_of_our_package;

#[test]
fn what_cargo_run_says_of_our_package_is_kept_back_and_the_users_settings_are_not() {
    assert!(is_of_our_package("CARGO_MANIFEST_DIR"));
    assert!(is_of_our_package("CARGO_PKG_VERSION"));
    assert!(!is_of_our_package("CARGO_TARGET_DIR"));
    assert!(!is_of_our_package("CARGO_HOME"));
}
