//! That sums tell whether two members know the same, and where not.

use proptest::prelude::*;

use super::*;
use crate::entry::Entry;
use crate::sums::Sums;
use crate::{Lifetime, Path, PeerId, Target};

fn known(name: u8, at: u64, value: &'static str) -> Known {
    let lifetime = Lifetime::fresh_for(Duration::from_secs(1));
    let at = MeshTime::from_millis(at);
    let entry = Entry::new(at, PeerId::LOCAL, Path::root(), value.into(), lifetime);
    entry.known(Key::public([[name]]))
}

fn tombstone(path: &str) -> Tombstone {
    Tombstone {
        target: Target::Path(Path::new(path)),
        stamp: MeshTime::from_millis(1),
        kept_for: Duration::from_secs(100),
        origin: PeerId::LOCAL,
    }
}

fn summary(
    known: impl IntoIterator<Item = Known>,
    tombstones: impl IntoIterator<Item = Tombstone>,
) -> Summary {
    let sums = [BUCKETS, TOMBSTONE_BUCKETS].map(Sums::new);
    let far = MeshTime::from_millis(1_000_000);
    known.into_iter().for_each(|it| sums[0].add(it.item(far)));
    tombstones.into_iter().for_each(|it| sums[1].add(it.item()));
    let [buckets, tombstones] = sums.map(|sums| sums.beyond(Span::default()));
    Summary {
        buckets,
        tombstones,
    }
}

#[test]
fn any_difference_shows_and_shows_where() {
    let ours = summary([known(1, 1, "a"), known(2, 1, "a")], []);
    for theirs in [known(2, 2, "a"), known(2, 1, "b")] {
        let summary = summary([known(1, 1, "a"), theirs], []);
        assert_ne!(ours.root(), summary.root());
        assert_eq!(ours.buckets_that_differ(&summary), [theirs.bucket()]);
        assert!(ours.tombstones_that_differ(&summary).is_empty());
    }
    let buried = summary([known(1, 1, "a"), known(2, 1, "a")], [tombstone("/a")]);
    assert_ne!(ours.root(), buried.root());
    assert!(ours.buckets_that_differ(&buried).is_empty());
    assert_eq!(
        ours.tombstones_that_differ(&buried),
        [tombstone("/a").bucket()]
    );
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
    let ours = summary([known(1, 1, "a")], []);
    for buckets in [0, 1, 1000] {
        let theirs = Summary {
            buckets: vec![7; buckets],
            tombstones: Vec::new(),
        };
        let differing = ours.buckets_that_differ(&theirs).len();
        assert_eq!(differing, buckets.min(BUCKETS));
    }
}

#[test]
fn what_was_served_more_often_is_hotter_and_the_same_version() {
    let lifetime = Lifetime::fresh_for(Duration::from_secs(1));
    let at = MeshTime::from_millis(1);
    let entry = Entry::new(at, PeerId::LOCAL, Path::root(), "a".into(), lifetime);
    let mut known = vec![entry.known(Key::public(["a"]))];
    for served in [1, 3, 100] {
        (0..served).for_each(|_| entry.serve());
        known.push(entry.known(Key::public(["a"])));
    }
    assert!(known.is_sorted_by(|a, b| a.heat < b.heat), "{known:?}");
    let fingerprints = known.iter().map(Known::fingerprint);
    assert!(fingerprints.eq(vec![known[0].fingerprint(); 4]));
}

proptest! {
    #[test]
    fn the_order_does_not_matter(names in proptest::collection::btree_set(any::<u8>(), 0..40)) {
        let known = |name: &u8| known(*name, 1, "a");
        let forwards = summary(names.iter().map(known), [tombstone("/a"), tombstone("/b")]);
        let backwards = summary(names.iter().rev().map(known), [tombstone("/b"), tombstone("/a")]);
        prop_assert_eq!(forwards.root(), backwards.root());
        prop_assert!(forwards.buckets_that_differ(&backwards).is_empty());
    }
}
