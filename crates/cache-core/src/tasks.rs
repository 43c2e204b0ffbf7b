//! The tasks of a cache, and how they end with it.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::JoinHandle;
use tokio::time;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::concurrency::spawn;

/// How long a task that has panicked waits before it is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// The tasks that belong to a cache. They end when the [`DropGuard`] that comes with them is
/// dropped, or [`stop`](Self::stop) is called.
#[derive(Debug)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    pub(crate) fn new() -> (Arc<Self>, DropGuard) {
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let tracker = TaskTracker::new();
        (Arc::new(Self { tracker, stop }), guard)
    }

    /// Spawns a task that ends with the cache.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        spawn(self.tracker.track_future(async move {
            // Stopped or finished: nobody asks which.
            let _ = stop.run_until_cancelled(task).await;
        }));
    }

    /// Spawns a task that lasts as long as the cache, unless it ends by itself. Where it panics, in
    /// a clock of the application's say, it is started again: nobody else would notice that it is
    /// gone.
    pub(crate) fn spawn_lasting<F: Future<Output = ()> + Send>(
        &self,
        name: &'static str,
        mut start: impl FnMut() -> F + Send + 'static,
    ) {
        self.spawn(async move {
            while AssertUnwindSafe(start()).catch_unwind().await.is_err() {
                tracing::error!(
                    task = name,
                    "a background task panicked: it is started again"
                );
                time::sleep(RESTART_PAUSE).await;
            }
        });
    }

    /// Runs what takes long on a thread where it keeps nobody waiting. The cache does not end
    /// before it has.
    pub(crate) fn spawn_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.tracker.spawn_blocking(work)
    }

    /// Ends all tasks, and waits until they have ended.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
