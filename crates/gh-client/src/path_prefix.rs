//! A path with all that lies below it.

use std::fmt;

use cache_core::Path;

use crate::base_url::BaseUrl;
use crate::error::InvalidPathPrefix;
use crate::numbers::{Elsewhere, Numbers};
use crate::question::place;

/// A path of GitHub's API, with all that lies below it, such as `/repos/octo-org/octo-repo`.
///
/// ```
/// use gh_client::PathPrefix;
///
/// let repository = PathPrefix::parse("/repos/octo-org/octo-repo")?;
/// assert!(PathPrefix::parse("octo-org/octo-repo").is_err());
/// # Ok::<(), gh_client::error::InvalidPathPrefix>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPrefix(String);

impl PathPrefix {
    /// The prefix in `text`. It begins with a slash, has no query, and leaves something out.
    pub fn parse(text: &str) -> Result<Self, InvalidPathPrefix> {
        let prefix = text.trim_end_matches('/');
        if !text.starts_with('/') || text.contains("//") {
            return Err(InvalidPathPrefix::NotAPath(text.to_owned()));
        }
        if text.contains(['?', '#']) {
            return Err(InvalidPathPrefix::Query(text.to_owned()));
        }
        if prefix.is_empty() {
            return Err(InvalidPathPrefix::Everything);
        }
        Ok(Self(prefix.to_owned()))
    }

    /// Where the answers are that it covers.
    pub(crate) fn places(&self, base: &BaseUrl, numbers: &Numbers) -> Vec<Path> {
        let path = place(base.api_path(&self.0));
        let mut places = vec![Path::new(&path)];
        match numbers.elsewhere(&path) {
            Elsewhere::At(path) => places.push(Path::new(&path)),
            Elsewhere::Among(numbers) => places.push(Path::new(numbers)),
            Elsewhere::Nowhere => {}
        }
        places
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
