//! Runners of a demonstration: real `ghmesh serve` processes on this machine.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use cache_crypto::Secret;
use http::StatusCode;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{self, Instant};

use crate::node_client::NodeClient;
use crate::report::NodeStats;

/// How long a process may take to say that it is ready, and to find its peers.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a runner is asked whether something has come true.
const POLL: Duration = Duration::from_millis(20);

/// One runner. It is killed when it is dropped.
pub(crate) struct Runner {
    node: NodeClient,
    p2p: String,
    _process: Child,
}

impl Runner {
    /// Starts a runner that knows all that were started before it.
    pub(crate) async fn start(
        dir: &Path,
        upstream: &str,
        secret: &Secret,
        others: &[Self],
    ) -> anyhow::Result<Self> {
        let executable = std::env::current_exe().context("where is ghmesh itself?")?;
        let bootstrap: Vec<&str> = others.iter().map(|runner| runner.p2p.as_str()).collect();
        let mut process = Command::new(executable)
            .args(["serve", "--quiet", "--listen", "127.0.0.1:0"])
            .args(["--p2p-listen", "/ip4/127.0.0.1/tcp/0"])
            .args(["--upstream", upstream])
            .arg("--data-dir")
            .arg(dir)
            .env_clear()
            .env("CACHE_P2P_SHARED_SECRET", secret.expose())
            .env("CACHE_BOOTSTRAP_PEERS", bootstrap.join(","))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start `ghmesh serve`")?;
        let stdout = process.stdout.take().context("its stdout is piped")?;
        let mut line = String::new();
        let mut lines = BufReader::new(stdout);
        time::timeout(PATIENCE, lines.read_line(&mut line))
            .await
            .context("`ghmesh serve` does not get ready")??;
        let field = |name| {
            let mut words = line.split_whitespace();
            words.find_map(|word| word.strip_prefix(name))
        };
        let (Some(http), Some(p2p)) = (field("http="), field("p2p=")) else {
            bail!("`ghmesh serve` ended before it was ready");
        };
        Ok(Self {
            node: NodeClient::new(http)?,
            p2p: p2p.to_owned(),
            _process: process,
        })
    }

    /// What a client of this runner gets.
    pub(crate) async fn get(&self, path: &str, token: &str) -> anyhow::Result<Bytes> {
        let authorization = format!("Bearer {token}");
        let headers = [("authorization", authorization.as_str())];
        let (status, body) = self.node.fetch(path, &headers).await?;
        if status != StatusCode::OK {
            bail!("GET {path}: {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    /// The runner's counters.
    pub(crate) async fn stats(&self) -> anyhow::Result<NodeStats> {
        self.node.get("/-/stats").await
    }

    /// Waits until the counters say so.
    pub(crate) async fn wait_until(
        &self,
        what: &str,
        is_true: impl Fn(&NodeStats) -> bool,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let stats = self.stats().await?;
            if is_true(&stats) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!(
                    "waited for {what}, in vain: {}",
                    serde_json::to_string(&stats)?
                );
            }
            time::sleep(POLL).await;
        }
    }
}
