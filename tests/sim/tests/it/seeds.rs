//! What holds whatever the seed.

use std::sync::LazyLock;

use sim::{Budget, ORDINARY, Plan, Report, Weather, run, spread, sweep};

/// The fleets that every test run sees. They are run once, by whichever test comes first.
static REPORTS: LazyLock<Vec<Report>> = LazyLock::new(|| {
    let mut reports = Vec::new();
    for (nodes, seeds) in ORDINARY {
        let plan = |seed| Plan::new(seed, nodes);
        sweep(0..seeds, plan, |report| reports.push(report)).unwrap();
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

/// What comes of it when twenty nodes ask a hundred questions at one instant, and so many die.
fn rush(deaths: usize) -> Vec<Report> {
    let mut reports = Vec::new();
    let plan = |seed| Plan::rush(seed, 20, 100, deaths);
    sweep(0..2, plan, |report| reports.push(report)).unwrap();
    for report in &reports {
        assert!(report.broken.is_empty(), "{report}");
    }
    reports
}

#[test]
fn all_who_ask_at_one_instant_cost_one_call_for_each_question() {
    for report in rush(0) {
        assert_eq!((report.cost.calls, report.cost.lookups), (100, 2000));
    }
}

#[test]
fn a_node_that_dies_meanwhile_costs_one_call_more_for_each_question_and_leaves_nobody_waiting() {
    for report in rush(1) {
        assert!((100..=200).contains(&report.cost.calls), "{report}");
        assert!(report.cost.lookups >= 1900, "{report}");
    }
}

#[test]
fn a_put_is_everywhere_within_a_second_in_few_copies() {
    let put = spread(1, 100).unwrap();
    assert_eq!(put.missing, 0);
    assert!(put.most_copies < 7.0, "{put:?}");
}
