//! CI runs what the README says, and a failure can be repeated.

use super::STEPS;

#[test]
fn the_test_step_is_the_readmes_command() {
    let step = STEPS.iter().find(|step| step.name == "test").unwrap();
    assert_eq!(step.cargo, "test --workspace");
}

#[test]
fn a_step_is_shown_with_its_environment_as_one_would_type_it() {
    let step = STEPS.iter().find(|step| step.name == "doc").unwrap();
    assert_eq!(
        step.to_string(),
        "RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --all-features"
    );
}

#[test]
fn the_races_can_be_repeated_by_what_is_printed() {
    let step = STEPS.iter().find(|step| step.name == "races").unwrap();
    assert!(
        step.to_string()
            .starts_with("RUSTFLAGS='--cfg shuttle' cargo test ")
    );
}
