//! The clients, and how each is sent to GitHub or to a node.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::time;

use crate::github::TOKEN;

/// Where the scripts are, and what they need once `cargo xtask conformance` has installed it.
pub(crate) const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance");

/// How long a client may take. Only a failing one ever does.
const PATIENCE: Duration = Duration::from_secs(60);

/// The token in octokit's recordings.
const RECORDED_TOKEN: &str = "0000000000000000000000000000000000000001";

/// A client that people use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Gh,
    Curl,
    Octokit,
    PyGithub,
    /// octokit, asking again what it was once recorded asking.
    Recorded,
}

/// What a client is sent to.
pub(crate) struct Place<'a> {
    /// The API, by HTTP.
    pub(crate) url: &'a str,
    /// The same, by a socket.
    pub(crate) socket: &'a Path,
    /// What the API is called in its own answers.
    pub(crate) site: &'a str,
}

/// A user's home: empty at first.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }
}

impl Client {
    /// Runs one step of a scenario.
    pub(crate) async fn run(
        self,
        step: &str,
        scenario: &str,
        place: &Place<'_>,
        home: &Home,
    ) -> Output {
        // Braces are gh's own, too.
        let step = match self {
            Self::Curl => step
                .replace("{repo}", "{url}/repos/octocat/hello-world")
                .replace("{url}", place.url),
            _ => step.to_owned(),
        };
        let args = shlex::split(&step).expect("its quotes are closed");
        let command = match self {
            Self::Gh => gh(&args, place, home),
            Self::Curl => curl(&args),
            Self::Octokit => octokit(&args, place, TOKEN),
            Self::Recorded => octokit(
                &[args, vec![scenario.to_owned()]].concat(),
                place,
                RECORDED_TOKEN,
            ),
            Self::PyGithub => pygithub(&args, place),
        };
        run(command, home).await
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gh => "gh",
            Self::Curl => "curl",
            Self::Octokit => "octokit",
            Self::PyGithub => "PyGithub",
            Self::Recorded => "fixtures",
        })
    }
}

fn gh(args: &[String], place: &Place<'_>, home: &Home) -> Command {
    let config = format!("http_unix_socket: {}\n", place.socket.display());
    std::fs::write(home.0.path().join("config.yml"), config).expect("it can be written");
    let mut command = Command::new("gh");
    command
        .args(args)
        .env("GH_CONFIG_DIR", home.0.path())
        .env("GH_TOKEN", TOKEN)
        .env("GH_REPO", "octocat/hello-world")
        .env("GH_NO_UPDATE_NOTIFIER", "1");
    command
}

fn curl(args: &[String]) -> Command {
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--output", "body"])
        .args(["--write-out", "%{http_code} %{content_type}"])
        .args(["--oauth2-bearer", TOKEN])
        .args(args);
    command
}

fn octokit(args: &[String], place: &Place<'_>, token: &str) -> Command {
    let mut command = Command::new("node");
    command
        .arg(Path::new(SCRIPTS).join("octokit.mjs"))
        .args(args)
        .env("BASE_URL", place.url)
        .env("GH_TOKEN", token);
    command
}

/// It keeps to GitHub's own URL, which the answers name, and gets there by way of a proxy.
fn pygithub(args: &[String], place: &Place<'_>) -> Command {
    let mut command = Command::new(Path::new(SCRIPTS).join(".venv/bin/python"));
    command
        .arg(Path::new(SCRIPTS).join("pygithub.py"))
        .args(args)
        .env("BASE_URL", place.site)
        .env("http_proxy", place.url)
        .env("GH_TOKEN", TOKEN);
    command
}

/// Runs a command in an environment that has nothing else to say.
async fn run(mut command: Command, home: &Home) -> Output {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name != "PATH") {
        if !sets(&command, &name) {
            command.env_remove(name);
        }
    }
    command
        .env("HOME", home.0.path())
        // Where `gh api --cache` keeps things.
        .env("TMPDIR", home.0.path())
        .current_dir(home.0.path())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = time::timeout(PATIENCE, command.output()).await;
    output.expect("it ends").expect("it starts")
}

fn sets(command: &Command, name: &OsStr) -> bool {
    command.as_std().get_envs().any(|(set, _)| set == name)
}
