//! A cache whose entries are shared, and merged by timestamp, among peers.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod key;
pub mod peer;
pub mod sealer;
pub mod time;
pub mod transport;

pub use key::{Family, Key, Scope};
pub use peer::{Direction, PeerId, PeerInfo};
pub use sealer::{OpenError, Purpose, SealError, Sealer};
pub use time::{Clock, MAX_SKEW, MeshTime, SystemClock};
pub use transport::{
    Delivery, FrameKind, Inbound, MAX_FRAME, NoTransport, Replier, Transport, TransportError,
};
