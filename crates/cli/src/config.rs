//! The settings, resolved once into what a node runs with.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cache_crypto::{looks_secret, read_private};
use etcetera::BaseStrategy;
use gh_client::{BaseUrl, Token, TtlRule};

use crate::env::Env;
use crate::hidden;
use crate::settings::Settings;

mod sharing;

pub(crate) use sharing::{Net, Secrets, Sharing, sharing};

const DEFAULT_PORT: u16 = 8417;
const DEFAULT_UPSTREAM: &str = "https://api.github.com";
const DEFAULT_MEMORY: u64 = 256 * 1024 * 1024;
const DEFAULT_DISK: u64 = 2 * 1024 * 1024 * 1024;

/// What a node runs with.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) unix: UnixSocket,
    pub(crate) upstream: String,
    /// The token that requests without one are given.
    pub(crate) injected_token: Option<Token>,
    pub(crate) sharing: Sharing,
    pub(crate) max_memory: u64,
    /// The store on disk; `None` keeps everything in memory.
    pub(crate) disk: Option<Disk>,
    pub(crate) default_ttl: Duration,
    pub(crate) stale_for: Duration,
    pub(crate) negative_ttl: Option<Duration>,
    pub(crate) ttl_rules: Vec<TtlRule>,
    /// Who is shown an answer without GitHub being asked.
    pub(crate) shown_to: gh_client::Sharing,
    /// Whether to stay under GitHub's secondary limits.
    pub(crate) pace: bool,
}

/// Where entries are kept that outlive the process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) dir: PathBuf,
    pub(crate) max_bytes: u64,
}

/// Where the socket for `gh` is.
#[derive(Debug)]
pub(crate) struct UnixSocket {
    pub(crate) path: PathBuf,
    /// Somebody asked for this very place. Without it being so, a node starts without the socket
    /// where there can be none.
    pub(crate) required: bool,
}

/// A configuration that cannot be. Each says where it stands, and what would do instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{origin}: {value}: {why}")]
    Value {
        origin: String,
        /// As it may be shown.
        value: String,
        why: String,
    },
    #[error("{0}: there is no such setting; `ghmesh serve --help` lists them")]
    UnknownKey(String),
    #[error("{0} is not UTF-8")]
    NotUtf8(String),
    #[error("--config {path}: {why}")]
    File {
        /// As it may be shown.
        path: String,
        why: String,
    },
    #[error("{origin}: {why}")]
    Secret { origin: String, why: String },
    #[error(
        "the GitHub token cannot be the fleet's secret: {why}; give one as CACHE_P2P_SHARED_SECRET"
    )]
    TokenAsSecret { why: String },
    #[error(
        "--p2p true (CACHE_ENABLE_P2P): there is no secret; make one with `ghmesh secret new` and \
         give it to each node as CACHE_P2P_SHARED_SECRET"
    )]
    NoSecret,
    #[error(
        "no home directory, so no place for files; name one with --data-dir, or keep none with --memory-only"
    )]
    NoHome,
    #[error("{what}: {why}")]
    Unusable { what: String, why: String },
}

impl ConfigError {
    /// A value that does not parse. It is not repeated where it looks like a secret.
    pub(crate) fn value(origin: &str, value: &str, why: &str) -> Self {
        Self::Value {
            origin: origin.to_owned(),
            value: hidden::value(value),
            why: why.to_owned(),
        }
    }

    /// A configuration file of no use.
    pub(crate) fn file(path: &Path, why: &str) -> Self {
        Self::File {
            path: hidden::path(path),
            why: why.to_owned(),
        }
    }

    /// A value that parses, and that the machine has something against.
    pub(crate) fn unusable(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::Unusable {
            what: what.to_string(),
            why: why.to_string(),
        }
    }
}

/// An error with its causes, in one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        match self.0.source() {
            Some(source) => write!(f, ": {}", Chain(source)),
            None => Ok(()),
        }
    }
}

impl Config {
    /// Resolves complete settings; what else there is comes from the environment and, for the
    /// secret, from `gh`.
    pub(crate) async fn resolve(settings: Settings, env: &Env) -> Result<Self, ConfigError> {
        let upstream = upstream(&settings)?;
        let token = token(&settings, env)?;
        let sharing = sharing(&settings, env, token.as_ref()).await?;
        let disk = disk(&settings, &sharing)?;
        let seconds =
            |setting: Option<u64>, default| Duration::from_secs(setting.unwrap_or(default));
        let inject = settings.inject_token.unwrap_or(false);
        if inject && token.is_none() {
            return Err(ConfigError::unusable(
                "--inject-token",
                "there is no token; give one with --token-file, GH_TOKEN or GITHUB_TOKEN",
            ));
        }
        Ok(Self {
            listen: listen(&settings),
            unix: unix_socket(&settings, env)?,
            upstream,
            injected_token: token.filter(|_| inject),
            sharing,
            max_memory: settings
                .max_memory
                .map_or(DEFAULT_MEMORY, |size| size.as_u64()),
            disk,
            default_ttl: seconds(settings.default_ttl, 300),
            stale_for: seconds(settings.stale_for, 86_400),
            negative_ttl: settings.negative_ttl.map(Duration::from_secs),
            ttl_rules: settings.ttl,
            shown_to: settings.sharing.unwrap_or_default(),
            pace: settings.pace.unwrap_or(true),
        })
    }
}

/// The URL of the API.
pub(crate) fn upstream(settings: &Settings) -> Result<String, ConfigError> {
    let upstream = settings
        .upstream
        .clone()
        .unwrap_or_else(|| DEFAULT_UPSTREAM.to_owned());
    BaseUrl::parse(&upstream).map_err(|error| {
        let setting = "--upstream (GHMESH_UPSTREAM)";
        // Of a password in a URL the error says so, and shows the rest.
        if looks_secret(&upstream) && !upstream.contains('@') {
            let why = "it is not the URL of an API; give it like https://api.github.com";
            return ConfigError::value(setting, &upstream, why);
        }
        ConfigError::unusable(setting, error)
    })?;
    Ok(upstream)
}

/// Where clients reach the proxy.
pub(crate) fn listen(settings: &Settings) -> SocketAddr {
    let default = (Ipv4Addr::LOCALHOST, DEFAULT_PORT).into();
    settings.listen.unwrap_or(default)
}

/// Where `gh` reaches it.
pub(crate) fn unix_socket(settings: &Settings, env: &Env) -> Result<UnixSocket, ConfigError> {
    if let Some(path) = &settings.listen_unix {
        return Ok(UnixSocket {
            path: path.clone(),
            required: true,
        });
    }
    if let Some(runtime_dir) = env.get("XDG_RUNTIME_DIR")? {
        return Ok(UnixSocket {
            path: Path::new(runtime_dir.as_str()).join("ghmesh.sock"),
            required: false,
        });
    }
    Ok(UnixSocket {
        path: data_dir(settings)?.join("ghmesh.sock"),
        required: settings.data_dir.is_some(),
    })
}

/// Nothing is written to disk unsealed, and without a secret there is nothing to seal it with.
pub(crate) fn disk(settings: &Settings, sharing: &Sharing) -> Result<Option<Disk>, ConfigError> {
    if settings.memory_only == Some(true) {
        return Ok(None);
    }
    if matches!(sharing, Sharing::Off) {
        if settings.max_disk.is_some() {
            tracing::warn!(
                "--max-disk (GHMESH_MAX_DISK) has no effect: without a secret to seal it with, \
                 nothing is kept on disk"
            );
        }
        return Ok(None);
    }
    let max_bytes = settings.max_disk.map_or(DEFAULT_DISK, |size| size.as_u64());
    let dir = data_dir(settings)?;
    Ok(Some(Disk { dir, max_bytes }))
}

fn data_dir(settings: &Settings) -> Result<PathBuf, ConfigError> {
    if let Some(dir) = &settings.data_dir {
        return Ok(dir.clone());
    }
    let base = etcetera::choose_base_strategy().map_err(|_| ConfigError::NoHome)?;
    Ok(base.cache_dir().join("ghmesh"))
}

/// GitHub's token, where one is given.
pub(crate) fn token(settings: &Settings, env: &Env) -> Result<Option<Token>, ConfigError> {
    if let Some(path) = &settings.token_file {
        let refused = |why: &dyn fmt::Display| ConfigError::unusable("--token-file", why);
        let text = read_private(path).map_err(|error| refused(&Chain(&error)))?;
        let token = Token::new(&text).map_err(|error| {
            let why = format!("what is in {} is of no use: {error}", path.display());
            refused(&why)
        })?;
        return Ok(Some(token));
    }
    let Some((variable, text)) = env.token()? else {
        return Ok(None);
    };
    let token = Token::new(&text).map_err(|error| ConfigError::Secret {
        origin: variable.to_owned(),
        why: error.to_string(),
    })?;
    Ok(Some(token))
}

#[cfg(test)]
mod tests;
