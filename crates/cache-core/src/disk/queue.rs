//! The door between the callers, who do not wait for the disk, and the one thread that does.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::Fault;
use super::pending::{Batch, End, Pending};
use super::shelf::Generation;

/// What is pending, and who waits for it.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Tells the writer that there is something to do.
    wake: Condvar,
    /// Tells those who wait for a flush that it is done.
    done: Condvar,
}

#[derive(Debug)]
struct State {
    pending: Pending,
    /// What a reader has met.
    met: Option<Met>,
    flushes_wanted: u64,
    flushes_done: u64,
    stop: bool,
    /// The writer has gone; nobody need wait for it.
    ended: bool,
}

/// What a reader has met in a file.
#[derive(Debug)]
pub(super) struct Met {
    pub(super) fault: Fault,
    /// By the time the writer hears of it, another file may be in the place of this one.
    pub(super) generation: Generation,
}

/// What the writer is woken for.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) met: Option<Met>,
    /// The last turn: what cannot be written now never will be.
    pub(super) is_last: bool,
    flushes: u64,
}

impl Queue {
    /// How long a change waits for others to be written with: the most that a crash can lose,
    /// together with the time that it takes to write them.
    const GATHER: Duration = Duration::from_millis(500);

    pub(super) fn new(pending: Pending) -> Self {
        Self {
            state: Mutex::new(State {
                pending,
                met: None,
                flushes_wanted: 0,
                flushes_done: 0,
                stop: false,
                ended: false,
            }),
            wake: Condvar::new(),
            done: Condvar::new(),
        }
    }

    /// Looks at what is pending, or changes it.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut Pending) -> T) -> T {
        let mut state = self.lock();
        let was_idle = state.is_idle();
        let result = change(&mut state.pending);
        if (was_idle && !state.is_idle()) || state.is_urgent() {
            self.wake.notify_one();
        }
        result
    }

    /// Tells the writer what a reader has met: the first of each file's.
    pub(super) fn report(&self, met: Met) {
        let mut state = self.lock();
        let is_known = |held: &Met| held.generation >= met.generation;
        if !state.met.as_ref().is_some_and(is_known) {
            state.met = Some(met);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Has everything written that is pending now, and waits until that has been tried.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        state.flushes_wanted += 1;
        let ours = state.flushes_wanted;
        self.wake.notify_one();
        drop(
            self.done
                .wait_while(state, |state| state.flushes_done < ours && !state.ended)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Asks the writer to write what is pending and end.
    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.wake.notify_one();
    }

    /// Waits until there is something to write and its time has come. After a failure that is
    /// after `back_off`, whatever happens meanwhile, unless somebody waits for a flush.
    pub(super) fn next(&self, back_off: Option<Duration>) -> Turn {
        let into_inner = PoisonError::into_inner;
        let mut state = self.lock();
        if back_off.is_none() {
            state = self
                .wake
                .wait_while(state, |state| state.is_idle())
                .unwrap_or_else(into_inner);
        }
        let pause = back_off.unwrap_or(Self::GATHER);
        let (mut state, _) = self
            .wake
            .wait_timeout_while(state, pause, |state| {
                !(state.is_awaited() || back_off.is_none() && state.is_urgent())
            })
            .unwrap_or_else(PoisonError::into_inner);
        Turn {
            met: state.met.take(),
            is_last: state.stop,
            flushes: state.flushes_wanted,
        }
    }

    /// Tells those whom this turn was for that it is over.
    pub(super) fn finish(&self, turn: &Turn) {
        self.lock().flushes_done = turn.flushes;
        self.done.notify_all();
    }

    /// Lets everybody go who waits. The writer's last word, however it ends.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.done.notify_all();
    }

    pub(super) fn batch(&self, max_bytes: usize, end: End) -> Batch {
        self.lock().pending.batch(max_bytes, end)
    }

    pub(super) fn settle(&self, written: &Batch) {
        self.lock().pending.settle(written);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is pending is whole between any two statements that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Nobody has anything for the writer to do.
    fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.met.is_none() && !self.is_awaited()
    }

    /// Somebody is waiting.
    fn is_awaited(&self) -> bool {
        self.stop || self.flushes_done < self.flushes_wanted
    }

    /// Enough has gathered, or the file needs looking after.
    fn is_urgent(&self) -> bool {
        self.met.is_some() || self.pending.is_half_full()
    }
}
