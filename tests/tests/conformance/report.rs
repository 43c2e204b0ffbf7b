//! What came of it: a table, and where something differs, how.

use std::process::ExitCode;

use comfy_table::{Table, presets};
use similar::TextDiff;

use crate::leg::{Calls, Seen};
use crate::scenarios::{Again, Scenario};

/// What was seen of a client on each way.
pub(crate) struct Outcome {
    pub(crate) direct: Seen,
    pub(crate) first: Seen,
    /// The second time through the node.
    pub(crate) again: Option<Seen>,
}

/// All scenarios, and what is wrong with them.
pub(crate) struct Report {
    table: Table,
    wrong: Vec<String>,
    scenarios: usize,
}

impl Default for Report {
    fn default() -> Self {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header([
            "client", "scenario", "same?", "direct", "first", "again", "",
        ]);
        Self {
            table,
            wrong: Vec::new(),
            scenarios: 0,
        }
    }
}

impl Report {
    pub(crate) fn add(&mut self, scenario: &Scenario, outcome: &Outcome) {
        let name = format!("{}: {}", scenario.client, scenario.name);
        let wrong = outcome.wrong(scenario);
        let verdict = if wrong.is_empty() { "yes" } else { "NO" };
        let why = match scenario.again {
            Again::TheSame(reason) => reason,
            Again::Refused => "refused here",
            Again::Nothing | Again::Impossible => "",
        };
        let again = outcome.again.as_ref().map(|seen| shown(seen.calls));
        self.table.add_row([
            scenario.client.to_string(),
            scenario.name.to_owned(),
            verdict.to_owned(),
            shown(outcome.direct.calls),
            shown(outcome.first.calls),
            again.unwrap_or_else(|| "-".to_owned()),
            why.to_owned(),
        ]);
        let wrong = wrong.into_iter().map(|what| format!("{name}: {what}"));
        self.wrong.extend(wrong);
        self.scenarios += 1;
    }

    /// Shows it all; fails where anything is wrong, or nothing was done.
    pub(crate) fn print(self) -> ExitCode {
        println!("Calls to GitHub: directly, through a node, and through the same node again.\n");
        println!("{}\n", self.table);
        for wrong in &self.wrong {
            println!("{wrong}\n");
        }
        println!(
            "conformance: {} scenarios, {} differences",
            self.scenarios,
            self.wrong.len()
        );
        if self.wrong.is_empty() && self.scenarios > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

impl Outcome {
    /// What is not as it should be.
    fn wrong(&self, scenario: &Scenario) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.direct.succeeded == scenario.fails {
            let happened = if scenario.fails { "succeeds" } else { "fails" };
            let Seen { shown, answers, .. } = &self.direct;
            wrong.push(format!(
                "the client {happened} without a node\n{shown}{answers}"
            ));
        }
        let legs = [("first", Some(&self.first)), ("again", self.again.as_ref())];
        for (name, seen) in legs {
            let Some(seen) = seen else { continue };
            let Seen { shown, answers, .. } = &self.direct;
            wrong.extend(difference(name, shown, &seen.shown));
            if name == "first" || scenario.again != Again::Refused {
                wrong.extend(difference(name, answers, &seen.answers));
            }
        }
        let (direct, first) = (self.direct.calls, self.first.calls);
        if first.charged > direct.charged {
            wrong.push(format!(
                "{first:?} through a node, where it is {direct:?} without"
            ));
        }
        let Some(again) = self.again.as_ref().map(|seen| seen.calls) else {
            return wrong;
        };
        let expected = match scenario.again {
            Again::TheSame(_) => first.charged,
            Again::Nothing | Again::Refused | Again::Impossible => 0,
        };
        if again.charged != expected {
            wrong.push(format!("{again:?} the second time, not {expected}"));
        }
        wrong
    }
}

fn difference(leg: &str, direct: &str, through: &str) -> Option<String> {
    let diff = TextDiff::from_lines(direct, through);
    let diff = diff.unified_diff().header("direct", leg).to_string();
    (direct != through).then(|| format!("{leg} through the node\n{diff}"))
}

fn shown(Calls { charged, free }: Calls) -> String {
    match free {
        0 => charged.to_string(),
        _ => format!("{charged} and {free} × 304"),
    }
}
