//! What holds whatever the seed.

use std::sync::LazyLock;

use sim::{Budget, ORDINARY, Plan, Report, Weather, run, sweep};

/// The fleets that every test run sees. They are run once, by whichever test comes first.
static REPORTS: LazyLock<Vec<Report>> = LazyLock::new(|| {
    let mut reports = Vec::new();
    for (nodes, seeds) in ORDINARY {
        sweep(0..seeds, nodes, |report| reports.push(report)).unwrap();
    }
    reports
});

#[test]
fn no_promise_is_broken() {
    let broken = REPORTS.iter().filter(|report| !report.broken.is_empty());
    let broken: Vec<_> = broken.map(Report::to_string).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let lookups: u64 = REPORTS.iter().map(|report| report.cost.lookups).sum();
    assert!(lookups > 300 * REPORTS.len() as u64, "somebody has asked");
}

#[test]
fn nothing_costs_more_than_is_on_record() {
    let mut measured = Budget::default();
    REPORTS.iter().for_each(|report| measured.add(report));
    let exceeded = measured.exceeded(&Budget::recorded().unwrap());
    assert!(
        exceeded.is_empty(),
        "{}\nwhere that is meant: cargo xtask sim --update-budget",
        exceeded.join("\n")
    );
}

#[test]
fn a_seed_replays_exactly() {
    for weather in [Weather::Calm, Weather::Parted, Weather::Rough] {
        let plan = Plan::of_weather(4, 8, weather);
        let [one, other] = [run(&plan).unwrap(), run(&plan).unwrap()];
        assert_eq!(one.trace, other.trace, "{weather:?}");
        assert_eq!(one.cost, other.cost, "{weather:?}");
        let another = run(&Plan::of_weather(5, 8, weather)).unwrap();
        assert_ne!(one.trace, another.trace, "{weather:?}");
    }
}
