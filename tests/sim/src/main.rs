//! Runs fleets by their seeds, on all processors, and prints those that break a promise.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sim::{Budget, Cost, Plan, run, sweep};

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
        Some(seed) => replay(seed, args.nodes.into()),
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

/// Tells whether all promises were kept.
fn run_all(args: &Args) -> io::Result<bool> {
    let seeds = args.from..args.from.saturating_add(args.seeds);
    let (mut cost, mut failed, mut longest_wait) = (Cost::default(), 0, Duration::ZERO);
    sweep(seeds, args.nodes.into(), |report| {
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
fn replay(seed: u64, nodes: usize) -> io::Result<bool> {
    let plan = Plan::new(seed, nodes);
    println!("seed {seed}: {:?}, {:?}", plan.weather, plan.topology);
    for (at, fault) in plan.faults() {
        println!("{:>8.3} s {fault:?}", Duration::as_secs_f64(&at));
    }
    let reports = [run(&plan)?, run(&plan)?];
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
