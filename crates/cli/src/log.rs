//! The log, on stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::ConfigError;
use crate::env::Env;
use crate::settings::{LogFormat, Settings};

/// Starts logging. `GHMESH_LOG` is more exact than `-v` and `-q`, and wins over them.
pub(crate) fn start(settings: &Settings, env: &Env) -> Result<(), ConfigError> {
    let filter = match env.get("GHMESH_LOG")? {
        Some(text) => EnvFilter::try_new(&text)
            .map_err(|error| ConfigError::value("GHMESH_LOG", &text, &error.to_string()))?,
        None => EnvFilter::new(default_filter(settings)),
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && !env.no_color());
    match settings.log_format.unwrap_or(LogFormat::Text) {
        LogFormat::Text => log.with_target(settings.verbose > 0).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

fn default_filter(settings: &Settings) -> &'static str {
    // libp2p tells of each connection that fails; what matters of it cache-net says in its words.
    match (settings.quiet, settings.verbose) {
        (true, _) => "warn,libp2p=error",
        (false, 0) => "info,libp2p=error",
        (false, 1) => "debug,libp2p=warn,hyper=info,hyper_util=info",
        (false, _) => "trace",
    }
}
