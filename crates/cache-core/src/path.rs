//! Where an entry belongs in the hierarchy of what can be asked.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A place in a hierarchy, such as `/repos/octo-org/octo-repo/pulls`, by which entries are
/// [invalidated](crate::Cache::invalidate_path) together.
///
/// What the segments mean is the caller's affair. Empty ones do not count: `repos//octo-org/` is
/// `/repos/octo-org`.
///
/// ```
/// use cache_core::Path;
///
/// let repository = Path::new("/repos/octo-org/octo-repo");
/// assert!(repository.covers(&Path::new("/repos/octo-org/octo-repo/pulls/7")));
/// assert!(!repository.covers(&Path::new("/repos/octo-org/octo-repo-2")));
/// assert!(Path::root().covers(&repository));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Path(
    /// Each segment with the slash before it; the root is empty.
    Arc<str>,
);

impl Path {
    /// The longest path, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// The path of these segments, parted by slashes.
    ///
    /// One that is longer than [`MAX_LEN`](Self::MAX_LEN) becomes its longest ancestor that is
    /// not. What is filed there is invalidated with more than it belongs to, never with less.
    pub fn new(path: &str) -> Self {
        let mut normal = String::with_capacity(path.len().min(Self::MAX_LEN) + 1);
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            if normal.len() + 1 + segment.len() > Self::MAX_LEN {
                break;
            }
            normal.push('/');
            normal.push_str(segment);
        }
        Self(normal.into())
    }

    /// The path that covers all others.
    pub fn root() -> Self {
        Self(Arc::default())
    }

    /// Whether `other` is this path, or lies below it.
    pub fn covers(&self, other: &Self) -> bool {
        other
            .0
            .strip_prefix(&*self.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The path itself, then each path above it, up to the root, in the form of
    /// [`as_key`](Self::as_key).
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(&*self.0), |path| {
            path.rfind('/').map(|slash| &path[..slash])
        })
    }

    /// The form in which paths are looked up: the root is empty.
    pub(crate) fn as_key(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Path {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

impl From<String> for Path {
    fn from(path: String) -> Self {
        Self::new(&path)
    }
}

impl From<Path> for String {
    fn from(path: Path) -> Self {
        path.0.as_ref().to_owned()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

#[cfg(test)]
mod tests;
