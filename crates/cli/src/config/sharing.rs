//! Whether a node has peers, and which secret it has in common with them.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use cache_crypto::{Secret, SecretKind};
use cache_net::{Multiaddr, Protocol};
use gh_client::Token;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time;
use zeroize::Zeroizing;

use super::{Chain, ConfigError};
use crate::env::Env;
use crate::settings::{PREVIOUS_SECRET, SHARED_SECRET, Settings};

const DEFAULT_P2P_PORT: u16 = 9100;

/// `gh` reads a file, or asks the system's key ring. Beyond this it waits for somebody who is not
/// there.
const GH_TIMEOUT: Duration = Duration::from_secs(3);

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
