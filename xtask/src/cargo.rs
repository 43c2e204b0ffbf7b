//! Cargo, run from a program that cargo runs.

use std::env;

use xshell::{Cmd, Shell, cmd};

#[cfg(test)]
mod tests;

/// `cargo` with these arguments, in the environment of whoever typed `cargo xtask`.
///
/// `cargo run` tells a program about its own package in the environment. ring's build script
/// watches some of that; if it reached the cargo that we run, ring and all above it would be built
/// anew whenever commands typed by hand and through xtask take turns.
pub(crate) fn cargo<'a>(sh: &'a Shell, args: impl IntoIterator<Item = &'a str>) -> Cmd<'a> {
    env::vars_os()
        .filter(|(name, _)| name.to_str().is_some_and(is_of_our_package))
        .fold(cmd!(sh, "cargo {args...}"), |cmd, (name, _)| {
            cmd.env_remove(name)
        })
}

fn is_of_our_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}
