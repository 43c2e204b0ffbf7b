//! Real clients do the same things twice: once at GitHub's, once at a node before it. What they are
//! answered, and what they show, has to be the same; and a second time through the node has to cost
//! nothing.
//!
//! `cargo xtask conformance` installs the clients and runs this. What is given as arguments picks
//! the scenarios whose names contain it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod clients;
mod github;
mod leg;
mod report;
mod scenarios;
mod tap;
mod transcript;

use std::pin::pin;
use std::process::ExitCode;

use e2e::process::{Node, output};
use futures::{StreamExt, stream};

use clients::Client;
use github::GitHub;
use leg::Leg;
use report::{Outcome, Report};
use scenarios::{Again, Scenario};
use tap::{End, Tap};

/// How many scenarios are played at a time. Each has a GitHub and a node of its own; clients mostly
/// wait for themselves to start.
const AT_A_TIME: usize = 4;

#[tokio::main]
async fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |scenario: &Scenario| {
        let name = format!("{} {}", scenario.client, scenario.name);
        wanted.is_empty() || wanted.iter().any(|part| name.contains(part))
    };
    // It is built now, and not while clients wait for it.
    let version = output(&["--version"]).await;
    assert!(version.status.success(), "ghmesh does not start");
    let scenarios = scenarios::all().into_iter().filter(is_wanted);
    let outcomes = stream::iter(scenarios).map(|scenario| async {
        let outcome = compare(&scenario).await;
        (scenario, outcome)
    });
    let mut outcomes = pin!(outcomes.buffered(AT_A_TIME));
    let mut report = Report::default();
    while let Some((scenario, outcome)) = outcomes.next().await {
        report.add(&scenario, &outcome);
    }
    report.print()
}

/// Does it at GitHub's, through a node, and through the same node again.
async fn compare(scenario: &Scenario) -> Outcome {
    let upstream = Tap::open().await.unwrap();
    let mut github = match scenario.client {
        Client::Recorded => GitHub::recording(scenario.name, &upstream).await,
        _ => GitHub::stand_in().await,
    };
    upstream.lead_to(github.end(scenario.client));
    github.prepare(scenario.prepare);
    let direct = Leg::direct(&github, &upstream).run(scenario).await;

    github.restore().await;
    let node = Node::start(&github.url(&upstream), &["--p2p", "false", "--quiet"]).await;
    let tap = Tap::open().await.unwrap();
    tap.lead_to(End {
        tcp: node.http().trim_start_matches("http://").to_owned(),
        unix: Some(node.socket()),
        host: None,
    });
    let leg = Leg::through(&github, &upstream, &tap);
    let first = leg.run(scenario).await;
    let mut again = None;
    if scenario.again != Again::Impossible {
        if let GitHub::StandIn(stand_in) = &github {
            stand_in.restore();
        }
        again = Some(leg.run(scenario).await);
    }
    Outcome {
        direct,
        first,
        again,
    }
}
