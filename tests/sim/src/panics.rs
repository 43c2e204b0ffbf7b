//! Panics in a run. Tokio catches those of tasks, and nobody else hears of them.

use std::cell::Cell;
use std::panic;
use std::sync::Once;

thread_local! {
    /// A run has its thread for itself.
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

/// Counts from now on.
pub(crate) fn watch() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            usual(panic);
        }));
    });
    PANICS.set(0);
}

/// How many there were.
pub(crate) fn count() -> u64 {
    PANICS.get()
}
