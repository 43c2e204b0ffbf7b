//! The laws of merging, and what each step of the order is for.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{Lifetime, MeshTime, Path, PeerId};

const LIFETIME: Lifetime = Lifetime::fresh_for(Duration::from_secs(60));

fn peer(name: &str) -> PeerId {
    PeerId::from_bytes(name.as_bytes()).unwrap()
}

fn value(stored_at: u64, origin: &str, value: &'static str) -> Entry {
    let value = Bytes::from_static(value.as_bytes());
    let stored_at = MeshTime::from_millis(stored_at);
    Entry::new(stored_at, peer(origin), Path::root(), value, LIFETIME)
}

#[test]
fn the_later_answer_wins_whoever_sends_it() {
    let (old, new) = (value(1, "z", "zzz"), value(2, "a", "aaa"));
    assert_eq!(merge(old.clone(), new.clone()), new);
    assert_eq!(merge(new.clone(), old), new);
}

#[test]
fn the_same_answer_from_two_members_at_one_moment_is_one_version() {
    let kept = merge(value(1, "a", "x"), value(1, "b", "x"));
    assert_eq!(kept, merge(value(1, "b", "x"), value(1, "a", "x")));
}

/// Few stamps, values and origins, so that ties are the rule.
fn entries() -> impl Strategy<Value = Entry> {
    let value = prop_oneof![Just("x"), Just("y"), Just("")];
    let origin = prop_oneof![Just("a"), Just("b")];
    let path = prop_oneof![Just(""), Just("x")];
    (0_u64..3, origin, path, value, 1_u64..3).prop_map(|(at, origin, path, value, ttl)| {
        let lifetime = Lifetime::fresh_for(Duration::from_secs(ttl));
        let (at, path) = (MeshTime::from_millis(at), Path::new(path));
        Entry::new(at, peer(origin), path, value.into(), lifetime)
    })
}

proptest! {
    #[test]
    fn merge_is_commutative(a in entries(), b in entries()) {
        prop_assert_eq!(merge(a.clone(), b.clone()), merge(b, a));
    }

    #[test]
    fn merge_is_associative(a in entries(), b in entries(), c in entries()) {
        let left = merge(merge(a.clone(), b.clone()), c.clone());
        prop_assert_eq!(left, merge(a, merge(b, c)));
    }

    #[test]
    fn merge_is_idempotent(a in entries(), b in entries()) {
        let once = merge(a.clone(), b.clone());
        prop_assert_eq!(merge(once.clone(), b), once.clone());
        prop_assert_eq!(merge(a, once.clone()), once);
    }

    #[test]
    fn equal_versions_are_equal_entries(a in entries(), b in entries()) {
        prop_assert_eq!(compare(&a, &b).is_eq(), a == b);
    }
}
