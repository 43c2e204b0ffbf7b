//! The laws of merging, and what each step of the order is for.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{Lifetime, MeshTime, PeerId};

const LIFETIME: Lifetime = Lifetime::fresh_for(Duration::from_secs(60));

fn peer(name: &str) -> PeerId {
    PeerId::from_bytes(name.as_bytes()).unwrap()
}

fn value(stored_at: u64, origin: &str, value: &'static str) -> Entry {
    let value = Bytes::from_static(value.as_bytes());
    Entry::value(
        MeshTime::from_millis(stored_at),
        peer(origin),
        value,
        LIFETIME,
    )
}

fn tombstone(stored_at: u64) -> Entry {
    Entry::tombstone(MeshTime::from_millis(stored_at), peer("a"), LIFETIME)
}

#[test]
fn the_later_answer_wins_whoever_sends_it() {
    let (old, new) = (value(1, "z", "zzz"), value(2, "a", "aaa"));
    assert_eq!(merge(old.clone(), new.clone()), new);
    assert_eq!(merge(new.clone(), old), new);
}

#[test]
fn a_tombstone_beats_a_value_of_the_same_moment_and_no_later_one() {
    assert_eq!(merge(value(5, "b", "x"), tombstone(5)), tombstone(5));
    assert_eq!(merge(value(6, "b", "x"), tombstone(5)), value(6, "b", "x"));
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
    (0_u64..3, origin, value, any::<bool>(), 1_u64..3).prop_map(
        |(at, origin, value, is_tombstone, ttl)| {
            let (at, origin) = (MeshTime::from_millis(at), peer(origin));
            let lifetime = Lifetime::fresh_for(Duration::from_secs(ttl));
            if is_tombstone {
                Entry::tombstone(at, origin, lifetime)
            } else {
                Entry::value(at, origin, Bytes::from_static(value.as_bytes()), lifetime)
            }
        },
    )
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
