//! What the simulator is told.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Sim {
    #[command(flatten)]
    args: Args,
}

#[test]
fn everything_is_the_simulators_to_read_help_included() {
    for words in ["--seed 4 --nodes 8", "--from 5000 --seeds 300", "--help"] {
        let typed = ["sim"].into_iter().chain(words.split(' '));
        let Sim { args } = Sim::try_parse_from(typed).unwrap();

        let cargo = args.of_cargo().join(" ");

        assert_eq!(cargo, format!("run --release --package sim -- {words}"));
    }
}
