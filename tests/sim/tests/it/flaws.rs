//! The checks find what they look for.

use sim::{Flaw, Plan, Weather, run};

/// What is said of a fleet that is broken in this way; nothing of it may be said of one that is not.
fn is_found_out(flaw: Flaw, saying: &str) {
    let plan = Plan::of_weather(1, 6, Weather::Calm);
    let said = |plan: &Plan| {
        let report = run(plan).unwrap();
        report.broken.iter().any(|broken| broken.contains(saying))
    };
    assert!(!said(&plan), "{saying:?} is said of a fleet without it");
    assert!(said(&plan.with_flaw(flaw)), "{saying:?} is not said");
}

#[test]
fn a_caller_who_is_never_answered() {
    is_found_out(Flaw::LeavesWaiting, "still wait");
}

#[test]
fn a_call_that_panics() {
    is_found_out(Flaw::Panics, "panics");
}
