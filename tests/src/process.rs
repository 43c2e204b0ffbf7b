//! `ghmesh` as a process, started as a user would start it.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time;

use crate::client::{Answer, Ask};
use crate::{PATIENCE, eventually};

/// A secret that a fleet may share.
pub const SECRET: &str = "ghmesh_3d5c8a3a2a6f0b7e9c1d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293";

/// `ghmesh` with these arguments, and an environment in which nothing is set.
pub fn ghmesh(args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(args)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// What `ghmesh` with these arguments prints, once it has ended.
pub async fn output(args: &[&str]) -> Output {
    let output = ghmesh(args).output();
    time::timeout(PATIENCE, output)
        .await
        .expect("it ends")
        .expect("it starts")
}

/// The binary, built from the sources as they are.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let mut build = std::process::Command::new(env!("CARGO"));
        // A part of what `cargo test --workspace` builds, so that it finds everything built where
        // this test is part of that: the CLI's own tests, which come with the CLI.
        build.args(["test", "--quiet", "--workspace", "--no-run", "--test", "it"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        // What cargo tells a test about its package would make ring's build script run again, and
        // everything above ring would be built again, too.
        let is_of_package =
            |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(is_of_package) {
                build.env_remove(name);
            }
        }
        let built = build.status().expect("cargo runs").success();
        assert!(built, "ghmesh does not build");
        let test = std::env::current_exe().expect("a test is a file");
        let profile = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
        profile.join("ghmesh")
    })
}

/// A running `ghmesh serve`. It is killed when it is dropped.
#[derive(Debug)]
pub struct Node {
    process: Child,
    stdout: BufReader<ChildStdout>,
    /// The line in which it said that it is ready.
    pub ready: String,
    dir: TempDir,
}

impl Node {
    /// Starts a node with these flags, on free ports, in a directory of its own.
    pub async fn start(upstream: &str, flags: &[&str]) -> Self {
        Self::start_with(upstream, flags, &[]).await
    }

    /// Starts a member of the fleet that shares `secret` and knows `others`.
    pub async fn join(upstream: &str, secret: &str, others: &[&Self]) -> Self {
        let bootstrap: Vec<&str> = others.iter().map(|node| node.field("p2p")).collect();
        let env = [
            ("CACHE_P2P_SHARED_SECRET", secret),
            ("CACHE_BOOTSTRAP_PEERS", &bootstrap.join(",")),
            // What a test asks for at once, GitHub would take minutes to be asked.
            ("GHMESH_PACE", "off"),
        ];
        let flags = ["--p2p-listen", "/ip4/127.0.0.1/tcp/0"];
        Self::start_with(upstream, &flags, &env).await
    }

    /// Starts a node with these flags and variables.
    pub async fn start_with(upstream: &str, flags: &[&str], env: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self::start_in(dir, upstream, flags, env).await
    }

    /// Starts a node in the data directory of one that has ended.
    pub async fn start_in(
        dir: TempDir,
        upstream: &str,
        flags: &[&str],
        env: &[(&str, &str)],
    ) -> Self {
        Self::start_logging(dir, upstream, flags, env, Stdio::inherit()).await
    }

    /// Starts a node that writes its log here.
    pub async fn start_logging(
        dir: TempDir,
        upstream: &str,
        flags: &[&str],
        env: &[(&str, &str)],
        log: Stdio,
    ) -> Self {
        let data_dir = dir.path().to_str().expect("a path in UTF-8");
        let fixed = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            data_dir,
            "--upstream",
            upstream,
        ];
        let mut process = ghmesh(&[&fixed, flags].concat())
            .envs(env.iter().copied())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut ready = String::new();
        time::timeout(PATIENCE, stdout.read_line(&mut ready))
            .await
            .expect("it gets ready")
            .expect("it prints text");
        assert!(ready.starts_with("ghmesh ready "), "{ready:?}");
        Self {
            process,
            stdout,
            ready: ready.trim_end().to_owned(),
            dir,
        }
    }

    /// A field of the ready line.
    pub fn field(&self, name: &str) -> &str {
        let mut fields = self
            .ready
            .split(' ')
            .filter_map(|word| word.split_once('='));
        let field = fields.find(|(field, _)| *field == name);
        field.expect("the ready line has the field").1
    }

    /// Where clients reach it.
    pub fn http(&self) -> &str {
        self.field("http")
    }

    /// Its socket for `gh`.
    pub fn socket(&self) -> PathBuf {
        self.field("unix").into()
    }

    /// Its data directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What a client gets.
    pub async fn send(&self, ask: Ask) -> Answer {
        ask.send(self.http()).await
    }

    /// Its counters.
    pub async fn stats(&self) -> Value {
        self.json("/-/stats").await
    }

    /// One of its counters.
    pub async fn count(&self, name: &str) -> u64 {
        let stats = self.stats().await;
        let counter = name.split('.').fold(&stats, |value, name| &value[name]);
        counter.as_u64().expect("a counter")
    }

    /// What one of its endpoints answers.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.send(Ask::get(path)).await;
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    /// Waits until a counter has this value.
    pub async fn until(&self, name: &str, value: u64) {
        let what = format!("{name} = {value}");
        eventually(&what, async || self.count(name).await == value).await;
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id().expect("it runs")
    }

    /// Sends it a signal, `TERM` or `KILL`.
    pub async fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &id])
            .status()
            .await;
        assert!(sent.expect("there is kill").success());
    }

    /// Ends it with a signal, and gives its data directory to the next.
    pub async fn end_by(mut self, signal: &str) -> TempDir {
        self.signal(signal).await;
        let end = time::timeout(PATIENCE, self.process.wait()).await;
        end.expect("it ends").expect("it was started");
        self.dir
    }

    /// Waits for its end; tells how it ended and what it printed after it was ready.
    pub async fn end(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        let end = async {
            let status = self.process.wait().await.expect("it was started");
            self.stdout.read_to_string(&mut rest).await.expect("text");
            status
        };
        let status = time::timeout(PATIENCE, end).await.expect("it ends");
        (status, rest)
    }
}

/// Starts so many members of one fleet, and waits until each is connected to all others.
pub async fn fleet(upstream: &str, members: usize) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for _ in 0..members {
        let others: Vec<&Node> = nodes.iter().collect();
        nodes.push(Node::join(upstream, SECRET, &others).await);
    }
    for node in &nodes {
        node.until("connected_peers", members as u64 - 1).await;
    }
    nodes
}
