//! The tasks of a cache, and how they end with it.

use std::future::Future;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::concurrency::spawn;

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
