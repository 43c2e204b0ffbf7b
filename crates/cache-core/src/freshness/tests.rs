//! The boundaries between fresh, stale and dead.

use proptest::prelude::*;

use super::*;

const LIFETIME: Lifetime =
    Lifetime::fresh_for(Duration::from_secs(10)).and_stale_for(Duration::from_secs(5));

fn state_at(freshness: Freshness, seconds: u64) -> State {
    freshness.state(LIFETIME, Duration::from_secs(seconds))
}

#[test]
fn an_entry_is_fresh_until_its_ttl_and_stale_until_it_dies() {
    let states = [0, 9, 10, 14, 15, 999].map(|age| state_at(Freshness::AS_STORED, age));
    use State::*;
    assert_eq!(states, [Fresh, Fresh, Stale, Stale, Dead, Dead]);
}

#[test]
fn a_caller_may_ask_for_less_age() {
    assert_eq!(
        state_at(Freshness::at_most(Duration::from_secs(3)), 2),
        State::Fresh
    );
    assert_eq!(
        state_at(Freshness::at_most(Duration::from_secs(3)), 3),
        State::Stale
    );
    assert_eq!(state_at(Freshness::REVALIDATE, 0), State::Stale);
}

#[test]
fn a_caller_may_allow_more_age_but_never_a_dead_entry() {
    let patient = Freshness::at_most(Duration::from_secs(3600));
    assert_eq!(state_at(patient, 14), State::Fresh);
    assert_eq!(state_at(patient, 15), State::Dead);
}

proptest! {
    #[test]
    fn an_entry_never_gets_fresher_with_age(
        ttl in 0_u64..100, stale_for in 0_u64..100, max_age in proptest::option::of(0_u64..200),
        age in 0_u64..300, later in 0_u64..300,
    ) {
        let lifetime = Lifetime::fresh_for(Duration::from_secs(ttl))
            .and_stale_for(Duration::from_secs(stale_for));
        let freshness = max_age.map_or(Freshness::AS_STORED, |secs| Freshness::at_most(Duration::from_secs(secs)));
        let rank = |age| freshness.state(lifetime, Duration::from_secs(age)) as u8;
        prop_assert!(rank(age) <= rank(age + later));
    }

    #[test]
    fn a_lifetime_without_end_does_not_overflow(age in any::<u64>()) {
        let lifetime = Lifetime::fresh_for(Duration::MAX).and_stale_for(Duration::MAX);
        prop_assert_eq!(
            Freshness::AS_STORED.state(lifetime, Duration::from_secs(age)),
            State::Fresh
        );
    }
}

#[test]
fn tolerance_begins_where_freshness_ends_and_ends_with_itself() {
    let tolerance = Duration::from_secs(3);
    let as_stored = Freshness::AS_STORED.or_stale_while_revalidating(tolerance);
    let at_most = Freshness::at_most(Duration::from_secs(5)).or_stale_while_revalidating(tolerance);
    for (freshness, last) in [(as_stored, 12), (at_most, 7)] {
        assert_eq!(state_at(freshness, last), State::Stale);
        assert!(freshness.tolerates(LIFETIME, Duration::from_secs(last)));
        assert!(!freshness.tolerates(LIFETIME, Duration::from_secs(last + 1)));
    }
    assert!(!Freshness::AS_STORED.tolerates(LIFETIME, LIFETIME.ttl));
}
