//! `cargo xtask idle`: whether two nodes that have nothing to do leave each other, and their
//! memory, alone.
//!
//! Sockets know no virtual time, so that this takes as long as it says, and CI does not run it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use xshell::Shell;

use crate::cargo::cargo;

#[cfg(test)]
mod tests;

/// What a node may grow by between its second minute and its last: what an allocator wins and
/// loses, and not what a leak of one message a ping would take in an hour.
const MOST_GROWTH_KIB: u64 = 4 * 1024;

const MINUTE: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long they are left alone; the first minute does not count.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(2..))]
    minutes: u32,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    cargo(sh, ["build", "--quiet", "--bin", "ghmesh"]).run()?;
    let dir = sh.create_temp_dir()?;
    let first = Node::start(sh, dir.path(), "first", None)?;
    let second = Node::start(sh, dir.path(), "second", Some(&first.p2p))?;
    let nodes = [first, second];

    pause();
    let before = [nodes[0].resident_kib()?, nodes[1].resident_kib()?];
    for minute in 2..=args.minutes {
        pause();
        let now = [nodes[0].resident_kib()?, nodes[1].resident_kib()?];
        println!("idle: minute {minute}: {} and {} KiB", now[0], now[1]);
    }
    for (node, before) in nodes.iter().zip(before) {
        let told = Told::by(BufReader::new(File::open(&node.log)?))?;
        let grown = node.resident_kib()?.saturating_sub(before);
        println!("idle: {told:?}, grown by {grown} KiB from {before}");
        ensure!(
            told == Told::ONE_CONNECTION,
            "they did not stay connected: {told:?}"
        );
        ensure!(grown <= MOST_GROWTH_KIB, "one has grown by {grown} KiB");
    }
    Ok(())
}

/// A running `ghmesh serve`; killed when it is dropped.
struct Node {
    process: Child,
    p2p: String,
    log: std::path::PathBuf,
}

impl Node {
    fn start(sh: &Shell, dir: &Path, name: &str, knows: Option<&str>) -> Result<Self> {
        let (data, log) = (dir.join(name), dir.join(name).with_extension("log"));
        let mut command = Command::new(sh.current_dir().join("target/debug/ghmesh"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--memory-only"])
            .args(["--p2p-listen", "/ip4/127.0.0.1/tcp/0"])
            .args(knows.iter().flat_map(|one| ["--bootstrap", one]))
            .arg("--data-dir")
            .arg(data)
            .env("CACHE_P2P_SHARED_SECRET", SECRET)
            .env("GHMESH_LOG", "debug")
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?);
        let mut process = command.spawn().context("ghmesh does not start")?;
        let stdout = process.stdout.take().context("its stdout is piped")?;
        let mut ready = String::new();
        BufReader::new(stdout).read_line(&mut ready)?;
        let p2p = ready
            .split_whitespace()
            .find_map(|field| field.strip_prefix("p2p="));
        let p2p = p2p.with_context(|| format!("it is not ready: {ready:?}"))?;
        Ok(Self {
            process,
            p2p: p2p.to_owned(),
            log,
        })
    }

    /// What it occupies, as Linux sees it.
    fn resident_kib(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.process.id());
        let status =
            fs::read_to_string(path).context("only Linux tells what a process occupies")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .context("it has ended")?
            .parse()
            .context("not a number")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It can only have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A secret that the two share, and nobody else needs to.
const SECRET: &str = "ghmesh_00000000000000000000000000000000000000000000000000000000000001d1e";

/// What a node's log says of its peers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    connected: u32,
    gone: u32,
}

impl Told {
    const ONE_CONNECTION: Self = Self {
        connected: 1,
        gone: 0,
    };

    fn by(log: impl BufRead) -> Result<Self> {
        let mut told = Self::default();
        for line in log.lines() {
            let line = line?;
            told.connected += u32::from(line.contains("connected to peer "));
            told.gone += u32::from(line.contains("peer ") && line.contains(" is gone"));
        }
        Ok(told)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is no runtime whose thread could be blocked"
)]
fn pause() {
    std::thread::sleep(MINUTE);
}
