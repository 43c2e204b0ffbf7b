//! The settings, resolved once into what a node runs with.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use cache_crypto::{Secret, SecretKind, looks_secret, read_private};
use cache_net::{Multiaddr, Protocol};
use etcetera::BaseStrategy;
use gh_client::{BaseUrl, Token, TtlRule};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time;
use zeroize::Zeroizing;

use crate::env::Env;
use crate::hidden;
use crate::settings::{PREVIOUS_SECRET, SHARED_SECRET, Settings};

const DEFAULT_PORT: u16 = 8417;
const DEFAULT_P2P_PORT: u16 = 9100;
const DEFAULT_UPSTREAM: &str = "https://api.github.com";
const DEFAULT_MEMORY: u64 = 256 * 1024 * 1024;
const DEFAULT_DISK: u64 = 2 * 1024 * 1024 * 1024;

/// `gh` reads a file, or asks the system's key ring. Beyond this it waits for somebody who is not
/// there.
const GH_TIMEOUT: Duration = Duration::from_secs(3);

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

/// Whether this node has peers.
pub(crate) enum Sharing {
    Off,
    On { secrets: Box<Secrets>, net: Net },
}

/// What makes this node a member.
#[derive(Debug)]
pub(crate) struct Secrets {
    pub(crate) current: Secret,
    /// Good for members that have not come to the current one yet, or have left it already.
    pub(crate) previous: Option<Secret>,
}

/// How the peers are reached.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) listen: Vec<Multiaddr>,
    pub(crate) bootstrap: Vec<Multiaddr>,
    pub(crate) external: Vec<Multiaddr>,
    pub(crate) identity_file: Option<PathBuf>,
    pub(crate) mdns: bool,
    pub(crate) relay: bool,
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

impl fmt::Debug for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("Off"),
            Self::On { secrets, net } => f
                .debug_struct("On")
                .field("secrets", secrets)
                .field("net", net)
                .finish(),
        }
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

/// Whether there are peers, and how they are reached.
pub(crate) async fn sharing(
    settings: &Settings,
    env: &Env,
    token: Option<&Token>,
) -> Result<Sharing, ConfigError> {
    if settings.p2p == Some(false) {
        tracing::debug!("not sharing with peers, as configured");
        return Ok(Sharing::Off);
    }
    let current = match secret(settings, env, token).await {
        Ok(Some(secret)) => secret,
        Ok(None) if settings.p2p == Some(true) => return Err(ConfigError::NoSecret),
        Ok(None) => {
            tracing::warn!(
                "not sharing with peers: there is no secret; make one with `ghmesh secret new` and \
                 give it to each node as CACHE_P2P_SHARED_SECRET"
            );
            return Ok(Sharing::Off);
        }
        // Nobody has said that this token is to be a secret.
        Err(error @ ConfigError::TokenAsSecret { .. }) if settings.p2p != Some(true) => {
            tracing::warn!("not sharing with peers: {error}");
            return Ok(Sharing::Off);
        }
        Err(error) => return Err(error),
    };
    warn_of_a_fleet_of_one(&current, env);
    let listen = match settings.p2p_listen.as_slice() {
        [] => vec![default_p2p_listen()],
        addresses => addresses.to_vec(),
    };
    Ok(Sharing::On {
        secrets: Box::new(Secrets {
            previous: previous_secret(settings, env)?,
            current,
        }),
        net: Net {
            listen,
            bootstrap: settings.bootstrap.clone(),
            external: settings.external_address.clone(),
            identity_file: settings.identity_file.clone(),
            mdns: settings.mdns.unwrap_or(false),
            relay: settings.relay.unwrap_or(false),
        },
    })
}

/// `/ip4/0.0.0.0/tcp/9100`.
fn default_p2p_listen() -> Multiaddr {
    Multiaddr::from(Ipv4Addr::UNSPECIFIED).with(Protocol::Tcp(DEFAULT_P2P_PORT))
}

async fn secret(
    settings: &Settings,
    env: &Env,
    token: Option<&Token>,
) -> Result<Option<Secret>, ConfigError> {
    let file = settings.secret_file.as_deref();
    if let Some(secret) = given_secret("--secret-file", file, SHARED_SECRET, env)? {
        return Ok(Some(secret));
    }
    if let Some(token) = token {
        return token_as_secret(token.expose()).map(Some);
    }
    let Some(token) = gh_auth_token().await else {
        return Ok(None);
    };
    token_as_secret(token.expose()).map(Some)
}

/// Wherever it came from: a workflow that gives `github.token` as the secret means well.
fn warn_of_a_fleet_of_one(secret: &Secret, env: &Env) {
    if secret.kind() == SecretKind::InstallationToken && env.is_actions() {
        tracing::warn!(
            "the secret is this job's own GITHUB_TOKEN, which no other job has: this fleet will \
             have one member; store the output of `ghmesh secret new` as a secret of the \
             repository, and give it to each job as CACHE_P2P_SHARED_SECRET"
        );
    }
}

fn previous_secret(settings: &Settings, env: &Env) -> Result<Option<Secret>, ConfigError> {
    let file = settings.previous_secret_file.as_deref();
    let secret = given_secret("--previous-secret-file", file, PREVIOUS_SECRET, env)?;
    if let Some(secret) = &secret {
        tracing::info!("members that have only the secret {secret} are members, too");
    }
    Ok(secret)
}

/// The secret in a file, else in the environment.
fn given_secret(
    flag: &str,
    file: Option<&Path>,
    variable: &str,
    env: &Env,
) -> Result<Option<Secret>, ConfigError> {
    if let Some(path) = file {
        let secret = Secret::read(path);
        return secret
            .map(Some)
            .map_err(|error| ConfigError::unusable(flag, Chain(&error)));
    }
    let Some(text) = env.get(variable)? else {
        return Ok(None);
    };
    let secret = Secret::parse(&text).map_err(|error| ConfigError::Secret {
        origin: variable.to_owned(),
        why: error.to_string(),
    })?;
    Ok(Some(secret))
}

fn token_as_secret(token: &str) -> Result<Secret, ConfigError> {
    Secret::parse(token).map_err(|error| ConfigError::TokenAsSecret {
        why: error.to_string(),
    })
}

/// The token that `gh` is logged in with. Not having `gh`, or not being logged in, is no error, and
/// neither is a `gh` that prints something longer than any token.
async fn gh_auth_token() -> Option<Token> {
    let mut gh = Command::new("gh")
        .args(["auth", "token"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let limit = Secret::MAX_BYTES + 1;
    let mut stdout = gh.stdout.take()?.take(limit as u64);
    // The room is taken at once: a buffer that moves leaves what it held behind.
    let mut text = Zeroizing::new(Vec::with_capacity(2 * limit));
    let printed = async {
        stdout.read_to_end(&mut text).await.ok()?;
        gh.wait().await.ok()?.success().then_some(())
    };
    time::timeout(GH_TIMEOUT, printed).await.ok()??;
    let is_whole = text.len() < limit;
    let text = str::from_utf8(&text).ok().filter(|_| is_whole)?;
    Token::new(text).ok()
}

#[cfg(test)]
mod tests;
