//! A cache whose entries are shared, and merged by timestamp, among peers.
//!
//! ```text
//! caller ──► Cache::get_or_fetch ──► fresh entry? ──► answer
//!                                 └► one fetch per key ──► commit ──► answer
//!                                                            │ in the background
//!            peers ◄── Transport ◄── wire ◄── outbox ◄───────┘
//!            peers ──► Transport ──► wire ──► merge ──► store
//! ```
//!
//! - [`Cache`] is the one door. [`get_or_fetch`](Cache::get_or_fetch) answers from a fresh entry,
//!   or lets one caller per key fetch for all who ask.
//! - Every put is pushed to all peers in the background. They [merge] it: the later
//!   stamp wins, whichever way and however often it arrives.
//! - The network is whatever implements [`Transport`]. [`NoTransport`] is the default;
//!   `testing::MemoryNetwork` (feature `testing`) is one for tests.
//! - Nothing here knows sockets, HTTP or what a value means: it is bytes to the cache.
//!
//! # What a peer can do to you
//!
//! At worst, cause a miss, or delay one. A frame that does not decode, or is stamped too far ahead,
//! is counted and dropped; a peer that does not answer delays a fetch by some 50 ms until it is
//! passed over, and one that says it is fetching, by about a minute at most. Who may be a peer at
//! all is decided by the transport and by what [seals](Sealer) its frames.
//!
//! # Features
//!
//! - `disk`: a store on disk behind the one in memory, which outlives the process.
//! - `testing`: clocks that tests move, a network in memory with latency, loss and partitions, and a
//!   sealer that needs no keys.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod acquire;
mod arrivals;
mod aside;
mod builder;
pub mod cache;
mod catch_up;
mod concurrency;
mod digest;
#[cfg(feature = "disk")]
#[cfg_attr(docsrs, doc(cfg(feature = "disk")))]
pub mod disk;
mod elsewhere;
pub mod entry;
pub mod events;
mod families;
pub mod fetch;
mod flight;
pub mod freshness;
mod index;
pub mod key;
mod lease;
mod lookup;
pub mod members;
pub mod merge;
mod node;
pub mod notes;
mod outbox;
mod owner;
pub mod path;
pub mod peer;
mod presence;
mod renewal;
mod replica;
mod report;
pub mod sealer;
mod shares;
pub mod stats;
mod staying;
mod store;
mod sums;
mod tasks;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tier;
pub mod time;
pub mod tombstone;
pub mod transport;
pub mod wire;

pub use builder::Builder;
pub use cache::Cache;
pub use entry::Entry;
pub use events::{Event, Events};
pub use fetch::{Answer, BoxError, FetchError, Fetched, Source};
pub use freshness::{Freshness, Lifetime, State};
pub use key::{Family, Key, Resource, Scope};
pub use members::FleetStats;
pub use notes::{Notes, Topic};
pub use path::Path;
pub use peer::{Direction, PeerId, PeerInfo};
pub use sealer::{OpenError, Purpose, SealError, Sealer};
pub use stats::Stats;
pub use time::{Clock, MAX_SKEW, MeshTime, SystemClock};
pub use tombstone::{Target, Tombstone};
pub use transport::{
    Delivery, FrameKind, Inbound, MAX_FRAME, Misconduct, NoTransport, Replier, Transport,
    TransportError,
};
