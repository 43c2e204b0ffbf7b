//! `cargo xtask fuzz`: feeds each decoder with what may break it.

use anyhow::{Context, Result, bail};
use xshell::{Cmd, Shell};

use crate::cargo::cargo;

#[cfg(test)]
mod tests;

/// Where cargo-fuzz is at home: a package of its own, outside the workspace.
const DIR: &str = "fuzz";

/// libFuzzer and its sanitizers need compiler options that a stable compiler takes when it is told
/// to. Nothing that is released is built this way.
const AS_NIGHTLY: (&str, &str) = ("RUSTC_BOOTSTRAP", "1");

/// Without it, cargo-fuzz gives debug assertions to every crate, and fuzz/Cargo.toml has no say.
const AS_THE_PROFILE_SAYS: &str = "--release";

/// What one call may allocate, in MiB. A frame is at most 8 MiB and a little, and grows by half as
/// much again while it is expanded: more than this was declared by somebody and believed.
const MOST_ALLOCATED: &str = "-malloc_limit_mb=64";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The targets to run; all of them where none is named.
    targets: Vec<String>,
    /// How long each of them runs.
    #[arg(long, value_name = "SECS", default_value_t = 60)]
    seconds: u32,
    /// Adds to the kept corpus, in fuzz/corpus, what reaches code that nothing in it reaches.
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    install(sh)?;
    let _dir = sh.push_dir(DIR);
    let known = fuzz(sh, &["list"]).read()?;
    for target in args.chosen(&known)? {
        let found = found(target);
        sh.create_dir(&found)?;
        run_with(sh, &args.to_run(target)).with_context(|| {
            format!("{target} broke on the input named above; make a test of it")
        })?;
        if args.keep {
            run_with(sh, &to_merge(target))?;
        }
    }
    Ok(())
}

/// Installs cargo-fuzz where it is missing.
fn install(sh: &Shell) -> Result<()> {
    if fuzz(sh, &["--version"]).ignore_stderr().read().is_ok() {
        return Ok(());
    }
    eprintln!("fuzz: there is no cargo-fuzz; installing it: cargo install --locked cargo-fuzz");
    cargo(sh, ["install", "--locked", "cargo-fuzz"])
        .quiet()
        .run()
        .context("cargo-fuzz comes from crates.io, and needs a C++ compiler")
}

fn run_with(sh: &Shell, words: &[String]) -> Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    println!("fuzz: cargo fuzz {}", words.join(" "));
    Ok(fuzz(sh, &words).run()?)
}

/// `cargo fuzz` with these arguments, with the compiler at hand.
fn fuzz<'a>(sh: &'a Shell, words: &[&'a str]) -> Cmd<'a> {
    let (name, value) = AS_NIGHTLY;
    let words = std::iter::once("fuzz").chain(words.iter().copied());
    cargo(sh, words).env(name, value).quiet()
}

impl Args {
    /// Those of the known targets, one a line, that are to run.
    fn chosen<'a>(&self, known: &'a str) -> Result<Vec<&'a str>> {
        let is_chosen =
            |target: &str| self.targets.is_empty() || self.targets.iter().any(|t| t == target);
        if let Some(unknown) = self
            .targets
            .iter()
            .find(|t| !known.lines().any(|k| k == *t))
        {
            let known: Vec<&str> = known.lines().collect();
            bail!("there is no target {unknown:?}, but {}", known.join(", "));
        }
        Ok(known.lines().filter(|target| is_chosen(target)).collect())
    }

    /// What is found goes to the first corpus, which git does not see; the kept one is read.
    fn to_run(&self, target: &str) -> Vec<String> {
        words(&[
            "run",
            AS_THE_PROFILE_SAYS,
            target,
            &found(target),
            &kept(target),
            "--",
            &format!("-max_total_time={}", self.seconds),
            "-print_final_stats=1",
            MOST_ALLOCATED,
        ])
    }
}

/// Adds to the first corpus what the second one has and it lacks, in as few inputs as will do.
fn to_merge(target: &str) -> Vec<String> {
    words(&[
        "run",
        AS_THE_PROFILE_SAYS,
        target,
        &kept(target),
        &found(target),
        "--",
        "-set_cover_merge=1",
    ])
}

fn kept(target: &str) -> String {
    format!("corpus/{target}")
}

fn found(target: &str) -> String {
    format!("target/corpus/{target}")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
