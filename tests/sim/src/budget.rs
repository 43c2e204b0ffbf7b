//! What runs may cost: a record that is kept with the code, and compared with.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::{fs, io};

use crate::plan::{Plan, Weather};
use crate::report::{Cost, Report};
use crate::sweep::sweep;

/// The fleets of which the cost is recorded, and which the ordinary tests run: so many nodes, and
/// the seeds from 0 on.
pub const ORDINARY: [(usize, u64); 2] = [(8, 75), (20, 9)];

/// What is recorded, by weather and size, for all seeds of that weather together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget(BTreeMap<(Weather, usize), Cost>);

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/budget.txt");

const HEADER: &str = "\
# What simulated fleets cost, all seeds of the ordinary tests together. Written by
# `cargo xtask sim --update-budget`; a fiftieth more fails the tests.
# weather nodes lookups calls frames bytes
";

impl Budget {
    /// What the ordinary fleets cost.
    ///
    /// # Errors
    ///
    /// As for [`sweep`].
    pub fn measure() -> io::Result<Self> {
        let mut budget = Self::default();
        for (nodes, seeds) in ORDINARY {
            let plan = |seed| Plan::new(seed, nodes);
            sweep(0..seeds, plan, |report| budget.add(&report))?;
        }
        Ok(budget)
    }

    /// Adds what a run has cost.
    pub fn add(&mut self, report: &Report) {
        let cost = self.0.entry((report.weather, report.nodes)).or_default();
        *cost = *cost + report.cost;
    }

    /// What is on record.
    ///
    /// # Errors
    ///
    /// If the record cannot be read.
    pub fn recorded() -> io::Result<Self> {
        let text = fs::read_to_string(FILE)?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let rows = lines.map(|line| {
            row(line).ok_or_else(|| io::Error::other(format!("{FILE}: not a row: {line}")))
        });
        rows.collect::<io::Result<_>>().map(Self)
    }

    /// Puts this on record.
    ///
    /// # Errors
    ///
    /// If the record cannot be written.
    pub fn record(&self) -> io::Result<()> {
        let mut text = HEADER.to_owned();
        for ((weather, nodes), cost) in &self.0 {
            let Cost {
                lookups,
                calls,
                frames,
                bytes,
            } = cost;
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{weather:?} {nodes} {lookups} {calls} {frames} {bytes}"
            );
        }
        fs::write(FILE, text)
    }

    /// What costs more than a fiftieth more than is on record, a line each: by so much it may hang on
    /// the machine what a small memory lets go of. What costs less is fine, and deserves to be
    /// recorded.
    pub fn exceeded(&self, recorded: &Self) -> Vec<String> {
        let mut exceeded = Vec::new();
        for ((weather, nodes), cost) in &self.0 {
            let Some(allowed) = recorded.0.get(&(*weather, *nodes)) else {
                exceeded.push(format!("{weather:?}, {nodes} nodes: nothing is on record"));
                continue;
            };
            for (what, cost, allowed) in [
                ("upstream calls", cost.calls, allowed.calls),
                ("frames", cost.frames, allowed.frames),
                ("bytes", cost.bytes, allowed.bytes),
            ] {
                if cost > allowed + allowed / 50 {
                    let more = format!("{cost} {what} where {allowed} are on record");
                    exceeded.push(format!("{weather:?}, {nodes} nodes: {more}"));
                }
            }
        }
        exceeded
    }
}

fn row(line: &str) -> Option<((Weather, usize), Cost)> {
    let mut words = line.split(' ');
    let weather = match words.next()? {
        "Calm" => Weather::Calm,
        "Parted" => Weather::Parted,
        "Rough" => Weather::Rough,
        _ => return None,
    };
    let nodes = words.next()?.parse().ok()?;
    let mut number = || words.next()?.parse().ok();
    let cost = Cost {
        lookups: number()?,
        calls: number()?,
        frames: number()?,
        bytes: number()?,
    };
    Some(((weather, nodes), cost))
}
