//! Which requests a fault, a canned answer or a count is about.

/// A path, or with a `*` at its end everything that begins so.
///
/// A pattern with a `?` is compared with the path and its query, every other one with the path
/// alone. Paths are compared without GHES's prefix `/api/v3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    begins: String,
    open: bool,
    with_query: bool,
}

impl Pattern {
    pub(super) fn new(pattern: &str) -> Self {
        let (begins, open) = match pattern.strip_suffix('*') {
            Some(begins) => (begins, true),
            None => (pattern, false),
        };
        Self {
            begins: begins.to_owned(),
            open,
            with_query: pattern.contains('?'),
        }
    }

    pub(super) fn matches(&self, target: &str) -> bool {
        let asked = if self.with_query {
            target
        } else {
            path_of(target)
        };
        if self.open {
            asked.starts_with(&self.begins)
        } else {
            asked == self.begins
        }
    }
}

/// The path of a path with its query.
pub(super) fn path_of(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}
