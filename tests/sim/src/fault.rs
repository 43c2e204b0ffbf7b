//! What befalls networks and nodes.

use std::time::Duration;

/// One thing that happens to a fleet, of nodes by their number.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// These nodes and the others see each other no more.
    Partition(Vec<usize>),
    /// These two see each other no more, but everybody else.
    Sever(usize, usize),
    /// The second one hears nothing of the first one any more, but the first one of the second.
    Mute(usize, usize),
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
    /// A node's clock is set on or back by so many milliseconds, while it is at it.
    Step(usize, i64),
    /// Upstream answers with errors.
    UpstreamDown,
    /// It answers as usual.
    UpstreamUp,
}

impl Fault {
    /// Whether members lose sight of each other, or one of them ends. Each of these may cost one call
    /// more for each answer.
    pub(crate) fn costs_a_call(&self) -> bool {
        matches!(
            self,
            Self::Partition(_) | Self::Sever(..) | Self::Crash(_) | Self::Stop(_)
        )
    }
}
