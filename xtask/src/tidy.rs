//! `cargo xtask tidy`: the rules of taste that a program can check.
//!
//! One module per rule, each a function from what was read to what is wrong with it, so that its
//! tests can show that it fails when it should.

mod arrows;
mod checkout;
mod layout;
mod links;
mod machine;
mod manifests;
mod purity;
mod tokens;

use std::fmt;

use anyhow::{Result, bail};
use xshell::Shell;

use checkout::Checkout;

/// Something that is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    what: String,
    weight: Weight,
}

/// Whether a finding fails the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Wrong,
    /// Worth knowing; printed, and passed.
    Note,
}

pub(crate) fn run(sh: &Shell) -> Result<()> {
    let Checkout {
        files,
        members,
        core_tree,
    } = Checkout::read(sh)?;

    let mut findings = [
        arrows::check(&members),
        purity::check(&core_tree),
        manifests::check(&members),
        layout::check(&files),
        tokens::check(&files),
        machine::check(&files),
        links::check(&files),
    ]
    .concat();
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }

    let wrong = findings
        .iter()
        .filter(|f| f.weight == Weight::Wrong)
        .count();
    if wrong > 0 {
        bail!("not tidy: {wrong} to mend");
    }
    println!(
        "tidy: {} files and {} crates are in order: dependencies, manifests, layout, forbidden \
         code, machine paths, links",
        files.len(),
        members.len()
    );
    Ok(())
}

impl Finding {
    fn wrong(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what: what.into(),
            weight: Weight::Wrong,
        }
    }

    fn note(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            weight: Weight::Note,
            ..Self::wrong(path, line, what)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let note = match self.weight {
            Weight::Wrong => "",
            Weight::Note => "note: ",
        };
        write!(f, "{}:{}: {note}{}", self.path, self.line, self.what)
    }
}
