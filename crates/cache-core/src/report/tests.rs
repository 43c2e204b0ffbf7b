//! What is taken from a report, whatever is in it.

use super::*;
use crate::MeshTime;

fn report(counters: &[(&str, u64)], additional: &[(&str, u64)]) -> Report {
    let named = |counters: &[(&str, u64)]| {
        let counters = counters.iter();
        counters
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    };
    Report {
        member: PeerId::from_bytes(b"member").unwrap(),
        started_at: MeshTime::from_millis(1),
        number: 0,
        is_last: false,
        takes_inbound: false,
        version: "1.2.3".to_owned(),
        counters: named(counters),
        additional: named(additional),
        notes: Vec::new(),
    }
}

#[test]
fn every_counter_arrives_under_its_name() {
    let mut stats = Stats::default();
    let names = Stats::COUNTERS.iter().chain(&Stats::GAUGES);
    for (number, name) in names.enumerate() {
        stats.add(name, number as u64 + 1);
    }
    assert!(stats.by_name().all(|(_, count)| count > 0), "{stats:?}");
    let told: Vec<_> = stats.by_name().collect();
    assert_eq!(report(&told, &[]).counts().cache, stats);
}

#[test]
fn a_counter_of_a_later_release_is_passed_over() {
    let counts = report(&[("hits", 3), ("hunches", 4)], &[("hits", 5)]).counts();
    assert_eq!((counts.cache.hits, counts.cache.requests()), (3, 3));
    assert_eq!(counts.application["hits"], 5);
}

#[test]
fn no_more_is_taken_than_there_is_room_for() {
    let names: Vec<String> = (0..1000).map(|n| format!("counter {n}")).collect();
    let long = "n".repeat(MAX_NAME + 1);
    let mut many: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
    many.insert(0, (&long, 1));
    let counts = report(&[], &many).counts();
    assert_eq!(counts.application.len(), MAX_COUNTERS);
    assert!(!counts.application.contains_key(&long));
}

#[test]
fn absurd_numbers_add_up_to_the_largest_one() {
    let all: Vec<_> = Stats::COUNTERS
        .iter()
        .map(|name| (*name, u64::MAX))
        .collect();
    let absurd = report(&all, &[("calls", u64::MAX)]).counts();
    let mut totals = absurd.clone();
    totals.add(&absurd);
    assert_eq!(totals.application["calls"], u64::MAX);
    assert_eq!(totals.cache.requests(), u64::MAX);
    assert_eq!(totals.cache.saved(), 0);
    assert!((0.0..=1.0).contains(&totals.cache.hit_rate()));
}

#[test]
fn the_name_of_a_release_cannot_draw_on_the_screen() {
    let mut report = report(&[], &[]);
    report.version = format!("1.2.3\x1b[2J\n{}", "9".repeat(100));
    let shown = report.shown_version();
    assert!(shown.starts_with("1.2.3") && shown.len() <= MAX_VERSION);
    assert!(shown.chars().all(|char| char.is_ascii_graphic()));
}
