//! `cargo xtask ci`: everything that CI runs, here.

use std::fmt;
use std::time::Instant;

use anyhow::{Context, Result};
use xshell::Shell;

use crate::cargo::cargo;
use crate::{conformance, races, test, tidy};

#[cfg(test)]
mod tests;

/// One command of CI.
struct Step {
    name: &'static str,
    env: &'static [(&'static str, &'static str)],
    /// What follows `cargo`, in words parted by spaces.
    cargo: &'static str,
}

/// What CI runs, cheapest first. `cargo deny` is not among them: it needs the advisory database,
/// which only the workflow can count on.
const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        env: &[],
        cargo: "fmt --all --check",
    },
    Step {
        name: "tidy",
        env: &[],
        cargo: TIDY,
    },
    Step {
        name: "clippy",
        env: &[],
        cargo: "clippy --workspace --all-targets --all-features -- -D warnings",
    },
    Step {
        // Alone, because the CLI has the workspace build it with its relay.
        name: "no relay",
        env: &[],
        cargo: "clippy -p cache-net --all-targets -- -D warnings",
    },
    Step {
        // It has a lock of its own, which nothing else looks at.
        name: "fuzz",
        env: &[],
        cargo: "check --manifest-path fuzz/Cargo.toml --locked",
    },
    Step {
        name: "doc",
        env: &[("RUSTDOCFLAGS", "-D warnings")],
        cargo: "doc --workspace --no-deps --all-features",
    },
    Step {
        name: "test",
        // The tests that need the real `gh`, or network namespaces, fail without them, instead of
        // skipping themselves.
        env: &[("GHMESH_REQUIRE_GH", "1"), ("GHMESH_REQUIRE_NETNS", "1")],
        cargo: test::CARGO,
    },
    Step {
        name: "conformance",
        env: &[],
        cargo: CONFORMANCE,
    },
    Step {
        name: "races",
        env: races::ENV,
        cargo: races::CARGO,
    },
    Step {
        // Too many nodes for what is not optimized.
        name: "spread",
        env: &[],
        cargo: "run --release --package sim -- --spread --seeds 1 --nodes 1000",
    },
    Step {
        name: "rush",
        env: &[],
        cargo: "run --release --package sim -- --rush 1 --seeds 10 --nodes 50",
    },
    Step {
        name: "demo",
        env: &[],
        cargo: "run --release -- demo",
    },
];

/// Run in this process, and named so that it can be repeated alone.
const TIDY: &str = "xtask tidy";
/// Likewise.
const CONFORMANCE: &str = "xtask conformance";

pub(crate) fn run(sh: &Shell) -> Result<()> {
    let began = now();
    for step in STEPS {
        eprintln!("ci: {}: {step}", step.name);
        let step_began = now();
        step.run(sh)
            .with_context(|| format!("{} failed; to repeat it: {step}", step.name))?;
        eprintln!("ci: {} passed in {:.1?}", step.name, step_began.elapsed());
    }
    println!(
        "ci: {} steps passed in {:.1?}",
        STEPS.len(),
        began.elapsed()
    );
    Ok(())
}

impl Step {
    fn run(&self, sh: &Shell) -> Result<()> {
        match self.cargo {
            TIDY => return tidy::run(sh),
            CONFORMANCE => return conformance::run(sh, &conformance::Args::default()),
            // Sees to it that there are any.
            races::CARGO => return races::run(sh),
            _ => {}
        }
        cargo(sh, self.cargo.split(' '))
            .envs(self.env.iter().copied())
            .quiet()
            .run()?;
        Ok(())
    }
}

impl fmt::Display for Step {
    /// As one would type it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.env {
            write!(f, "{name}='{value}' ")?;
        }
        write!(f, "cargo {}", self.cargo)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a step took is for a person to read; nothing depends on it"
)]
fn now() -> Instant {
    Instant::now()
}
