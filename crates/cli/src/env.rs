//! The environment, read in this file alone.

use std::collections::HashMap;
use std::ffi::OsString;

use crate::config::ConfigError;

/// The variables of the environment. An empty one counts as absent, because that is what a
/// workflow makes of an input that nobody has given.
#[derive(Clone, Default)]
pub(crate) struct Env {
    variables: HashMap<OsString, OsString>,
}

impl Env {
    /// The environment of this process.
    pub(crate) fn of_process() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
        }
    }

    /// What a variable says.
    pub(crate) fn get(&self, name: &str) -> Result<Option<String>, ConfigError> {
        match self.variables.get(&OsString::from(name)) {
            Some(value) if !value.is_empty() => match value.to_str() {
                Some(text) => Ok(Some(text.to_owned())),
                None => Err(ConfigError::NotUtf8(name.to_owned())),
            },
            _ => Ok(None),
        }
    }

    /// GitHub's token, and the variable that holds it.
    pub(crate) fn token(&self) -> Result<Option<(&'static str, String)>, ConfigError> {
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
            .is_ok_and(|value| value.as_deref() == Some("true"))
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(variables: [(&str, &str); N]) -> Self {
        let variables = variables.into_iter();
        Self {
            variables: variables
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }
}
