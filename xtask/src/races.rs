//! `cargo xtask races`: single-flight's races, in many orders.

use anyhow::Result;
use xshell::Shell;

use crate::cargo::cargo;

/// Swaps dashmap's and tokio's parts for shuttle's.
pub(crate) const ENV: &[(&str, &str)] = &[("RUSTFLAGS", "--cfg shuttle")];

/// What follows `cargo`. Built in a folder of its own: with other flags everything is built anew,
/// and the next ordinary build would be, too.
pub(crate) const CARGO: &str =
    "test --package cache-core --lib --target-dir target/shuttle races::";

pub(crate) fn run(sh: &Shell) -> Result<()> {
    cargo(sh, CARGO.split(' '))
        .envs(ENV.iter().copied())
        .run()?;
    Ok(())
}
