//! What is typed reaches `cargo test` as typed.

use clap::Parser;

use super::Args;

#[derive(Parser)]
struct Typed {
    #[command(flatten)]
    args: Args,
}

fn cargo(typed: &str) -> String {
    let typed = ["test"].into_iter().chain(typed.split_whitespace());
    Typed::parse_from(typed).args.of_cargo().join(" ")
}

#[test]
fn alone_it_is_the_readmes_command() {
    assert_eq!(cargo(""), "test --workspace");
}

#[test]
fn names_flags_and_what_follows_two_hyphens_are_passed_on() {
    assert_eq!(
        cargo("--no-fail-fast merge -- --nocapture --exact"),
        "test --workspace --no-fail-fast merge -- --nocapture --exact"
    );
}
