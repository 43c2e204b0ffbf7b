//! Runs fleets by their seeds, on all processors, and prints those that break a promise.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sim::{Budget, Cost, Plan, run, spread, sweep};

/// Questions that all ask at one instant.
const QUESTIONS: u32 = 100;

/// Copies of a put that a node sends, and less than one more for all else that it says.
const COPIES: f64 = 7.0;

/// Runs fleets in virtual time, under faults that follow from a seed.
#[derive(Parser)]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// One seed alone, twice, with its faults.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Records what the ordinary tests' fleets cost, as what they may cost.
    #[arg(long, conflicts_with_all = ["seeds", "from", "seed", "nodes"])]
    update_budget: bool,
    /// All nodes ask a hundred questions at one instant, in place of whatever else happens; so many
    /// of them die while they are at it.
    #[arg(long, value_name = "DEATHS")]
    rush: Option<usize>,
    /// How one put spreads in a large fleet, in place of all else: everywhere within a second, in six
    /// copies that a node sends at most.
    #[arg(long, conflicts_with_all = ["seed", "rush", "update_budget"])]
    spread: bool,
    /// Nodes in each fleet.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(2..))]
    nodes: u16,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.seed {
        _ if args.update_budget => Budget::measure()
            .and_then(|budget| budget.record())
            .map(|()| true),
        _ if args.spread => spread_all(&args),
        Some(seed) => replay(&args.plan(seed)),
        None => run_all(&args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Args {
    fn plan(&self, seed: u64) -> Plan {
        match self.rush {
            Some(deaths) => Plan::rush(seed, self.nodes.into(), QUESTIONS, deaths),
            None => Plan::new(seed, self.nodes.into()),
        }
    }
}

/// Tells whether each put was everywhere in time, and in few copies.
fn spread_all(args: &Args) -> io::Result<bool> {
    let mut is_well = true;
    for seed in args.from..args.from.saturating_add(args.seeds) {
        let put = spread(seed, args.nodes.into())?;
        println!("seed {seed} of {} nodes: {put:?}", args.nodes);
        is_well &= put.missing == 0 && put.most_copies < COPIES;
    }
    Ok(is_well)
}

/// Tells whether all promises were kept.
fn run_all(args: &Args) -> io::Result<bool> {
    let seeds = args.from..args.from.saturating_add(args.seeds);
    let (mut cost, mut failed, mut longest_wait) = (Cost::default(), 0, Duration::ZERO);
    let plan = |seed| args.plan(seed);
    sweep(seeds, plan, |report| {
        cost = cost + report.cost;
        longest_wait = longest_wait.max(report.longest_wait);
        if !report.broken.is_empty() {
            failed += 1;
            println!("{report}");
        }
    })?;
    let Args { seeds, nodes, .. } = args;
    println!("{seeds} seeds of {nodes} nodes, {failed} failed: {cost}");
    println!("the longest that anybody waited: {longest_wait:?}");
    Ok(failed == 0)
}

/// Runs a seed twice; tells whether all promises were kept, and both runs were the same.
fn replay(plan: &Plan) -> io::Result<bool> {
    let Plan {
        seed,
        weather,
        topology,
        ..
    } = plan;
    println!("seed {seed}: {weather:?}, {topology:?}");
    for (at, fault) in plan.faults() {
        println!("{:>8.3} s {fault:?}", Duration::as_secs_f64(&at));
    }
    let reports = [run(plan)?, run(plan)?];
    for report in &reports {
        println!("trace {:016x}: {}", report.trace, report.cost);
    }
    let [report, again] = reports;
    for what in &report.broken {
        println!("broken: {what}");
    }
    let is_same = report.trace == again.trace;
    if !is_same {
        println!("broken: the same plan took another course the second time");
    }
    Ok(is_same && report.broken.is_empty())
}
