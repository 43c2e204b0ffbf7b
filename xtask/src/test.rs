//! `cargo xtask test`: the README's test command.

use anyhow::Result;
use xshell::Shell;

use crate::cargo::cargo;

#[cfg(test)]
mod tests;

/// What follows `cargo` in the README's test command. CI runs these very words.
pub(crate) const CARGO: &str = "test --workspace";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on to `cargo test`.
    #[arg(allow_hyphen_values = true)]
    cargo: Vec<String>,
    /// Passed on to the tests themselves.
    #[arg(last = true)]
    tests: Vec<String>,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    cargo(sh, args.of_cargo()).run()?;
    Ok(())
}

impl Args {
    fn of_cargo(&self) -> Vec<&str> {
        let own = CARGO
            .split(' ')
            .chain(self.cargo.iter().map(String::as_str));
        let separator = (!self.tests.is_empty()).then_some("--");
        own.chain(separator)
            .chain(self.tests.iter().map(String::as_str))
            .collect()
    }
}
