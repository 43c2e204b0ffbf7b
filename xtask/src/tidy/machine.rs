//! No path of one machine in what everybody reads.

use super::Finding;
use super::checkout::File;

#[cfg(test)]
mod tests;

/// Top folders that no program or reader elsewhere can count on.
const FOLDERS: &[&str] = &["root", "work"];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    files.iter().flat_map(of_file).collect()
}

fn of_file(file: &File) -> impl Iterator<Item = Finding> {
    file.text.lines().enumerate().filter_map(|(at, line)| {
        let folder = FOLDERS.iter().find(|folder| names(line, folder))?;
        Some(Finding::wrong(
            &file.path,
            at + 1,
            format!("/{folder}/… is a path of one machine; say it from the project's root"),
        ))
    })
}

/// Whether an absolute path into `folder` stands in `line`. Where a path or URL goes on in front
/// of it, it is not absolute.
fn names(line: &str, folder: &str) -> bool {
    let path = format!("/{folder}/");
    line.match_indices(&path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || "-._~*/}>)]".contains(c)))
    })
}
