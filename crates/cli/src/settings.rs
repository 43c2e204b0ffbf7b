//! The settings of a node, from wherever they come: flags, environment, configuration file.
//!
//! All three are read by one parser. A variable of the environment, or a key of the file, is the
//! flag of the same name that nobody typed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Parser, ValueEnum};
use gh_client::{InvalidPattern, TtlRule};
use serde::Deserialize;

use crate::config::ConfigError;
use crate::env::Env;
use crate::hidden;

mod values;

use values::{MAX_SECONDS, multiaddr, on_or_off, seconds, sharing, size, socket_address};

/// The settings that one source gives; what it does not mention is left to the next.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Settings {
    /// Where clients reach the proxy; port 0 picks a free one [env: GHMESH_LISTEN] [default: 127.0.0.1:8417]
    #[arg(long, value_name = "ADDR", value_parser = socket_address)]
    pub(crate) listen: Option<SocketAddr>,

    /// The socket for gh's http_unix_socket [env: GHMESH_LISTEN_UNIX] [default: ghmesh.sock in $XDG_RUNTIME_DIR, else in the data directory]
    #[arg(long, value_name = "PATH")]
    pub(crate) listen_unix: Option<PathBuf>,

    #[arg(
        long,
        value_name = "URL",
        help = "GitHub's API; an Enterprise Server's is https://HOST/api/v3 [env: GHMESH_UPSTREAM] [default: https://api.github.com]"
    )]
    pub(crate) upstream: Option<String>,

    /// A file with a GitHub token [env: GH_TOKEN or GITHUB_TOKEN, the token itself]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Send the token with requests that bring none [env: GHMESH_INJECT_TOKEN] [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub(crate) inject_token: Option<bool>,

    /// Share with peers [env: CACHE_ENABLE_P2P] [default: true where there is a secret]
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    pub(crate) p2p: Option<bool>,

    /// A file with the secret that the fleet shares [env: CACHE_P2P_SHARED_SECRET, the secret itself] [default: the token, else what gh auth token prints]
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,

    /// A file with another secret that is good as well, while the fleet changes its secret [env: CACHE_P2P_PREVIOUS_SECRET, the secret itself]
    #[arg(long, value_name = "FILE")]
    pub(crate) previous_secret_file: Option<PathBuf>,

    /// Where peers reach this node; repeatable; a busy port gives way to the next [env: CACHE_LISTEN_PORT, a port] [default: /ip4/0.0.0.0/tcp/9100]
    #[arg(long, value_name = "MULTIADDR", action = ArgAction::Append, value_delimiter = ',', value_parser = multiaddr)]
    pub(crate) p2p_listen: Vec<cache_net::Multiaddr>,

    /// A peer to connect to, with or without /p2p/ID; repeatable, or with commas [env: CACHE_BOOTSTRAP_PEERS]
    #[arg(long, value_name = "MULTIADDR", action = ArgAction::Append, value_delimiter = ',', value_parser = multiaddr)]
    pub(crate) bootstrap: Vec<cache_net::Multiaddr>,

    /// An address to tell the peers, where they cannot see it; repeatable [env: GHMESH_EXTERNAL_ADDRESS]
    #[arg(long, value_name = "MULTIADDR", action = ArgAction::Append, value_delimiter = ',', value_parser = multiaddr)]
    pub(crate) external_address: Vec<cache_net::Multiaddr>,

    /// A file with this node's identity, made on first use [env: GHMESH_IDENTITY_FILE] [default: a fresh one at each start]
    #[arg(long, value_name = "FILE")]
    pub(crate) identity_file: Option<PathBuf>,

    /// Look for peers on the local network by multicast DNS [env: GHMESH_MDNS] [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub(crate) mdns: Option<bool>,

    /// Reach peers that cannot be dialled through one that can, and be that one for others [env: GHMESH_RELAY] [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub(crate) relay: Option<bool>,

    /// Where this node keeps its files, what it has cached among them [env: CACHE_DIR] [default: ghmesh in $XDG_CACHE_HOME]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// What the cache may occupy in memory [env: GHMESH_MAX_MEMORY] [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_memory: Option<ByteSize>,

    /// Keep nothing on disk [env: GHMESH_MEMORY_ONLY] [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub(crate) memory_only: Option<bool>,

    /// What the cache may occupy on disk [env: GHMESH_MAX_DISK] [default: 2GiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_disk: Option<ByteSize>,

    /// How long an answer is fresh about which nothing more is known [env: CACHE_DEFAULT_TTL] [default: 300]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub(crate) default_ttl: Option<u64>,

    /// How long past that it may be revalidated, or served while GitHub cannot answer [env: GHMESH_STALE_FOR] [default: 86400]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub(crate) stale_for: Option<u64>,

    /// For how long it is remembered that something is not there; not with --sharing fleet, where another token may see it [env: GHMESH_NEGATIVE_TTL] [default: not at all]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub(crate) negative_ttl: Option<u64>,

    /// Who is shown an answer without GitHub being asked: the tokens to which GitHub has shown it, or all of a fleet whose jobs have equal rights [env: GHMESH_SHARING] [default: token]
    #[arg(long, value_name = "token|fleet", value_parser = sharing)]
    pub(crate) sharing: Option<gh_client::Sharing>,

    /// Stay under GitHub's secondary limits by sending more slowly [env: GHMESH_PACE] [default: on]
    #[arg(long, value_name = "on|off", value_parser = on_or_off)]
    pub(crate) pace: Option<bool>,

    /// How long the answers of some paths are fresh; in the configuration file alone.
    #[arg(skip)]
    pub(crate) ttl: Vec<TtlRule>,

    /// How the log on stderr looks [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,

    /// Log more; twice for still more [env: GHMESH_LOG, a filter as of tracing's EnvFilter]
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Log warnings and errors alone
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// A TOML file of settings, its keys spelt like these flags
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// How the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The variable that holds the fleet's secret itself.
pub(crate) const SHARED_SECRET: &str = "CACHE_P2P_SHARED_SECRET";

/// The variable that holds the other secret of a fleet that is changing its secret.
pub(crate) const PREVIOUS_SECRET: &str = "CACHE_P2P_PREVIOUS_SECRET";

/// The variables that stand for a flag, under the names that the original system gave them where
/// it had one.
const VARIABLES: [(&str, &str); 20] = [
    ("GHMESH_LISTEN", "listen"),
    ("GHMESH_LISTEN_UNIX", "listen-unix"),
    ("GHMESH_UPSTREAM", "upstream"),
    ("GHMESH_INJECT_TOKEN", "inject-token"),
    ("CACHE_ENABLE_P2P", "p2p"),
    ("CACHE_LISTEN_PORT", "p2p-listen"),
    ("CACHE_BOOTSTRAP_PEERS", "bootstrap"),
    ("GHMESH_EXTERNAL_ADDRESS", "external-address"),
    ("GHMESH_IDENTITY_FILE", "identity-file"),
    ("GHMESH_MDNS", "mdns"),
    ("GHMESH_RELAY", "relay"),
    ("CACHE_DIR", "data-dir"),
    ("GHMESH_MAX_MEMORY", "max-memory"),
    ("GHMESH_MEMORY_ONLY", "memory-only"),
    ("GHMESH_MAX_DISK", "max-disk"),
    ("CACHE_DEFAULT_TTL", "default-ttl"),
    ("GHMESH_STALE_FOR", "stale-for"),
    ("GHMESH_NEGATIVE_TTL", "negative-ttl"),
    ("GHMESH_SHARING", "sharing"),
    ("GHMESH_PACE", "pace"),
];

impl Settings {
    /// These flags, and below them what the environment and the configuration file say.
    pub(crate) fn complete(self, env: &Env) -> Result<Self, ConfigError> {
        let mut file = match &self.config {
            Some(path) => Self::from_file(path)?,
            None => Self::default(),
        };
        // The environment counts for more, and it holds these themselves instead of a file.
        if env.get(SHARED_SECRET)?.is_some() {
            file.secret_file = None;
        }
        if env.get(PREVIOUS_SECRET)?.is_some() {
            file.previous_secret_file = None;
        }
        if env.token()?.is_some() {
            file.token_file = None;
        }
        Ok(self.or(Self::from_env(env)?).or(file))
    }

    fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let mut settings = Self::default();
        for (variable, flag) in VARIABLES {
            let Some(mut value) = env.get(variable)? else {
                continue;
            };
            if variable == "CACHE_LISTEN_PORT" {
                let port: u16 = value
                    .parse()
                    .map_err(|_| ConfigError::value(variable, &value, "it is not a port"))?;
                *value = format!("/ip4/0.0.0.0/tcp/{port}");
            }
            settings = settings.or(Self::from_flag(variable, flag, &value)?);
        }
        Ok(settings)
    }

    fn from_file(path: &PathBuf) -> Result<Self, ConfigError> {
        let unreadable = |why: String| ConfigError::file(path, &why);
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| unreadable(in_a_line(&error, &text)))?;
        let mut settings = Self::default();
        for (key, value) in table {
            if ["config", "verbose", "quiet"].contains(&key.as_str()) {
                return Err(unreadable(format!(
                    "`{key}` can be given on the command line alone"
                )));
            }
            let source = format!("{}: {}", path.display(), hidden::name(&key));
            if key == "ttl" {
                settings.ttl = ttl_rules(value).map_err(unreadable)?;
                continue;
            }
            let values = match value {
                toml::Value::Array(values) => values,
                value => vec![value],
            };
            let text: Vec<String> = values.into_iter().map(plain).collect();
            settings = settings.or(Self::from_flag(&source, &key, &text.join(","))?);
        }
        Ok(settings)
    }

    /// What `--flag=value` says, on behalf of the source that gave the value.
    fn from_flag(source: &str, flag: &str, value: &str) -> Result<Self, ConfigError> {
        /// A command line of nothing but settings.
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            settings: Settings,
        }

        let line = ["ghmesh".to_owned(), format!("--{flag}={value}")];
        match Line::try_parse_from(line) {
            Ok(line) => Ok(line.settings),
            Err(error) if error.kind() == clap::error::ErrorKind::UnknownArgument => {
                Err(ConfigError::UnknownKey(source.to_owned()))
            }
            Err(error) => {
                let error = hidden::refusal(error);
                Err(ConfigError::value(source, value, &reason(&error)))
            }
        }
    }

    /// These settings, and what they do not mention from `lower`.
    fn or(self, lower: Self) -> Self {
        fn list<T>(upper: Vec<T>, lower: Vec<T>) -> Vec<T> {
            if upper.is_empty() { lower } else { upper }
        }
        Self {
            listen: self.listen.or(lower.listen),
            listen_unix: self.listen_unix.or(lower.listen_unix),
            upstream: self.upstream.or(lower.upstream),
            token_file: self.token_file.or(lower.token_file),
            inject_token: self.inject_token.or(lower.inject_token),
            p2p: self.p2p.or(lower.p2p),
            secret_file: self.secret_file.or(lower.secret_file),
            previous_secret_file: self.previous_secret_file.or(lower.previous_secret_file),
            p2p_listen: list(self.p2p_listen, lower.p2p_listen),
            bootstrap: list(self.bootstrap, lower.bootstrap),
            external_address: list(self.external_address, lower.external_address),
            identity_file: self.identity_file.or(lower.identity_file),
            mdns: self.mdns.or(lower.mdns),
            relay: self.relay.or(lower.relay),
            data_dir: self.data_dir.or(lower.data_dir),
            max_memory: self.max_memory.or(lower.max_memory),
            memory_only: self.memory_only.or(lower.memory_only),
            max_disk: self.max_disk.or(lower.max_disk),
            default_ttl: self.default_ttl.or(lower.default_ttl),
            stale_for: self.stale_for.or(lower.stale_for),
            negative_ttl: self.negative_ttl.or(lower.negative_ttl),
            sharing: self.sharing.or(lower.sharing),
            pace: self.pace.or(lower.pace),
            ttl: list(self.ttl, lower.ttl),
            log_format: self.log_format.or(lower.log_format),
            verbose: self.verbose.max(lower.verbose),
            quiet: self.quiet || lower.quiet,
            config: self.config.or(lower.config),
        }
    }
}

/// What is wrong with a file, and in which line.
fn in_a_line(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map_or(1, |span| {
        let before = text.get(..span.start).unwrap_or(text);
        before.matches('\n').count() + 1
    });
    let message = error.message().replace('\n', ", ");
    format!("line {line}: {message}")
}

/// The rules of a file's `[[ttl]]`: `path = "/repos/*/*/actions/**"`, `seconds = 30`.
fn ttl_rules(value: toml::Value) -> Result<Vec<TtlRule>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rule {
        path: String,
        seconds: u64,
    }
    let rules: Vec<Rule> = value
        .try_into()
        .map_err(|error: toml::de::Error| format!("[[ttl]]: {}", error.message()))?;
    let rules = rules.into_iter().map(|Rule { path, seconds }| {
        if seconds > MAX_SECONDS {
            return Err(format!(
                "[[ttl]]: {seconds} seconds are more than a hundred years"
            ));
        }
        let path = path
            .parse()
            .map_err(|error: InvalidPattern| format!("[[ttl]]: {error}"))?;
        let ttl = Duration::from_secs(seconds);
        Ok(TtlRule { path, ttl })
    });
    rules.collect()
}

/// A value of a TOML file as it would stand on a command line.
fn plain(value: toml::Value) -> String {
    match value {
        toml::Value::String(text) => text,
        other => other.to_string(),
    }
}

/// What clap has against a value, without the sentence around it, which names a flag that nobody
/// typed.
fn reason(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let reason = first
        .rsplit_once("': ")
        .or_else(|| first.rsplit_once(">': "));
    match reason {
        Some((_, reason)) => reason.to_owned(),
        None => first.trim_start_matches("error: ").to_owned(),
    }
}

#[cfg(test)]
mod tests;
