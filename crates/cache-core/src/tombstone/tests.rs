//! What is void, and for how long that is remembered.

use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> MeshTime {
    MeshTime::from_millis(millis)
}

fn tombstone(target: Target, stamp: u64) -> Tombstone {
    Tombstone {
        target,
        stamp: at(stamp),
        kept_for: Duration::from_millis(100),
        origin: PeerId::LOCAL,
    }
}

fn under(path: &str) -> Target {
    Target::Path(Path::new(path))
}

fn key(name: u8) -> Key {
    Key::public([[name]])
}

#[test]
fn it_covers_what_is_at_its_path_and_below_up_to_its_moment() {
    let tombstones = Tombstones::new(10, usize::MAX);
    assert!(tombstones.insert(tombstone(under("/repos/o/r"), 5)));
    let covers = |path: &str, stamp| tombstones.cover(&key(1), &Path::new(path), at(stamp));
    assert!(covers("/repos/o/r", 5));
    assert!(covers("/repos/o/r/pulls/1", 1));
    assert!(!covers("/repos/o/r", 6));
    assert!(!covers("/repos/o", 5));
    assert!(!covers("/repos/o/r2", 5));
}

#[test]
fn a_key_is_covered_alone_and_the_root_covers_all() {
    let tombstones = Tombstones::new(10, usize::MAX);
    let path = Path::new("/a");
    tombstones.insert(tombstone(Target::Key(key(1)), 5));
    assert!(tombstones.cover(&key(1), &path, at(5)));
    assert!(!tombstones.cover(&key(2), &path, at(5)));
    tombstones.insert(tombstone(under("/"), 4));
    assert!(tombstones.cover(&key(2), &path, at(4)));
    assert_eq!(tombstones.until(&key(1), &path), Some(at(5)));
    assert_eq!(tombstones.until(&key(2), &path), Some(at(4)));
}

#[test]
fn only_a_later_one_is_news() {
    let tombstones = Tombstones::new(10, usize::MAX);
    assert!(tombstones.insert(tombstone(under("/a"), 5)));
    assert!(!tombstones.insert(tombstone(under("/a"), 5)));
    assert!(!tombstones.insert(tombstone(under("/a"), 4)));
    assert!(tombstones.insert(tombstone(under("/a"), 6)));
    assert_eq!(tombstones.snapshot(), [tombstone(under("/a"), 6)]);
}

#[test]
fn one_that_nothing_can_meet_any_more_is_forgotten() {
    let tombstones = Tombstones::new(10, usize::MAX);
    tombstones.insert(tombstone(under("/a"), 5));
    tombstones.insert(tombstone(Target::Key(key(1)), 50));
    tombstones.sweep(at(105));
    let kept = tombstones.snapshot();
    assert_eq!(kept, [tombstone(Target::Key(key(1)), 50)]);
    assert!(!tombstones.cover(&key(2), &Path::new("/a"), at(5)));
}

#[test]
fn at_the_bound_everything_as_old_as_the_oldest_is_void() {
    let tombstones = Tombstones::new(2, usize::MAX);
    for (path, stamp) in [("/a", 10), ("/b", 30), ("/c", 20)] {
        tombstones.insert(tombstone(under(path), stamp));
    }
    assert_eq!(tombstones.snapshot().len(), 2);
    let covers = |path: &str, stamp| tombstones.cover(&key(1), &Path::new(path), at(stamp));
    assert!(covers("/elsewhere", 10));
    assert!(!covers("/elsewhere", 11));
    assert!(covers("/b", 30) && covers("/c", 20));
    assert!(
        !tombstones.insert(tombstone(under("/a"), 10)),
        "no news below the floor"
    );
}

#[test]
fn long_paths_run_into_the_bound_on_bytes() {
    let tombstones = Tombstones::new(1000, 100_000);
    for n in 0..200 {
        let path = format!("/{n}/{}", "x".repeat(900));
        tombstones.insert(tombstone(under(&path), n));
    }
    let kept = tombstones.snapshot();
    assert!((30..60).contains(&kept.len()), "{}", kept.len());
    assert!(tombstones.cover(&key(1), &Path::new("/elsewhere"), at(100)));
    tombstones.sweep(at(1000));
    assert_eq!(tombstones.read().bytes, 0);
}

proptest! {
    /// Whatever the order and the bound: what one of the tombstones covers is covered.
    #[test]
    fn no_invalidation_is_ever_lost(
        max in 1_usize..6,
        buried in proptest::collection::vec(("(/[ab]){0,3}", 0_u64..20), 0..20),
        asked in ("(/[ab]){0,3}", 0_u64..20),
    ) {
        let tombstones = Tombstones::new(max, usize::MAX);
        for (path, stamp) in &buried {
            tombstones.insert(tombstone(under(path), *stamp));
        }
        let (path, stored_at) = (Path::new(&asked.0), asked.1);
        let is_void = buried
            .iter()
            .any(|(above, stamp)| Path::new(above).covers(&path) && stored_at <= *stamp);
        let covered = tombstones.cover(&key(1), &path, at(stored_at));
        prop_assert!(covered || !is_void);
        if buried.len() <= max {
            prop_assert_eq!(covered, is_void);
        }
        prop_assert!(tombstones.snapshot().len() <= max);
    }
}
