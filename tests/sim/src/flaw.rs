//! What is broken on purpose, to see that it is found out.

/// Something that is wrong with the first lookup of a run. The [report](crate::Report) has to name it:
/// checks that let it pass would let pass anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The caller is never answered.
    LeavesWaiting,
    /// The call of upstream panics.
    Panics,
}
