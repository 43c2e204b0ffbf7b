//! What was given in the wrong place and looks like a secret is not repeated in a refusal.

use std::fmt;
use std::path::Path;

use cache_crypto::{NOT_SHOWN, looks_secret, without_secrets};
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A refused value as it is shown: in quotes, or not at all.
pub(crate) fn value(text: &str) -> String {
    if looks_secret(text) {
        NOT_SHOWN.to_owned()
    } else {
        format!("{text:?}")
    }
}

/// A name that nothing has, as it is shown.
pub(crate) fn name(text: &str) -> &str {
    if looks_secret(text) { NOT_SHOWN } else { text }
}

/// A file's name as it is shown.
pub(crate) fn path(path: &Path) -> String {
    name(&path.to_string_lossy()).to_owned()
}

/// A message that may repeat what it was given.
pub(crate) fn message(text: impl fmt::Display) -> String {
    without_secrets(&text.to_string()).into_owned()
}

/// What clap has against a command line, without the part of it that looks like a secret.
pub(crate) fn refusal(mut error: clap::Error) -> clap::Error {
    let is_argument = matches!(
        error.kind(),
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand
    );
    let secret: Vec<ContextKind> = error
        .context()
        .filter(|(kind, value)| {
            // An argument that is known is the name of a flag.
            let is_given = match kind {
                ContextKind::InvalidArg => is_argument,
                kind => matches!(
                    kind,
                    ContextKind::InvalidValue | ContextKind::InvalidSubcommand
                ),
            };
            is_given && matches!(value, ContextValue::String(text) if looks_secret(text))
        })
        .map(|(kind, _)| kind)
        .collect();
    if !secret.is_empty() {
        // They say once more what was given.
        error.insert(ContextKind::Suggested, ContextValue::None);
    }
    for kind in secret {
        error.insert(kind, ContextValue::String(NOT_SHOWN.to_owned()));
    }
    error
}
