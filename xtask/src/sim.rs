//! `cargo xtask sim`: fleets in virtual time, under faults that follow from a seed.

use anyhow::Result;
use xshell::Shell;

use crate::cargo::cargo;

#[cfg(test)]
mod tests;

/// What follows `cargo`, before what is passed on. Optimized: a night has thousands of seeds.
const CARGO: &str = "run --release --package sim --";

/// What is passed on to the simulator, which explains it with `--help`.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// `--seeds N`, `--from N`, `--nodes N`, `--seed N`, `--rush DEATHS`, `--spread`,
    /// `--update-budget`, `--help`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    simulator: Vec<String>,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    cargo(sh, args.of_cargo()).quiet().run()?;
    Ok(())
}

impl Args {
    fn of_cargo(&self) -> Vec<&str> {
        let simulator = self.simulator.iter().map(String::as_str);
        CARGO.split(' ').chain(simulator).collect()
    }
}
