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

#[test]
fn any_number_that_is_off_is_told() {
    let right = Report {
        fleet: Totals::expected(5),
        runners: Vec::new(),
    };
    assert_eq!(right.compare(&Totals::expected(5)), Vec::<String>::new());
    let spoilers: [fn(&mut Totals); 5] = [
        |totals| totals.requests += 1,
        |totals| totals.local_hits -= 1,
        |totals| totals.peer_hits -= 1,
        |totals| totals.misses += 1,
        |totals| totals.upstream_calls += 1,
    ];
    for spoil in spoilers {
        let mut wrong = Totals::expected(5);
        spoil(&mut wrong);
        let report = Report {
            fleet: wrong,
            runners: Vec::new(),
        };
        assert_eq!(report.compare(&Totals::expected(5)).len(), 1);
    }
}
