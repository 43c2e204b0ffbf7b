//! The project's own commands; `cargo xtask help` lists them.

mod cargo;
mod ci;
mod conformance;
mod fuzz;
mod idle;
mod races;
mod sim;
mod test;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use xshell::Shell;

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Runs everything that CI runs, in CI's order, and stops at the first failure.
    Ci,
    /// Plays with real clients, once at GitHub's and once at a node: nobody must notice the node.
    Conformance(conformance::Args),
    /// Feeds the decoders with what may break them, each for a given time.
    Fuzz(fuzz::Args),
    /// Leaves two nodes alone, and fails where one loses the other or grows.
    Idle(idle::Args),
    /// Runs the races of single-flight in many orders.
    Races,
    /// Runs simulated fleets by their seeds.
    Sim(sim::Args),
    /// Runs the tests: `cargo test --workspace` and what is given here.
    Test(test::Args),
    /// Checks the rules of taste that a program can check.
    Tidy,
}

fn main() -> ExitCode {
    match run(&Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<()> {
    let sh = Shell::new().context("the working directory cannot be read")?;
    sh.change_dir(root()?);
    match command {
        Command::Ci => ci::run(&sh),
        Command::Conformance(args) => conformance::run(&sh, args),
        Command::Fuzz(args) => fuzz::run(&sh, args),
        Command::Idle(args) => idle::run(&sh, args),
        Command::Races => races::run(&sh),
        Command::Sim(args) => sim::run(&sh, args),
        Command::Test(args) => test::run(&sh, args),
        Command::Tidy => tidy::run(&sh),
    }
}

/// The workspace's root, so that every command works from any folder of it.
fn root() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("xtask lies in the workspace's root")
}
