//! What holds whatever the seed.

use sim::{Plan, Report, Weather, run, sweep};

/// No promise is broken in fleets of so many nodes, by the seeds from 0 on.
fn keep_their_promises(nodes: usize, seeds: u64) {
    let (mut lookups, mut broken) = (0, Vec::new());
    sweep(0..seeds, nodes, |report: Report| {
        lookups += report.cost.lookups;
        if !report.broken.is_empty() {
            broken.push(report.to_string());
        }
    })
    .unwrap();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(
        lookups > 100 * seeds,
        "{lookups} lookups are too few to tell"
    );
}

#[test]
fn fleets_of_eight_keep_their_promises() {
    keep_their_promises(8, 120);
}

#[test]
fn fleets_of_twenty_keep_their_promises() {
    keep_their_promises(20, 16);
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
