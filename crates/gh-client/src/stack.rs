//! The decorators in their order, over whatever sends requests in the end.

use std::sync::Arc;

use cache_core::Cache;
use http::Request;
use tokio::sync::Semaphore;
use tower::Layer;
use tower::retry::{Retry, RetryLayer};
use tower::util::MapRequest;

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::cache_first::{CacheFirst, CacheFirstLayer, Upward};
use crate::collect::Room;
use crate::detour::{Detour, DetourLayer};
use crate::error::BuildError;
use crate::fetch::{Desk, UNDER_WAY};
use crate::gate::{Gate, GateLayer};
use crate::hops;
use crate::limits::Limits;
use crate::numbers::Numbers;
use crate::observe::{ObserveLayer, Observing};
use crate::pace::{PaceLayer, Paced};
use crate::patience::{PatienceLayer, Patient};
use crate::policy::Keeping;
use crate::proof::Proofs;
use crate::retry::RetryPolicy;
use crate::scope::Scopes;
use crate::stats::Counters;
use crate::writes::{Writes, WritesLayer};

/// The stack over `L`, from the outside in.
///
/// The gate is passed twice: a wait that leads nowhere is not begun, and what others have met
/// meanwhile counts.
pub(crate) type Stack<L> = MapRequest<
    Detour<Writes<CacheFirst<Retry<RetryPolicy, Gate<Paced<Gate<Observing<Patient<L>>>>>>>>, L>,
    fn(Request<Body>) -> Request<Body>,
>;

/// What the decorators work with.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) cache: Cache,
    pub(crate) base: Arc<BaseUrl>,
    pub(crate) keeping: Keeping,
    pub(crate) scopes: Scopes,
    pub(crate) limits: Limits,
    pub(crate) counters: Arc<Counters>,
    pub(crate) numbers: Numbers,
    /// Whether to keep to a pace of our own.
    pub(crate) pace: bool,
}

impl Parts {
    /// The stack over `leaf`.
    pub(crate) fn over<L: Upward>(self, leaf: L) -> Result<Stack<L>, BuildError> {
        let Self {
            cache,
            scopes,
            limits,
            ..
        } = self;
        let observe = ObserveLayer {
            limits: limits.clone(),
            scopes: scopes.clone(),
            base: Arc::clone(&self.base),
            cache: cache.clone(),
        };
        let gate = GateLayer {
            limits: limits.clone(),
            scopes: scopes.clone(),
            base: Arc::clone(&self.base),
            cache: cache.clone(),
        };
        let pace = PaceLayer::new(scopes.clone(), self.pace);
        let base = Arc::clone(&self.base);
        let writes = WritesLayer::new(cache.clone(), base, scopes.clone(), self.numbers);
        let retry = RetryPolicy::new().map_err(|_| BuildError::Backoff)?;
        let detour = DetourLayer {
            base: Arc::clone(&self.base),
            leaf: leaf.clone(),
            counters: Arc::clone(&self.counters),
        };
        let cache_first = CacheFirstLayer {
            cache,
            base: self.base,
            desk: Desk {
                keeping: Arc::new(self.keeping),
                scopes,
                limits,
                proofs: Proofs::new(),
                room: Arc::new(Room::new()),
                places: Arc::new(Semaphore::new(UNDER_WAY)),
            },
            counters: self.counters,
        };
        let attempt = gate.layer(observe.layer(PatienceLayer.layer(leaf)));
        let sending = gate.layer(pace.layer(attempt));
        let reading = cache_first.layer(RetryLayer::new(retry).layer(sending));
        Ok(MapRequest::new(
            detour.layer(writes.layer(reading)),
            hops::admitted,
        ))
    }
}
