//! Runs fleets by their seeds, on all processors, and prints those that break a promise.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use clap::Parser;
use sim::{Cost, Plan, Report, run};

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
    /// Nodes in each fleet.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(2..))]
    nodes: u16,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.seed {
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
fn run_all(args: &Args) -> std::io::Result<bool> {
    let next = AtomicU64::new(args.from);
    let end = args.from.saturating_add(args.seeds);
    let total = Mutex::new((Cost::default(), 0_u64));
    let worker = || -> std::io::Result<()> {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return Ok(());
            }
            let report = run(&Plan::new(seed, args.nodes.into()))?;
            print(&report, args.nodes);
            if let Ok(mut total) = total.lock() {
                total.0 = total.0 + report.cost;
                total.1 += u64::from(!report.broken.is_empty());
            }
        }
    };
    let threads = thread::available_parallelism()?;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.get()).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| {
            let panicked = |_| Err(std::io::Error::other("a run panicked"));
            worker.join().unwrap_or_else(panicked)
        })
    })?;
    let (cost, failed) = *total
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    println!(
        "{} seeds of {} nodes, {failed} failed: {cost}",
        args.seeds, args.nodes
    );
    Ok(failed == 0)
}

/// Runs a seed twice; tells whether all promises were kept, and both runs were the same.
fn replay(seed: u64, nodes: usize) -> std::io::Result<bool> {
    let plan = Plan::new(seed, nodes);
    println!("seed {seed}: {:?}", plan.weather);
    for (at, fault) in plan.faults() {
        println!("{:>8.3} s {fault:?}", Duration::as_secs_f64(&at));
    }
    let reports = [run(&plan)?, run(&plan)?];
    for report in &reports {
        println!("trace {:016x}: {}", report.trace, report.cost);
    }
    let [report, again] = reports;
    report
        .broken
        .iter()
        .for_each(|what| println!("broken: {what}"));
    let is_same = report.trace == again.trace;
    if !is_same {
        println!("broken: the same plan took another course the second time");
    }
    Ok(is_same && report.broken.is_empty())
}

fn print(report: &Report, nodes: u16) {
    if report.broken.is_empty() {
        return;
    }
    println!(
        "seed {} failed; to see it again: cargo xtask sim --seed {} --nodes {nodes}",
        report.seed, report.seed
    );
    for what in &report.broken {
        println!("  {what}");
    }
}
