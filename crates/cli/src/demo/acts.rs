//! The acts of a demonstration, in the order in which they are played.

use anyhow::{Context, ensure};
use bytes::Bytes;
use cache_crypto::Secret;
use futures::future::try_join_all;
use gh_client::testing::StandIn;
use tempfile::TempDir;

use crate::fleet::Runner;
use crate::report::NodeStats;

use super::report::Act;
use super::{QUESTIONS, TOKEN};

const OWNER: &str = "octo-org";

/// The runners, and the GitHub that they ask.
pub(super) struct Stage {
    pub(super) github: StandIn,
    pub(super) dir: TempDir,
    pub(super) secret: Secret,
    pub(super) fleet: Vec<Runner>,
    /// What was answered to the questions of each kind, when they were asked for the first time.
    pub(super) known: Vec<Bytes>,
    pub(super) new: Vec<Bytes>,
}

impl Stage {
    /// Starts one more runner, which knows those that are there.
    pub(super) async fn add_runner(&mut self) -> anyhow::Result<()> {
        let number = self.fleet.len() + 1;
        let own = self.dir.path().join(format!("runner-{number}"));
        let runner = Runner::start(&own, self.github.url(), &self.secret, &self.fleet).await;
        self.fleet
            .push(runner.with_context(|| format!("runner {number}"))?);
        Ok(())
    }

    pub(super) async fn all_see_each_other(&self) -> anyhow::Result<()> {
        let all = self.fleet.len() as u64 - 1;
        let connected = |stats: &NodeStats| stats.connected_peers == all;
        for runner in &self.fleet {
            runner
                .wait_until("all peers to be connected", connected)
                .await?;
        }
        Ok(())
    }

    /// That of the original system's benchmark.
    pub(super) async fn the_workload_of_the_original(&mut self) -> anyhow::Result<()> {
        let (first, others) = self
            .fleet
            .split_first()
            .context("there is a first runner")?;
        eprintln!("Runner 1 asks {QUESTIONS} questions");
        self.known = ask_all(first, known_questions()).await?;
        let told = QUESTIONS * others.len() as u64;
        let all_told = |stats: &NodeStats| stats.counters.broadcast.sent >= told;
        first.wait_until("the peers to be told", all_told).await?;

        eprintln!("The others ask the same");
        for runner in others {
            ensure!(
                ask_all(runner, known_questions()).await? == self.known,
                "a runner got another answer than runner 1"
            );
        }
        eprintln!("Runner 1 asks again");
        ensure!(
            ask_all(first, known_questions()).await? == self.known,
            "runner 1 got another answer the second time"
        );
        Ok(())
    }

    /// Every runner asks every new question while none has an answer yet.
    pub(super) async fn all_at_the_same_instant(&mut self) -> anyhow::Result<Act> {
        eprintln!("All ask {QUESTIONS} new questions at the same instant");
        let before = self.so_far().await?;
        let asked = self.fleet.iter().map(|runner| async move {
            let answers =
                new_questions().map(|question| async move { runner.get(&question, TOKEN).await });
            try_join_all(answers).await
        });
        let answers = try_join_all(asked).await?;
        ensure!(
            answers.windows(2).all(|pair| pair[0] == pair[1]),
            "two runners got different answers"
        );
        self.new = answers.into_iter().next().unwrap_or_default();
        Ok(self.so_far().await? - before)
    }

    /// A runner that was not there when the others were told has what they have.
    pub(super) async fn one_joins_late(&mut self) -> anyhow::Result<Act> {
        eprintln!("One more runner joins, and asks what the others have asked");
        let before = self.so_far().await?;
        self.add_runner().await?;
        let late = self.fleet.last().context("it has been added")?;
        let connected = |stats: &NodeStats| stats.connected_peers > 0;
        late.wait_until("a peer to be connected", connected).await?;
        ensure!(
            ask_all(late, known_questions()).await? == self.known,
            "the late runner got another answer than runner 1"
        );
        Ok(self.so_far().await? - before)
    }

    /// Everything that was ever asked is asked again, of everybody.
    pub(super) async fn github_is_switched_off(&self) -> anyhow::Result<Act> {
        eprintln!("GitHub is switched off, and all ask everything again");
        let before = self.so_far().await?;
        self.github.offline();
        for (runner, number) in self.fleet.iter().zip(1..) {
            ensure!(
                ask_all(runner, known_questions()).await? == self.known
                    && ask_all(runner, new_questions()).await? == self.new,
                "runner {number} got another answer than before GitHub was switched off"
            );
        }
        Ok(self.so_far().await? - before)
    }

    /// What has happened until now.
    async fn so_far(&self) -> anyhow::Result<Act> {
        let mut so_far = Act {
            upstream_calls: self.github.calls().total(),
            ..Act::default()
        };
        for runner in &self.fleet {
            let stats = runner.stats().await?.counters;
            so_far.requests += stats.requests;
            so_far.peer_hits += stats.peer_hits;
            so_far.stale += stats.stale_served;
        }
        Ok(so_far)
    }
}

async fn ask_all(
    runner: &Runner,
    questions: impl Iterator<Item = String>,
) -> anyhow::Result<Vec<Bytes>> {
    let mut answers = Vec::new();
    for question in questions {
        answers.push(runner.get(&question, TOKEN).await?);
    }
    Ok(answers)
}

/// `GET /orgs/{owner}/repos`, and 99 other URLs.
fn known_questions() -> impl Iterator<Item = String> {
    let repos = (0..QUESTIONS - 1).map(|number| format!("/repos/{OWNER}/octo-repo-{number:03}"));
    std::iter::once(format!("/orgs/{OWNER}/repos")).chain(repos)
}

/// The same list of repositories, page by page.
fn new_questions() -> impl Iterator<Item = String> {
    (1..=QUESTIONS).map(|page| format!("/orgs/{OWNER}/repos?page={page}&per_page=1"))
}
