//! Who is upstream: the stand-in for GitHub, or recordings of GitHub itself.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use cache_core::testing::ManualClock;
use cache_core::{Clock as _, SystemClock};
use e2e::client::Ask;
use gh_client::testing::{StandIn, Token};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::clients::{Client, SCRIPTS};
use crate::tap::{End, Tap};
use crate::transcript::Names;

/// The token that all clients use.
pub(crate) const TOKEN: &str = StandIn::TOKEN;

pub(crate) enum GitHub {
    StandIn(StandIn),
    Recording(Recording),
}

/// One scenario of `@octokit/fixtures`: each request is answered once.
pub(crate) struct Recording {
    name: &'static str,
    address: String,
    /// What the answers are filed under since they were last loaded.
    id: String,
    _process: Child,
}

impl GitHub {
    /// The stand-in. Its clock stands still, so that what is written looks the same in each run.
    pub(crate) async fn stand_in() -> Self {
        let clock = ManualClock::default();
        clock.set(SystemClock.now());
        let github = StandIn::builder().clock(Arc::new(clock));
        let github = github.token(Token::new(TOKEN)).start().await;
        Self::StandIn(github.expect("there is a port"))
    }

    /// A recording, whose links lead to `upstream`.
    pub(crate) async fn recording(name: &'static str, upstream: &Tap) -> Self {
        let mut process = Command::new("node")
            .arg(Path::new(SCRIPTS).join("fixtures.mjs"))
            .args([name, &upstream.url])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("there is node");
        let mut port = String::new();
        let stdout = process.stdout.take().expect("stdout is piped");
        let said = BufReader::new(stdout).read_line(&mut port).await;
        said.expect("it prints its port");
        let mut recording = Recording {
            name,
            address: format!("127.0.0.1:{}", port.trim()),
            id: String::new(),
            _process: process,
        };
        recording.load().await;
        Self::Recording(recording)
    }

    /// Where it is, for a client of this kind. GitHub names itself in its links, and `gh` sends its
    /// token to nobody of another name.
    pub(crate) fn end(&self, client: Client) -> End {
        let tcp = match self {
            Self::StandIn(github) => github.url().trim_start_matches("http://").to_owned(),
            Self::Recording(recording) => recording.address.clone(),
        };
        End {
            tcp,
            unix: None,
            host: (client == Client::Gh).then_some("api.github.com"),
        }
    }

    /// The API's URL, by way of a tap.
    pub(crate) fn url(&self, tap: &Tap) -> String {
        match self {
            Self::StandIn(_) => tap.url.clone(),
            Self::Recording(Recording { id, .. }) => format!("{}/api.github.com/{id}", tap.url),
        }
    }

    /// What the API's URL is in its answers.
    pub(crate) fn site(&self, tap: &Tap) -> String {
        match self {
            Self::StandIn(github) => github.url().to_owned(),
            Self::Recording(_) => self.url(tap),
        }
    }

    /// What is called by another name whenever it is loaded, and what it is called here.
    pub(crate) fn names(&self) -> Names {
        match self {
            Self::StandIn(_) => Names::new(),
            Self::Recording(Recording { id, .. }) => vec![
                (format!("/api.github.com/{id}"), String::new()),
                (id.clone(), "ID".to_owned()),
            ],
        }
    }

    /// Does to the stand-in what a scenario needs.
    pub(crate) fn prepare(&self, prepare: fn(&StandIn)) {
        if let Self::StandIn(github) = self {
            prepare(github);
        }
    }

    /// Makes it what it was at first.
    pub(crate) async fn restore(&mut self) {
        match self {
            Self::StandIn(github) => github.restore(),
            Self::Recording(recording) => recording.load().await,
        }
    }
}

impl Recording {
    async fn load(&mut self) {
        let scenario = json!({ "scenario": self.name }).to_string();
        let load = Ask::post("/fixtures", scenario).header("content-type", "application/json");
        let answer = load.send(&self.address).await;
        let loaded: Value = serde_json::from_slice(&answer.body).expect("JSON");
        self.id = loaded["id"].as_str().expect("an id").to_owned();
    }
}
