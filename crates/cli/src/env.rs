//! The environment, read in this file alone.

#[cfg(test)]
use std::collections::HashMap;
use std::env;
use std::ffi::OsString;

use zeroize::Zeroizing;

use crate::config::ConfigError;

/// The variables of the environment. An empty one counts as absent, because that is what a
/// workflow makes of an input that nobody has given.
///
/// Nothing of it is kept here: there are secrets in it. What the operating system holds of it stays
/// as it is for as long as the process runs.
#[derive(Clone)]
pub(crate) enum Env {
    /// That of this process.
    Process,
    /// What a test makes up.
    #[cfg(test)]
    Made(HashMap<OsString, OsString>),
}

impl Env {
    /// What a variable says. It may be secret, and is wiped from memory when it is dropped.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Zeroizing<String>>, ConfigError> {
        let value = self.variable(name).filter(|value| !value.is_empty());
        // Neither of these makes a copy.
        match value.map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(Zeroizing::new(text))),
            Some(Err(value)) => {
                drop(Zeroizing::new(value.into_encoded_bytes()));
                Err(ConfigError::NotUtf8(name.to_owned()))
            }
        }
    }

    /// GitHub's token, and the variable that holds it.
    pub(crate) fn token(&self) -> Result<Option<(&'static str, Zeroizing<String>)>, ConfigError> {
        for variable in ["GH_TOKEN", "GITHUB_TOKEN"] {
            if let Some(token) = self.get(variable)? {
                return Ok(Some((variable, token)));
            }
        }
        Ok(None)
    }

    /// Whether colours are unwelcome: <https://no-color.org>.
    pub(crate) fn no_color(&self) -> bool {
        self.get("NO_COLOR").is_ok_and(|value| value.is_some())
    }

    /// Whether this is a job of GitHub Actions:
    /// [default variables](https://docs.github.com/en/actions/reference/workflows-and-actions/variables#default-environment-variables).
    pub(crate) fn is_actions(&self) -> bool {
        self.get("GITHUB_ACTIONS")
            .is_ok_and(|value| value.is_some_and(|value| *value == "true"))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one file that reads the environment"
    )]
    fn variable(&self, name: &str) -> Option<OsString> {
        match self {
            Self::Process => env::var_os(name),
            #[cfg(test)]
            Self::Made(variables) => variables.get(&OsString::from(name)).cloned(),
        }
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(variables: [(&str, &str); N]) -> Self {
        let variables = variables.into_iter();
        Self::Made(
            variables
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

#[cfg(test)]
impl Default for Env {
    fn default() -> Self {
        Self::from([])
    }
}

#[cfg(test)]
mod tests;
