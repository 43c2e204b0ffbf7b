//! What is counted where.

use super::*;

#[test]
fn an_answer_is_counted_in_the_bucket_of_its_time() {
    let counters = Counters::default();
    for millis in [1, 3, 4, 6000] {
        counters.requested(&Ok(()), Duration::from_millis(millis));
    }

    let latency = counters.snapshot().latency;

    let counted: Vec<_> = latency
        .buckets
        .iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    let bucket = |millis, count| (Duration::from_millis(millis), count);
    assert_eq!(counted, [&bucket(1, 1), &bucket(5, 2), &(Duration::MAX, 1)]);
    assert_eq!(latency.sum, Duration::from_millis(6008));
}

#[test]
fn each_outcome_has_a_count_of_its_own() {
    let counters = Counters::default();
    let failures = [
        TransportError::Timeout,
        TransportError::Busy,
        TransportError::Declined,
        TransportError::Closed,
    ];

    for failure in failures {
        counters.requested::<()>(&Err(failure), Duration::ZERO);
    }

    let RequestOutcomes {
        answered,
        unreachable,
        timed_out,
        busy,
        declined,
        not_sent,
    } = counters.snapshot().requests;
    assert_eq!((answered, unreachable), (0, 0));
    assert_eq!((timed_out, busy, declined, not_sent), (1, 1, 1, 1));
}

#[test]
fn a_dial_that_was_not_needed_is_no_failure() {
    let counters = Counters::default();

    counters.dial_failed(&Trouble::NotNeeded);
    counters.dial_failed(&Trouble::OtherSecret);
    counters.dial_failed(&Trouble::Unreachable(String::new()));

    let dials = counters.snapshot().dials;
    assert_eq!(
        (dials.succeeded, dials.other_secret, dials.failed),
        (0, 1, 1)
    );
}
