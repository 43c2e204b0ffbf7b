//! What single-flight is built of, and what stands in for it where its races are tested.
//!
//! Built with `--cfg shuttle`, the tests take [shuttle](https://docs.rs/shuttle)'s counterparts,
//! whose steps a seeded scheduler interleaves. It sees these alone: what else callers can meet in, the
//! store's table and locks and the standard library's atomics, is one step to it, and is not tested
//! this way.

#[cfg(not(all(test, shuttle)))]
pub(crate) use {
    dashmap::{DashMap, mapref::entry::Entry},
    tokio::{sync::watch, task::spawn},
};

#[cfg(all(test, shuttle))]
pub(crate) use {
    shuttle_dashmap::{DashMap, mapref::entry::Entry},
    shuttle_tokio::{sync::watch, task::spawn},
};

/// Runs `race` many times, each time in another order of steps: half of the orders are drawn at
/// random, half with [few preemptions](https://doi.org/10.1145/1735970.1736040), where most races
/// are. A failure prints its order, which `shuttle::replay` repeats.
#[cfg(all(test, shuttle))]
pub(crate) fn in_many_orders(race: fn()) {
    use shuttle::scheduler::{PctScheduler, RandomScheduler};

    const ORDERS: usize = 1000;
    const PREEMPTIONS: usize = 3;
    // In bytes. A whole lookup does not fit on shuttle's own 32 KiB.
    const STACK: usize = 1024 * 1024;
    let config = || {
        let mut config = shuttle::Config::new();
        config.stack_size = STACK;
        config
    };
    let random = RandomScheduler::new(ORDERS);
    shuttle::Runner::new(random, config()).run(race);
    let pct = PctScheduler::new(PREEMPTIONS, ORDERS);
    shuttle::Runner::new(pct, config()).run(race);
}
