//! Many seeds, on all processors.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::plan::Plan;
use crate::report::Report;
use crate::run::run;

/// Runs the fleets that `plan` makes of these seeds, and hands each report to `note` as it comes.
///
/// # Errors
///
/// If the operating system gives no runtime, or a run panics.
pub fn sweep(
    seeds: Range<u64>,
    plan: impl Fn(u64) -> Plan + Sync,
    note: impl FnMut(Report) + Send,
) -> io::Result<()> {
    let next = AtomicU64::new(seeds.start);
    let note = Mutex::new(note);
    let worker = || -> io::Result<()> {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return Ok(());
            }
            let report = run(&plan(seed))?;
            (note.lock().unwrap_or_else(PoisonError::into_inner))(report);
        }
    };
    let threads = thread::available_parallelism()?.get();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| {
            let panicked = |_| Err(io::Error::other("a run panicked"));
            worker.join().unwrap_or_else(panicked)
        })
    })
}
