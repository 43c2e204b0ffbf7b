//! Patterns of paths: which answers a rule is about.

use std::fmt;
use std::str::FromStr;

/// A path in which `*` stands for one segment, and `**` at the end for any number of them:
/// `/repos/*/*/actions/**`.
///
/// `{sha}` stands for a segment, or a part of one, that is a full commit hash, forty hexadecimal
/// digits: `/repos/*/*/compare/{sha}...{sha}`.
///
/// ```
/// use gh_client::PathPattern;
///
/// let pattern: PathPattern = "/repos/*/*/actions/**".parse()?;
/// assert!(pattern.matches("/repos/octo-org/octo-repo/actions/runs/7"));
/// assert!(!pattern.matches("/repos/octo-org/octo-repo"));
/// # Ok::<(), gh_client::InvalidPattern>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern(String);

/// The text is no pattern of paths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no pattern of paths: write it like /repos/*/*/actions/**")]
pub struct InvalidPattern(String);

impl PathPattern {
    /// Whether a path is one of these. Slashes at its end do not count.
    pub fn matches(&self, path: &str) -> bool {
        matches(&self.0, path)
    }
}

impl FromStr for PathPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let inner = text.strip_suffix("/**").unwrap_or(text);
        let is_valid =
            text.starts_with('/') && !inner.contains("**") && !text.contains(['?', '#', ' ']);
        if !is_valid {
            return Err(InvalidPattern(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `path` is one of those that `pattern` describes.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    for expected in pattern.split('/').filter(|segment| !segment.is_empty()) {
        if expected == "**" {
            return true;
        }
        match segments.next() {
            Some(segment) if is_segment(expected, segment) => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

fn is_segment(expected: &str, segment: &str) -> bool {
    const HASH: &str = "{sha}";
    if expected == "*" {
        return true;
    }
    let Some((before, after)) = expected.split_once(HASH) else {
        return expected == segment;
    };
    let Some(rest) = segment.strip_prefix(before) else {
        return false;
    };
    let hash = rest.split_at_checked(40);
    hash.is_some_and(|(hash, rest)| is_hash(hash) && is_segment(after, rest))
}

/// A full SHA-1 in hex. Anything shorter may come to mean something else.
pub(crate) fn is_hash(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
