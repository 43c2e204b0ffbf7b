//! Files that can be read in a sitting, say what they are for, and are named for it.

use super::Finding;
use super::checkout::File;

#[cfg(test)]
mod tests;

/// From here on a file is worth splitting.
const LONG: usize = 400;
/// From here on it has to be split.
const TOO_LONG: usize = 600;

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &[
    "common", "handler", "handlers", "helper", "helpers", "manager", "managers", "misc", "mod",
    "types", "util", "utils",
];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    files
        .iter()
        .filter(|file| file.is_rust())
        .flat_map(|file| [length(file), first_line(file), name(file)])
        .flatten()
        .collect()
}

fn length(file: &File) -> Option<Finding> {
    let lines = file.text.lines().count();
    if lines > TOO_LONG {
        return Some(Finding::wrong(
            &file.path,
            TOO_LONG + 1,
            format!(
                "{lines} lines are more than {TOO_LONG}; give one of its concepts its own file"
            ),
        ));
    }
    (lines > LONG).then(|| {
        Finding::note(
            &file.path,
            LONG + 1,
            format!("{lines} lines; {LONG} can be read in a sitting"),
        )
    })
}

fn first_line(file: &File) -> Option<Finding> {
    (!file.text.starts_with("//!")).then(|| {
        Finding::wrong(
            &file.path,
            1,
            "the first line is not a `//!` line; say what the module is for",
        )
    })
}

fn name(file: &File) -> Option<Finding> {
    let stem = |part: &str| part.strip_suffix(".rs").unwrap_or(part).to_owned();
    let empty = file
        .path
        .split('/')
        .map(stem)
        .find(|part| EMPTY_NAMES.contains(&part.as_str()))?;
    Some(Finding::wrong(
        &file.path,
        1,
        format!("`{empty}` names no concept; name the module for what it does"),
    ))
}
