//! What is broken on purpose, to see that it is found out.

use std::time::Duration;

use cache_core::{Fetched, Lifetime};

/// Something that is wrong with a fleet throughout a run. Whatever it is, the [report](crate::Report)
/// has to name it: checks that let it pass would let pass anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Some are given the answer to another question.
    MixesUp,
    /// Answers are kept for much longer than they are fresh.
    Hoards,
    /// What is to be void is forgotten.
    ForgetsWrites,
    /// Everybody asks upstream, whoever else does.
    AsksAlone,
    /// Errors that upstream did not give.
    InventsErrors,
    /// Some are never answered.
    LeavesWaiting,
    /// A task of a node panics.
    Panics,
    /// With each lookup peers are told what nobody has asked for.
    Chatters,
    /// One node never hears of what the others have.
    LosesOne,
}

/// Of so many lookups, or calls of upstream, one meets a flaw that befalls some.
const SOME: u64 = 5;

impl Flaw {
    /// Whether a lookup of this number, or the call of upstream of this number, is among those that
    /// it befalls.
    pub(crate) fn befalls(self, number: u64) -> bool {
        match self {
            Self::MixesUp | Self::InventsErrors | Self::LeavesWaiting | Self::Panics => {
                number % SOME == SOME - 1
            }
            _ => true,
        }
    }

    /// What upstream has brought, as a cache takes it that hoards.
    pub(crate) fn hoard(fetched: Fetched) -> Fetched {
        let ever = Lifetime::fresh_for(Duration::from_secs(7 * 24 * 3600));
        match fetched {
            Fetched::New(body, _) => Fetched::New(body, ever),
            Fetched::Revalidated(body, _) => Fetched::Revalidated(body, ever),
            other => other,
        }
    }
}
