//! One thing that was looked at, and what came of it.

use std::fmt::{Display, Write};

use serde::Serialize;

use crate::hidden;

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// As it should be.
    Pass,
    /// The fleet shares, less than it could.
    Warn,
    /// This keeps the node from sharing, or from GitHub.
    Fail,
}

/// What came of one check. No secret is shown in it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    check: &'static str,
    status: Status,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Check {
    pub(crate) fn pass(check: &'static str, found: impl Display) -> Self {
        Self::new(check, Status::Pass, found, None)
    }

    pub(crate) fn warn(check: &'static str, found: impl Display, remedy: impl Display) -> Self {
        Self::new(check, Status::Warn, found, Some(&remedy))
    }

    pub(crate) fn fail(check: &'static str, found: impl Display, remedy: impl Display) -> Self {
        Self::new(check, Status::Fail, found, Some(&remedy))
    }

    pub(crate) const fn status(&self) -> Status {
        self.status
    }

    #[cfg(test)]
    pub(crate) fn found(&self) -> &str {
        &self.found
    }

    #[cfg(test)]
    pub(crate) fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    fn new(
        check: &'static str,
        status: Status,
        found: impl Display,
        remedy: Option<&dyn Display>,
    ) -> Self {
        Self {
            check,
            status,
            found: hidden::message(found),
            remedy: remedy.map(hidden::message),
        }
    }
}

/// The checks for people: a line each, and below it what helps.
pub(crate) fn in_lines(checks: &[Check], in_colour: bool) -> String {
    let width = checks.iter().map(|check| check.check.len()).max();
    let width = width.unwrap_or_default();
    let mut lines = String::new();
    for check in checks {
        let (word, colour) = match check.status {
            Status::Pass => ("pass", 32),
            Status::Warn => ("warn", 33),
            Status::Fail => ("fail", 31),
        };
        // Nothing fails that writes into a string.
        let _ = match in_colour {
            true => write!(lines, "\x1b[{colour}m{word}\x1b[0m"),
            false => lines.write_str(word),
        };
        let _ = writeln!(lines, "  {:width$}  {}", check.check, check.found);
        if let Some(remedy) = &check.remedy {
            let _ = writeln!(lines, "      {:width$}  → {remedy}", "");
        }
    }
    lines.truncate(lines.trim_end().len());
    lines
}
