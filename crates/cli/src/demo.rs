//! `ghmesh demo`: five runners, a hundred questions, and one call for each.

use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use cache_crypto::Secret;
use gh_client::testing::{StandIn, Token};
use serde::Serialize;

use crate::args::DemoArgs;
use crate::fleet::Runner;
use crate::out;
use crate::report::NodeStats;
use crate::show;
use crate::signals::Signals;

const OWNER: &str = "octo-org";
const QUESTIONS: u64 = 100;
const TOKEN: &str = "ghp_theTokenThatTheDemoMadeUpForItself00";

/// Starts the fleet, drives the workload, and says whether the numbers are right. Interrupted, it
/// takes the fleet down with it.
pub(crate) async fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    tokio::select! {
        outcome = demonstrate(args) => outcome,
        signal = signals.next() => bail!("ended by {signal}"),
    }
}

async fn demonstrate(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let runners = u64::from(args.runners);
    let github = StandIn::start().await.context("the stand-in for GitHub")?;
    github.add_token(Token::new(TOKEN).login("mona"));
    let dir = tempfile::tempdir().context("a directory for the runners")?;

    eprintln!(
        "Starting {runners} runners, and a stand-in for GitHub at {}",
        github.url()
    );
    let secret = Secret::generate()?;
    let mut fleet: Vec<Runner> = Vec::new();
    for number in 1..=runners {
        let own = dir.path().join(format!("runner-{number}"));
        let runner = Runner::start(&own, github.url(), &secret, &fleet).await;
        fleet.push(runner.with_context(|| format!("runner {number}"))?);
    }
    for runner in &fleet {
        let all = runners - 1;
        let connected = |stats: &NodeStats| stats.connected_peers == all;
        runner
            .wait_until("all peers to be connected", connected)
            .await?;
    }
    drive(&fleet).await?;

    let mut report = Report::new(github.calls().total());
    for runner in &fleet {
        report.add(&runner.stats().await?);
    }
    report.finish();
    if args.json {
        out::json(&report)?;
    } else {
        out::line(report.table())?;
    }
    let wrong = report.compare(&Totals::expected(runners));
    for line in &wrong {
        eprintln!("ghmesh: {line}");
    }
    Ok(if wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The workload of the original system's benchmark.
async fn drive(fleet: &[Runner]) -> anyhow::Result<()> {
    let (first, others) = fleet.split_first().context("there is a first runner")?;
    eprintln!("Runner 1 asks {QUESTIONS} questions");
    let answers = ask_all(first).await?;
    let told = QUESTIONS * others.len() as u64;
    let all_told = |stats: &NodeStats| stats.broadcast.sent >= told;
    first.wait_until("the peers to be told", all_told).await?;

    eprintln!("The others ask the same");
    for runner in others {
        ensure!(
            ask_all(runner).await? == answers,
            "a runner got another answer than runner 1"
        );
    }
    eprintln!("Runner 1 asks again");
    ensure!(
        ask_all(first).await? == answers,
        "runner 1 got another answer the second time"
    );
    Ok(())
}

async fn ask_all(runner: &Runner) -> anyhow::Result<Vec<Bytes>> {
    let mut answers = Vec::new();
    for question in questions() {
        answers.push(runner.get(&question, TOKEN).await?);
    }
    Ok(answers)
}

/// `GET /orgs/{owner}/repos`, and 99 other URLs.
fn questions() -> impl Iterator<Item = String> {
    let repos = (0..QUESTIONS - 1).map(|number| format!("/repos/{OWNER}/octo-repo-{number:03}"));
    std::iter::once(format!("/orgs/{OWNER}/repos")).chain(repos)
}

/// What the fleet did, runner by runner and all told.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    fleet: Totals,
    runners: Vec<Totals>,
}

/// The counters that the demonstration is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Totals {
    requests: u64,
    local_hits: u64,
    peer_hits: u64,
    misses: u64,
    hit_rate: f64,
    upstream_calls: u64,
    calls_saved: u64,
}

impl Report {
    /// A report on a fleet that has made so many calls, by the stand-in's own count.
    fn new(upstream_calls: u64) -> Self {
        let fleet = Totals {
            upstream_calls,
            ..Totals::default()
        };
        Self {
            fleet,
            runners: Vec::new(),
        }
    }

    fn add(&mut self, stats: &NodeStats) {
        let runner = Totals {
            requests: stats.requests,
            local_hits: stats.hits,
            peer_hits: stats.peer_hits,
            misses: stats.misses,
            hit_rate: stats.hit_rate,
            upstream_calls: stats.api_calls_made,
            calls_saved: stats.api_calls_saved,
        };
        self.fleet.requests += runner.requests;
        self.fleet.local_hits += runner.local_hits;
        self.fleet.peer_hits += runner.peer_hits;
        self.fleet.misses += runner.misses;
        self.runners.push(runner);
    }

    fn finish(&mut self) {
        let fleet = &mut self.fleet;
        fleet.hit_rate = hit_rate(fleet);
        fleet.calls_saved = fleet.requests.saturating_sub(fleet.upstream_calls);
    }

    /// What is not as it should be, a line each.
    fn compare(&self, expected: &Totals) -> Vec<String> {
        let got = &self.fleet;
        [
            ("requests", got.requests, expected.requests),
            ("local hits", got.local_hits, expected.local_hits),
            ("peer hits", got.peer_hits, expected.peer_hits),
            ("misses", got.misses, expected.misses),
            (
                "upstream calls",
                got.upstream_calls,
                expected.upstream_calls,
            ),
        ]
        .into_iter()
        .filter(|(_, got, expected)| got != expected)
        .map(|(what, got, expected)| format!("{what}: {got}, and it should be {expected}"))
        .collect()
    }

    fn table(&self) -> String {
        let header = [
            "",
            "requests",
            "local hits",
            "peer hits",
            "misses",
            "hit rate",
            "upstream calls",
        ];
        let mut table = show::table(header, &[1, 2, 3, 4, 5, 6]);
        let runners = self.runners.iter().enumerate();
        let rows = runners.map(|(index, totals)| (format!("runner {}", index + 1), totals));
        for (name, totals) in rows.chain([("fleet".to_owned(), &self.fleet)]) {
            table.add_row([
                name,
                totals.requests.to_string(),
                totals.local_hits.to_string(),
                totals.peer_hits.to_string(),
                totals.misses.to_string(),
                show::percent(totals.hit_rate),
                totals.upstream_calls.to_string(),
            ]);
        }
        format!(
            "{}\n\n{} calls to GitHub where {} were asked for: {} saved.",
            show::lines(&table),
            self.fleet.upstream_calls,
            self.fleet.requests,
            show::percent(self.fleet.calls_saved as f64 / self.fleet.requests.max(1) as f64),
        )
    }
}

impl Totals {
    /// What a fleet of so many runners has to come to: one miss a question, and everything else
    /// answered without a call.
    fn expected(runners: u64) -> Self {
        let mut expected = Self {
            requests: QUESTIONS * (runners + 1),
            local_hits: QUESTIONS,
            peer_hits: QUESTIONS * (runners - 1),
            misses: QUESTIONS,
            upstream_calls: QUESTIONS,
            calls_saved: QUESTIONS * runners,
            hit_rate: 0.0,
        };
        expected.hit_rate = hit_rate(&expected);
        expected
    }
}

fn hit_rate(totals: &Totals) -> f64 {
    let hits = totals.local_hits + totals.peer_hits;
    hits as f64 / (hits + totals.misses).max(1) as f64
}

#[cfg(test)]
mod tests;
