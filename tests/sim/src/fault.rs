//! What befalls networks and nodes.

use std::time::Duration;

/// One thing that happens to a fleet, of nodes by their number.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// These nodes and the others see each other no more.
    Partition(Vec<usize>),
    /// These two see each other no more, but everybody else.
    Sever(usize, usize),
    /// All see all again.
    Heal,
    /// This share of all frames is lost.
    Loss(f64),
    /// This share of all frames comes in twice.
    Duplication(f64),
    /// This share of all frames takes up to so much longer, and is overtaken.
    Stragglers(f64, Duration),
    /// All frames from and to a node take so much longer.
    Slow(usize, Duration),
    /// A node hears nothing and says nothing, and looks as if it did.
    Freeze(usize),
    /// It goes on.
    Thaw(usize),
    /// A node dies without a word; on its disk, where it has one, the last second is missing.
    Crash(usize),
    /// A node says goodbye and ends.
    Stop(usize),
    /// A node that has ended starts again.
    Start(usize),
    /// A node that has ended loses its disk.
    Wipe(usize),
    /// Upstream answers with errors.
    UpstreamDown,
    /// It answers as usual.
    UpstreamUp,
}

impl Fault {
    /// Whether what members see of each other changes, or one of them dies. Each of these may cost
    /// one call more for each key.
    pub(crate) fn costs_a_call(&self) -> bool {
        matches!(
            self,
            Self::Partition(_)
                | Self::Sever(..)
                | Self::Heal
                | Self::Crash(_)
                | Self::Stop(_)
                | Self::Start(_)
        )
    }
}
