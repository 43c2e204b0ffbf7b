//! Who is on the other end: peers, their names and what is known of them.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// The name of a peer: up to 38 bytes that its transport chose, shown in base58 as libp2p does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId {
    // Unused bytes are zero, so that the derived comparisons are right.
    bytes: [u8; Self::MAX_LEN],
    len: u8,
}

/// The bytes are too many for a [`PeerId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a peer id has at most {max} bytes, not {0}", max = PeerId::MAX_LEN)]
pub struct PeerIdTooLong(pub usize);

impl PeerId {
    /// The longest name, in bytes: libp2p's are 34 or 38. Every entry holds one, so it is no longer.
    pub const MAX_LEN: usize = 38;

    /// The name that goes with [`NoTransport`](crate::NoTransport): nobody else has ever seen it.
    pub const LOCAL: Self = Self {
        bytes: [0; Self::MAX_LEN],
        len: 0,
    };

    /// The name made of these bytes.
    pub fn from_bytes(name: &[u8]) -> Result<Self, PeerIdTooLong> {
        let len = u8::try_from(name.len()).map_err(|_| PeerIdTooLong(name.len()))?;
        let mut bytes = [0; Self::MAX_LEN];
        bytes
            .get_mut(..name.len())
            .ok_or(PeerIdTooLong(name.len()))?
            .copy_from_slice(name);
        Ok(Self { bytes, len })
    }

    /// The bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.len == 0 {
            return f.write_str("local");
        }
        f.write_str(&bs58::encode(self.as_bytes()).into_string())
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

impl Serialize for PeerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(self.as_bytes())
        }
    }
}

impl<'de> Deserialize<'de> for PeerId {
    /// Reads the bytes of a name; the human-readable form is for people only.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = PeerId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {} bytes", PeerId::MAX_LEN)
            }

            fn visit_bytes<E: de::Error>(self, name: &[u8]) -> Result<PeerId, E> {
                PeerId::from_bytes(name).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<PeerId, A::Error> {
                let mut name = Vec::with_capacity(PeerId::MAX_LEN);
                while let Some(byte) = seq.next_element()? {
                    if name.len() == PeerId::MAX_LEN {
                        return Err(de::Error::custom(PeerIdTooLong(name.len() + 1)));
                    }
                    name.push(byte);
                }
                PeerId::from_bytes(&name).map_err(de::Error::custom)
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

/// What a transport knows of a peer that it is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// Its name.
    pub id: PeerId,
    /// Where it was reached, or where it came from, in the transport's notation.
    pub addresses: Vec<String>,
    /// The last measured round trip; `None` until there is one.
    pub latency: Option<Duration>,
    /// How long the connection has stood.
    pub age: Duration,
    /// Which side opened the connection.
    pub direction: Direction,
}

impl PeerInfo {
    /// A peer of this name, about which nothing else is known yet.
    pub fn new(id: PeerId, direction: Direction) -> Self {
        Self {
            id,
            addresses: Vec::new(),
            latency: None,
            age: Duration::ZERO,
            direction,
        }
    }
}

/// Which side opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The other side.
    Inbound,
    /// We did.
    Outbound,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        })
    }
}
