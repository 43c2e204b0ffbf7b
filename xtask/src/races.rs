//! `cargo xtask races`: single-flight's races, in many orders.

use anyhow::{Result, ensure};
use xshell::Shell;

use crate::cargo::cargo;

#[cfg(test)]
mod tests;

/// Swaps dashmap's and tokio's parts for shuttle's.
pub(crate) const ENV: &[(&str, &str)] = &[("RUSTFLAGS", "--cfg shuttle")];

/// What follows `cargo`. Built in a folder of its own: with other flags everything is built anew,
/// and the next ordinary build would be, too.
pub(crate) const CARGO: &str =
    "test --package cache-core --lib --target-dir target/shuttle races::";

pub(crate) fn run(sh: &Shell) -> Result<()> {
    let words = || CARGO.split(' ');
    let listed = cargo(sh, words().chain(["--", "--list"]))
        .envs(ENV.iter().copied())
        .read()?;
    // Cargo is content with a filter that no test matches.
    ensure!(
        count(&listed) > 0,
        "there is no test of races: `cargo {CARGO}` runs none"
    );
    cargo(sh, words()).envs(ENV.iter().copied()).run()?;
    Ok(())
}

/// How many tests there are in what `--list` prints.
fn count(listed: &str) -> usize {
    listed
        .lines()
        .filter(|line| line.ends_with(": test"))
        .count()
}
