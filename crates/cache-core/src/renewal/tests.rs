//! That peers make of what they have what was meant, or nothing.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::Path;

fn entry(at: u64, value: impl Into<Bytes>) -> Entry {
    let lifetime = Lifetime::fresh_for(Duration::from_secs(at));
    let at = MeshTime::from_millis(at);
    Entry::new(at, PeerId::LOCAL, Path::new("/a"), value.into(), lifetime)
}

fn key() -> Key {
    Key::public(["key"])
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
            prop_assert_eq!(renewal.apply(&versions[0]), Some(versions[1].clone()));
            prop_assert_eq!(renewal.apply(&versions[2]), None);
        }
        if let (Some(first), Some(second)) = (&first, &second)
            && let Some(both) = second.after(first, &versions[2])
        {
            prop_assert_eq!(both.apply(&versions[0]), Some(versions[2].clone()));
        }
    }

    #[test]
    fn whatever_a_peer_has_made_up_comes_to_nothing(
        base in values(),
        head in proptest::collection::vec(any::<u8>(), 0..40),
        tail in any::<u64>(),
    ) {
        let base = entry(1, base);
        let renewal = Renewal {
            key: key(),
            base: base.digest(),
            digest: entry(9, "something else").digest(),
            stored_at: MeshTime::from_millis(2),
            lifetime: base.lifetime(),
            origin: PeerId::LOCAL,
            head: head.into(),
            tail,
        };
        prop_assert_eq!(renewal.apply(&base), None);
    }
}

#[test]
fn a_long_body_under_new_headers_takes_no_more_than_the_headers() {
    let body = "body ".repeat(2000);
    let versions = ["date: 1\n", "date: 2\n"].map(|head| format!("{head}{body}"));
    let [before, after] = versions.map(|value| entry(1, value));
    let renewal = Renewal::of(key(), &before, &after).unwrap();
    assert_eq!(renewal.head, "date: 2");
    assert_eq!(renewal.apply(&before), Some(after));
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
