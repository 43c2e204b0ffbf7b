//! Noise with those who share a secret with us, where we have more than one.
//!
//! The prologue is mixed into the handshake and never sent, so the side that is dialled cannot
//! tell which one the dialler has mixed in, and has to know before it answers. Therefore the
//! protocol that is negotiated first carries the membership's name: `/noise/NAME`, the current one
//! before the previous one. The dialler offers one after the other, and both sides go on with the
//! first that both have.
//!
//! Plain `/noise`, under the current membership, is offered last. Two sides that have nothing in
//! common get as far as that, and fail where it says why: in the handshake.

use futures::{AsyncRead, AsyncWrite};
use libp2p::PeerId;
use libp2p::core::UpgradeInfo;
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p::noise;

use crate::membership::Membership;

#[cfg(test)]
mod tests;

const NOISE: &str = "/noise";

/// Lets in whoever has one of our memberships.
#[derive(Clone)]
pub(crate) struct Handshake {
    noise: noise::Config,
    offers: Vec<Offer>,
}

/// A protocol, and the membership that it is spoken under.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    name: String,
    membership: Membership,
}

impl Handshake {
    /// A handshake under any of these memberships, the current one first.
    pub(crate) fn new(
        noise: noise::Config,
        memberships: impl IntoIterator<Item = Membership>,
    ) -> Self {
        let mut offers: Vec<Offer> = memberships
            .into_iter()
            .map(|membership| Offer {
                name: format!("{NOISE}/{}", membership.name()),
                membership,
            })
            .collect();
        offers.extend(offers.first().map(|current| Offer {
            name: NOISE.to_owned(),
            membership: current.membership.clone(),
        }));
        Self { noise, offers }
    }

    fn under(self, offer: &Offer) -> noise::Config {
        self.noise.with_prologue(offer.membership.prologue())
    }
}

impl AsRef<str> for Offer {
    fn as_ref(&self) -> &str {
        &self.name
    }
}

impl UpgradeInfo for Handshake {
    type Info = Offer;
    type InfoIter = std::vec::IntoIter<Offer>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.offers.clone().into_iter()
    }
}

impl<T> InboundConnectionUpgrade<T> for Handshake
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = (PeerId, noise::Output<T>);
    type Error = noise::Error;
    type Future = <noise::Config as InboundConnectionUpgrade<T>>::Future;

    fn upgrade_inbound(self, socket: T, offer: Offer) -> Self::Future {
        self.under(&offer).upgrade_inbound(socket, NOISE)
    }
}

impl<T> OutboundConnectionUpgrade<T> for Handshake
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = (PeerId, noise::Output<T>);
    type Error = noise::Error;
    type Future = <noise::Config as OutboundConnectionUpgrade<T>>::Future;

    fn upgrade_outbound(self, socket: T, offer: Offer) -> Self::Future {
        self.under(&offer).upgrade_outbound(socket, NOISE)
    }
}
