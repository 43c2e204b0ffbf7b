//! What a command prints, on stdout.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

/// Prints a text and ends the line. A reader that has seen enough is told by the error, which
/// [`is_unread`] recognises.
pub(crate) fn line(text: impl Display) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()?;
    Ok(())
}

/// Prints something as indented JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?)
}

/// Whether an error only says that nobody reads on, as `head` does not.
pub(crate) fn is_unread(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
