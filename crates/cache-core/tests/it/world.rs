//! The few keys, paths, values and lifetimes that are drawn from, so that they meet.

use std::time::Duration;

use bytes::Bytes;
use cache_core::{Key, Lifetime, Path, Resource, Target};
use proptest::prelude::*;

/// Where the keys lie, each at the place of its number.
pub(crate) const PATHS: [&str; 4] = ["/a", "/a/b", "/ab", "/c"];

pub(crate) fn resource(n: usize) -> Resource {
    Resource::new(Key::public([PATHS[n]]), Path::new(PATHS[n]))
}

pub(crate) fn key() -> impl Strategy<Value = usize> {
    0..PATHS.len()
}

pub(crate) fn value() -> impl Strategy<Value = Bytes> {
    prop_oneof![Just("x"), Just("y"), Just("")].prop_map(Bytes::from)
}

/// In tens of seconds, so that they end between other things.
pub(crate) fn lifetime() -> impl Strategy<Value = Lifetime> {
    (0_u64..4, 0_u64..3).prop_map(|(ttl, stale_for)| {
        Lifetime::fresh_for(secs(10 * ttl)).and_stale_for(secs(10 * stale_for))
    })
}

pub(crate) fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        key().prop_map(|n| Target::Key(resource(n).key)),
        key().prop_map(|n| Target::Path(Path::new(PATHS[n]))),
        Just(Target::Path(Path::root())),
    ]
}

pub(crate) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    // One thread where blocking is allowed, so that what is sent there goes in turn.
    let runtime = runtime.enable_time().start_paused(true);
    runtime
        .max_blocking_threads(1)
        .build()
        .unwrap()
        .block_on(test)
}

pub(crate) const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}
