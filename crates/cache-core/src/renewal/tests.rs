//! That peers make of what they have what was meant, or nothing.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::Path;

fn entry(at: u64, value: impl Into<Bytes>) -> Entry {
    let lifetime = Lifetime::fresh_for(Duration::from_secs(1000 + at));
    let at = MeshTime::from_millis(at);
    Entry::new(at, PeerId::LOCAL, Path::new("/a"), value.into(), lifetime)
}

fn key() -> Key {
    Key::public(["key"])
}

/// What a peer may say, be it true or not.
fn made_up(base: &Entry, next: &Entry, head: Vec<u8>, tail: u64) -> Renewal {
    Renewal {
        key: key(),
        base: base.digest(),
        digest: next.digest(),
        stored_at: next.stored_at(),
        lifetime: next.lifetime(),
        origin: PeerId::LOCAL,
        head: head.into(),
        tail,
    }
}

fn values() -> impl Strategy<Value = Bytes> {
    let head = proptest::collection::vec(any::<u8>(), 0..40);
    (head, 0..6000_usize).prop_map(|(mut value, body)| {
        value.extend((0..body).rev().map(|n| n as u8));
        value.into()
    })
}

proptest! {
    #[test]
    fn what_comes_of_it_is_the_version_that_was_meant(
        values in (values(), values(), values()),
    ) {
        let versions = [entry(1, values.0), entry(2, values.1), entry(3, values.2)];
        let [first, second] =
            [0, 1].map(|at| Renewal::of(key(), &versions[at], &versions[at + 1]));
        if let Some(renewal) = &first {
            prop_assert_eq!(renewal.apply(&versions[0]), Ok(versions[1].clone()));
            prop_assert!(!renewal.is_made_of(&versions[2]));
        }
        if let (Some(first), Some(second)) = (&first, &second)
            && let Some(both) = second.after(first, &versions[2])
        {
            prop_assert_eq!(both.apply(&versions[0]), Ok(versions[2].clone()));
        }
    }

    #[test]
    fn whatever_a_peer_has_made_up_comes_to_nothing(
        base in values(),
        head in proptest::collection::vec(any::<u8>(), 0..40),
        tail in any::<u64>(),
    ) {
        let base = entry(1, base);
        let renewal = made_up(&base, &entry(2, "something else"), head, tail);
        prop_assert_eq!(renewal.apply(&base), Err(Untrue));
    }
}

#[test]
fn a_long_body_under_new_headers_takes_no_more_than_the_headers() {
    let body = "body ".repeat(2000);
    let versions = ["date: 1\n", "date: 2\n"].map(|head| format!("{head}{body}"));
    let [before, after] = versions.map(|value| entry(1, value));
    let renewal = Renewal::of(key(), &before, &after).unwrap();
    assert_eq!(renewal.head, "date: 2");
    assert_eq!(renewal.apply(&before), Ok(after));
}

#[test]
fn what_has_little_in_common_is_told_whole() {
    let [short, long] = ["short", "long"].map(|head| format!("{head}{}", "x".repeat(900)));
    assert_eq!(Renewal::of(key(), &entry(1, short), &entry(2, long)), None);
    let [a, b] = ["a", "b"].map(|head| format!("{}{}", head.repeat(9000), "x".repeat(2000)));
    assert_eq!(Renewal::of(key(), &entry(1, a), &entry(2, b)), None);
}

#[test]
fn nothing_of_the_value_is_shown() {
    let versions = ["hunter1", "hunter2"].map(|head| format!("{head}{}", "x".repeat(2000)));
    let [before, after] = versions.map(|value| entry(1, value));
    let shown = format!("{:?}", Renewal::of(key(), &before, &after).unwrap());
    assert!(
        shown.contains("head: 7") && !shown.contains("hunter"),
        "{shown}"
    );
}

#[test]
fn what_cannot_be_had_whole_is_told_whole() {
    let long = |len| vec![7; len];
    let [fits, does_not] = [MAX_VALUE, MAX_VALUE + 1].map(|len| entry(1, long(len)));
    assert!(Renewal::of(key(), &fits, &fits).is_some());
    assert_eq!(Renewal::of(key(), &fits, &does_not), None);
    assert_eq!(Renewal::of(key(), &does_not, &fits), None);
    let brief = Lifetime::fresh_for(Duration::from_secs(60));
    let at = MeshTime::from_millis(1);
    let brief = Entry::new(at, PeerId::LOCAL, Path::new("/a"), long(9000).into(), brief);
    assert_eq!(Renewal::of(key(), &brief, &brief), None);
}

#[test]
fn no_chain_of_them_grows_a_value_beyond_what_can_be_sent() {
    let base = entry(1, vec![7; MAX_VALUE]);
    let next = entry(2, vec![7; MAX_VALUE + 1]);
    let renewal = made_up(&base, &next, vec![7], MAX_VALUE as u64);
    assert_eq!(renewal.apply(&base), Err(Untrue));
}

#[test]
fn a_short_end_does_not_keep_the_whole_in_memory() {
    let base = entry(1, vec![7; 1 << 20]);
    let next = entry(2, vec![7; 1]);
    let renewal = made_up(&base, &next, vec![], 1);
    let made = renewal.apply(&base).unwrap();
    let within = base.value().as_ptr_range();
    assert!(!within.contains(&made.value().as_ptr()));
}
