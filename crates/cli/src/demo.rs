//! `ghmesh demo`: five runners, a hundred questions, and one call for each; then what only a fleet
//! can do that shares its calls while they are under way, and lets in who comes late.

mod acts;
mod report;

use std::process::ExitCode;

use anyhow::{Context, bail};
use cache_crypto::Secret;
use gh_client::testing::{StandIn, Token};

use crate::args::DemoArgs;
use crate::out;
use crate::signals::Signals;

use acts::Stage;
use report::Report;

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
    let mut stage = Stage {
        github,
        dir,
        secret,
        fleet: Vec::new(),
        known: Vec::new(),
        new: Vec::new(),
    };
    for _ in 0..runners {
        stage.add_runner().await?;
    }
    stage.all_see_each_other().await?;

    stage.the_workload_of_the_original().await?;
    let mut report = Report::new(stage.github.calls().total());
    for runner in &stage.fleet {
        report.add(&runner.stats().await?.counters);
    }
    report.finish();
    report.same_instant = stage.all_at_the_same_instant().await?;
    report.late_joiner = stage.one_joins_late().await?;
    report.upstream_off = stage.github_is_switched_off().await?;

    if args.json {
        out::json(&report)?;
    } else {
        out::line(report.table())?;
    }
    let wrong = report.compare(runners);
    for line in &wrong {
        eprintln!("ghmesh: {line}");
    }
    Ok(if wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
