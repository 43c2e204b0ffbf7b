//! `cargo xtask conformance`: real clients, once at GitHub's and once at a node before it.

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::cargo::cargo;

#[cfg(test)]
mod tests;

/// What follows `cargo`, before the scenarios. With the whole workspace, so that what `cargo test
/// --workspace` has built is not built again with other features.
const CARGO: &str = "test --workspace --features e2e/conformance --test conformance --";

/// Where the clients' scripts are, and the lists of what they need.
const DIR: &str = "tests/conformance";

/// The programs that have to be there, and the packages of Debian's that bring them.
const PROGRAMS: &[(&str, &str)] = &[
    ("curl", "curl"),
    ("gh", "gh"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("python3", "python3-venv"),
];

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// What the names of the scenarios to play contain: `gh`, `"curl HEAD"`; all are played where
    /// nothing is given.
    scenarios: Vec<String>,
}

/// What one package manager installs.
struct Installed {
    /// What is to be installed, with versions and digests.
    lock: &'static str,
    /// Where it goes, below [`DIR`].
    to: &'static str,
    install: fn(&Shell) -> Result<()>,
}

const OCTOKIT: Installed = Installed {
    lock: "package-lock.json",
    to: "node_modules",
    install: |sh| Ok(cmd!(sh, "npm ci --no-audit --no-fund --loglevel=error").run()?),
};

const PYGITHUB: Installed = Installed {
    lock: "requirements.txt",
    to: ".venv",
    install: |sh| {
        cmd!(sh, "python3 -m venv --clear .venv")
            .run()
            .context("Python makes no virtual environment: apt-get install python3-venv")?;
        let pip = cmd!(
            sh,
            ".venv/bin/python -m pip install --quiet --disable-pip-version-check
             --require-hashes --requirement requirements.txt"
        );
        Ok(pip.run()?)
    },
};

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let missing = missing(|program| {
        cmd!(sh, "{program} --version")
            .quiet()
            .ignore_stdout()
            .run()
            .is_ok()
    });
    if !missing.is_empty() {
        bail!(
            "some clients are missing: apt-get install {}",
            missing.join(" ")
        );
    }
    for what in [OCTOKIT, PYGITHUB] {
        what.install_where_it_changed(sh)?;
    }
    let scenarios = args.scenarios.iter().map(String::as_str);
    cargo(sh, CARGO.split_whitespace().chain(scenarios)).run()?;
    Ok(())
}

/// The packages of which a program is not there.
fn missing(is_there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    PROGRAMS
        .iter()
        .filter(|(program, _)| !is_there(program))
        .map(|(_, package)| *package)
        .collect()
}

impl Installed {
    fn install_where_it_changed(&self, sh: &Shell) -> Result<()> {
        let _dir = sh.push_dir(DIR);
        let wanted = sh.read_file(self.lock)?;
        let stamp = format!("{}/.{}", self.to, self.lock);
        if sh.read_file(&stamp).is_ok_and(|there| there == wanted) {
            return Ok(());
        }
        (self.install)(sh).with_context(|| format!("what {DIR}/{} lists", self.lock))?;
        // Last, so that what broke off half way is installed again.
        sh.write_file(stamp, wanted)?;
        Ok(())
    }
}
