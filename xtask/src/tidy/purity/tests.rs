//! Fabricated dependency trees.

use super::check;

#[test]
fn a_tree_without_network_passes_and_tokio_is_not_network() {
    let tree = "0cache-core v0.1.0\n1tokio v1.48.0\n2mio v1.0.0\n1httpdate v1.0.3\n1bytes v1.11.0";
    assert_eq!(check(tree), []);
}

#[test]
fn a_forbidden_package_far_down_fails_and_shows_the_way_to_it() {
    let tree = "0cache-core v0.1.0\n1bytes v1.11.0\n1middle v1.0.0\n2libp2p-core v0.44.0 (*)";
    let [finding] = &check(tree)[..] else {
        panic!("one package is forbidden")
    };
    assert!(finding.what.contains("cache-core > middle > libp2p-core"));
}

#[test]
fn what_a_forbidden_package_brings_along_is_not_shown_again() {
    let tree = "0cache-core v0.1.0\n1hyper v1.7.0\n2http v1.3.1\n1ring v0.17.0";
    let whats: Vec<_> = check(tree).into_iter().map(|found| found.what).collect();
    let [hyper, ring] = &whats[..] else {
        panic!("two packages are to go: {whats:?}")
    };
    assert!(hyper.contains("reaches hyper"));
    assert!(ring.contains("reaches ring"));
}

#[test]
fn a_tree_that_cannot_be_read_does_not_pass() {
    assert_eq!(check("").len(), 1);
}
