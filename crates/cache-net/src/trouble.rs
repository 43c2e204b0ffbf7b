//! What libp2p's errors mean to the person who has to act on them.

use std::error::Error;
use std::{fmt, io, iter};

use libp2p::core::transport::TransportError;
use libp2p::dns::ResolveError;
use libp2p::swarm::{DialError, ListenError};
use libp2p::{allow_block_list, noise};

/// Why a dial came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It was our own address.
    Ourselves,
    /// There is a connection to this peer, or another dial of it is under way.
    NotNeeded,
    /// The peer's handshake does not fit ours.
    OtherSecret,
    /// Another peer than the one that `/p2p/…` names.
    OtherPeer(libp2p::PeerId),
    /// Our own limit.
    TooManyConnections,
    /// We refuse this peer, for what it has sent.
    Shunned,
    /// Nobody is there, or nobody that speaks our protocol.
    Unreachable(String),
}

impl Trouble {
    pub(crate) fn of(error: &DialError) -> Self {
        match error {
            // libp2p takes our own listening addresses out of a dial: nothing is left of this one.
            DialError::LocalPeerId { .. } | DialError::NoAddresses => Self::Ourselves,
            DialError::DialPeerConditionFalse(_) => Self::NotNeeded,
            DialError::WrongPeerId { obtained, .. } => Self::OtherPeer(*obtained),
            DialError::Denied { cause } => {
                match cause.downcast_ref::<allow_block_list::Blocked>() {
                    Some(_) => Self::Shunned,
                    None => Self::TooManyConnections,
                }
            }
            DialError::Aborted => Self::Unreachable("the dial was aborted".to_owned()),
            DialError::Transport(failures) => failures.last().map_or_else(
                || Self::Unreachable(error.to_string()),
                |(_, e)| Self::at(e),
            ),
        }
    }

    fn at(error: &TransportError<io::Error>) -> Self {
        match error {
            TransportError::MultiaddrNotSupported(address) => {
                Self::Unreachable(format!("{address} is not an address that can be dialled"))
            }
            TransportError::Other(error) if does_not_decrypt(error) => Self::OtherSecret,
            TransportError::Other(error) if causes(error).any(<dyn Error>::is::<ResolveError>) => {
                Self::Unreachable("its host name cannot be resolved".to_owned())
            }
            TransportError::Other(error) => {
                let first = causes(error).last();
                Self::Unreachable(first.map_or_else(|| error.to_string(), ToString::to_string))
            }
        }
    }

    /// Whether this and `other` call for the same action.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ourselves => f.write_str("it is our own address"),
            Self::NotNeeded => f.write_str("it is being dialled already"),
            Self::OtherSecret => f.write_str(
                "its handshake does not fit ours, most likely because it has another secret",
            ),
            Self::OtherPeer(obtained) => write!(
                f,
                "the peer there is {obtained}, not the one that its /p2p/ part names; \
                 correct that part or leave it out"
            ),
            Self::Shunned => f.write_str("it is refused for a while, for what it has sent"),
            Self::TooManyConnections => f.write_str("we have all the connections that we may have"),
            Self::Unreachable(reason) => f.write_str(reason),
        }
    }
}

/// Whether somebody got as far as Noise with us and no further.
///
/// With another prologue it is the dialler that notices, and it just hangs up.
pub(crate) fn is_failed_handshake(error: &ListenError) -> bool {
    match error {
        ListenError::Transport(TransportError::Other(error)) => {
            causes(error).any(<dyn Error>::is::<noise::Error>)
        }
        _ => false,
    }
}

/// Whether the other side's part of the handshake did not open under what is mixed into ours.
fn does_not_decrypt(error: &io::Error) -> bool {
    causes(error).any(|cause| match cause.downcast_ref() {
        Some(noise::Error::Noise(_)) => true,
        // What cannot be decrypted while it is read comes as invalid data.
        Some(noise::Error::Io(error)) => error.kind() == io::ErrorKind::InvalidData,
        _ => false,
    })
}

/// The error and what lies below it, down to the first cause.
fn causes(error: &io::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let outermost: &(dyn Error + 'static) = error;
    iter::successors(Some(outermost), |&error| {
        match error.downcast_ref::<io::Error>() {
            // The source of an io::Error is not what it wraps, but the source of what it wraps.
            Some(wrapper) => wrapper.get_ref().map(|wrapped| {
                let wrapped: &(dyn Error + 'static) = wrapped;
                wrapped
            }),
            None => error.source(),
        }
    })
}
