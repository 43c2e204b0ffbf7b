//! Where work is done that would keep others waiting.

use tokio::task;

/// Where work is done that takes long, or waits for a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Aside {
    /// On the runtime's threads for such work.
    #[default]
    OnThreads,
    /// On the spot. Threads take turns as real time has it, and a simulated run could not be had
    /// again.
    #[cfg(any(test, feature = "testing"))]
    InTurn,
}

impl Aside {
    /// What the work brings; nothing where it has panicked.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        match self {
            Self::OnThreads => task::spawn_blocking(work).await.ok(),
            #[cfg(any(test, feature = "testing"))]
            Self::InTurn => Some(work()),
        }
    }
}
