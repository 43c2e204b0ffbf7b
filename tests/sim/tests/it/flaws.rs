//! The checks find what they look for.

use sim::{Budget, Flaw, Plan, Weather, run};

/// What is said of a fleet that is broken in this way; nothing of it may be said of those that are
/// not. It may take some fleets until the flaw shows.
fn is_found_out(flaw: Flaw, weather: Weather, saying: &str) {
    let said = |plan: &Plan| {
        let report = run(plan).unwrap();
        report.broken.iter().any(|broken| broken.contains(saying))
    };
    let plans = (0..8).map(|seed| Plan::of_weather(seed, 6, weather));
    let mut found_out = plans.map(|plan| {
        assert!(!said(&plan), "{saying:?} is said of a fleet without it");
        said(&plan.with_flaw(flaw))
    });
    assert!(found_out.any(|it| it), "{saying:?} is not said");
}

#[test]
fn an_answer_to_another_question() {
    is_found_out(Flaw::MixesUp, Weather::Calm, "the answer to something else");
}

#[test]
fn an_answer_that_was_kept_for_too_long() {
    is_found_out(Flaw::Hoards, Weather::Rough, "which was replaced");
}

#[test]
fn an_answer_that_was_to_be_void() {
    is_found_out(
        Flaw::ForgetsWrites,
        Weather::Rough,
        "which this node invalidated",
    );
    is_found_out(
        Flaw::ForgetsWrites,
        Weather::Rough,
        "holds what was invalidated",
    );
}

#[test]
fn a_call_that_another_member_was_making() {
    is_found_out(Flaw::AsksAlone, Weather::Calm, "where 1 were allowed");
}

#[test]
fn an_error_that_upstream_did_not_give() {
    is_found_out(Flaw::InventsErrors, Weather::Calm, "an error of its own");
}

#[test]
fn a_caller_who_is_never_answered() {
    is_found_out(Flaw::LeavesWaiting, Weather::Calm, "still wait");
}

#[test]
fn a_task_that_panics() {
    is_found_out(Flaw::Panics, Weather::Calm, "panics");
}

#[test]
fn a_member_that_does_not_know_what_the_others_know() {
    is_found_out(Flaw::LosesOne, Weather::Calm, "know these versions");
    is_found_out(Flaw::LosesOne, Weather::Rough, "alone knows of");
}

#[test]
fn what_costs_more_than_is_on_record() {
    let cost = |flaw: Option<Flaw>| {
        let plan = Plan::of_weather(1, 6, Weather::Calm);
        let plan = flaw.into_iter().fold(plan, Plan::with_flaw);
        let mut budget = Budget::default();
        budget.add(&run(&plan).unwrap());
        budget
    };
    let recorded = cost(None);
    assert!(cost(None).exceeded(&recorded).is_empty());
    let calls = cost(Some(Flaw::AsksAlone)).exceeded(&recorded);
    assert!(calls.iter().any(|it| it.contains("upstream calls")));
    let traffic = cost(Some(Flaw::Chatters)).exceeded(&recorded);
    for what in ["frames", "bytes"] {
        assert!(traffic.iter().any(|it| it.contains(what)), "{traffic:?}");
    }
    assert!(!cost(None).exceeded(&Budget::default()).is_empty());
}
