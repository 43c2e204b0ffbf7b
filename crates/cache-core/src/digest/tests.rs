//! That sums tell whether two members know the same, and where not.

use proptest::prelude::*;

use super::*;
use crate::entry::Entry;
use crate::{Lifetime, Path, PeerId, Target};

fn known(name: u8, at: u64, value: &'static str) -> Known {
    let lifetime = Lifetime::fresh_for(std::time::Duration::from_secs(1));
    let at = MeshTime::from_millis(at);
    let entry = Entry::new(at, PeerId::LOCAL, Path::root(), value.into(), lifetime);
    Known::of(Key::public([[name]]), Version::of(&entry), true)
}

fn tombstone(path: &str) -> Tombstone {
    Tombstone {
        target: Target::Path(Path::new(path)),
        stamp: MeshTime::from_millis(1),
        kept_for: std::time::Duration::from_secs(1),
        origin: PeerId::LOCAL,
    }
}

#[test]
fn any_difference_shows_and_shows_where() {
    let ours = Summary::of([known(1, 1, "a"), known(2, 1, "a")], []);
    for theirs in [known(2, 2, "a"), known(2, 1, "b")] {
        let summary = Summary::of([known(1, 1, "a"), theirs], []);
        assert_ne!(ours.root(), summary.root());
        assert_eq!(ours.buckets_that_differ(&summary), [theirs.bucket()]);
        assert!(!ours.tombstones_differ(&summary));
    }
    let buried = Summary::of([known(1, 1, "a"), known(2, 1, "a")], [tombstone("/a")]);
    assert_ne!(ours.root(), buried.root());
    assert!(ours.buckets_that_differ(&buried).is_empty());
    assert!(ours.tombstones_differ(&buried));
}

#[test]
fn a_newer_version_is_told_from_an_older_one_and_from_itself() {
    assert!(known(1, 2, "a").is_newer_than(&known(1, 1, "b")));
    assert!(!known(1, 1, "b").is_newer_than(&known(1, 2, "a")));
    assert!(!known(1, 1, "a").is_newer_than(&known(1, 1, "a")));
    let (a, b) = (known(1, 1, "a"), known(1, 1, "b"));
    assert_ne!(a.is_newer_than(&b), b.is_newer_than(&a));
}

#[test]
fn sums_of_the_wrong_number_are_compared_as_far_as_they_go() {
    let ours = Summary::of([known(1, 1, "a")], []);
    for buckets in [0, 1, 1000] {
        let theirs = Summary {
            buckets: vec![7; buckets],
            tombstones: 0,
        };
        assert_eq!(
            ours.buckets_that_differ(&theirs).len(),
            buckets.min(BUCKETS)
        );
    }
}

proptest! {
    #[test]
    fn the_order_does_not_matter(names in proptest::collection::btree_set(any::<u8>(), 0..40)) {
        let known = |name: &u8| known(*name, 1, "a");
        let forwards = Summary::of(names.iter().map(known), [tombstone("/a"), tombstone("/b")]);
        let backwards = Summary::of(names.iter().rev().map(known), [tombstone("/b"), tombstone("/a")]);
        prop_assert_eq!(forwards.root(), backwards.root());
        prop_assert!(forwards.buckets_that_differ(&backwards).is_empty());
    }
}
