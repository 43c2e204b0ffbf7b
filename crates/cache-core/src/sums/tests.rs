//! That the sums are those over what is left, whatever came and went, and whatever time it is.

use proptest::prelude::*;

use super::*;

const BUCKETS: u8 = 4;

fn item(number: u8) -> Item {
    Item {
        bucket: number % BUCKETS,
        fingerprint: u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15),
        dies_in: Span(u64::from(number % 16)),
    }
}

/// What the sums have to be, made anew.
fn made_anew(items: &[Item], horizon: Span) -> Vec<u64> {
    let sum = |bucket| {
        let living = items.iter();
        living
            .filter(|item| item.bucket == bucket && item.dies_in > horizon)
            .fold(0_u64, |sum, item| sum.wrapping_add(item.fingerprint))
    };
    (0..BUCKETS).map(sum).collect()
}

proptest! {
    #[test]
    fn they_are_what_they_would_be_if_made_anew(
        steps in proptest::collection::vec((any::<u8>(), any::<bool>(), 0..20_u64), 0..100),
    ) {
        let sums = Sums::new(usize::from(BUCKETS));
        let mut items = Vec::new();
        for (number, is_new, horizon) in steps {
            if is_new || items.is_empty() {
                sums.add(item(number));
                items.push(item(number));
            } else {
                sums.remove(items.swap_remove(usize::from(number) % items.len()));
            }
            // Clocks are set back, too.
            let horizon = Span(horizon);
            prop_assert_eq!(sums.beyond(horizon), made_anew(&items, horizon));
        }
    }
}

#[test]
fn what_dies_at_the_end_of_time_counts() {
    let sums = Sums::new(1);
    let eternal = Item {
        bucket: 0,
        fingerprint: 7,
        dies_in: Span::of(MeshTime::MAX),
    };
    sums.add(eternal);
    assert_eq!(sums.beyond(Span::of(MeshTime::default())), [7]);
    assert_eq!(sums.beyond(Span::of(MeshTime::MAX)), [0]);
    assert_eq!(sums.beyond(Span::of(MeshTime::default())), [7]);
}
