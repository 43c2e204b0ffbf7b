//! The judgement on the numbers; the fleet itself is tested end to end.

use super::*;

#[test]
fn five_runners_come_to_the_figures_of_the_original() {
    let expected = Totals::expected(5);
    assert_eq!((expected.requests, expected.upstream_calls), (600, 100));
    assert_eq!(
        (expected.local_hits, expected.peer_hits, expected.misses),
        (100, 400, 100)
    );
    assert_eq!(show::percent(expected.hit_rate), "83.3 %");
}

/// What five runners should come to.
fn right() -> Report {
    let act = |requests, peer_hits, upstream_calls| Act {
        requests,
        peer_hits,
        stale: 0,
        upstream_calls,
    };
    Report {
        fleet: Totals::expected(5),
        runners: Vec::new(),
        same_instant: act(500, 0, 100),
        late_joiner: act(100, 100, 0),
        upstream_off: act(1200, 900, 0),
    }
}

#[test]
fn any_number_that_is_off_is_told() {
    assert_eq!(right().compare(5), Vec::<String>::new());
    let spoilers: [fn(&mut Report); 10] = [
        |report| report.fleet.requests += 1,
        |report| report.fleet.local_hits -= 1,
        |report| report.fleet.peer_hits -= 1,
        |report| report.fleet.misses += 1,
        |report| report.fleet.upstream_calls += 1,
        |report| report.same_instant.requests -= 1,
        |report| report.same_instant.upstream_calls += 1,
        |report| report.late_joiner.peer_hits -= 1,
        |report| report.late_joiner.upstream_calls += 1,
        |report| report.upstream_off.requests -= 1,
    ];
    for spoil in spoilers {
        let mut wrong = right();
        spoil(&mut wrong);
        assert_eq!(wrong.compare(5).len(), 1);
    }
}
