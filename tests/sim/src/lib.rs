//! Fleets of cache-core nodes in virtual time, under faults that follow from a seed.
//!
//! A [`Plan`] says from a seed what happens when: what is looked up where, when upstream's answers
//! change, what befalls network and nodes. [`run`] carries it out on one thread, whose time is
//! virtual, and [reports](Report) what it has cost and which of the promises were broken. The same
//! plan always runs the same way.
//!
//! | question | file |
//! | --- | --- |
//! | what happens when? | `plan.rs`, drawn by `plan/lot.rs`; what befalls whom: `fault.rs` |
//! | what is asked, and what may be answered? | `question.rs`, `upstream.rs` |
//! | which nodes are there, and how do they come and go? | `fleet.rs` |
//! | what must hold? | `promises.rs` for every answer, `rest.rs` once there is peace |
//! | what has it cost, and what may it? | `report.rs`, `budget.rs` |
//! | do the checks find what is broken? | `flaw.rs`, which breaks it |
//! | who runs many seeds? | `sweep.rs` |
//! | how does one put spread among a thousand? | `crowd.rs` |

mod budget;
mod crowd;
mod fault;
mod flaw;
mod fleet;
mod panics;
mod plan;
mod promises;
mod question;
mod report;
mod rest;
mod run;
mod sweep;
mod upstream;

pub use budget::{Budget, ORDINARY};
pub use crowd::{Spread, spread};
pub use fault::Fault;
pub use flaw::Flaw;
pub use plan::{Event, Plan, Topology, Weather};
pub use report::{Cost, Report};
pub use run::run;
pub use sweep::sweep;
