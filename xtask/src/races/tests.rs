//! What counts as a test.

use super::count;

#[test]
fn a_filter_that_matches_nothing_is_told_from_one_that_does() {
    assert_eq!(count("\n0 tests, 0 benchmarks\n"), 0);
    let listed =
        "flight::races::one: test\nlookup::races::another: test\n\n2 tests, 0 benchmarks\n";
    assert_eq!(count(listed), 2);
}
