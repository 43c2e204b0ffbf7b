//! What other members are known to have and this one lacks.

use std::fmt;
use std::num::NonZero;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::key::Key;
use crate::peer::PeerId;
use crate::time::MeshTime;

/// Where to find versions that have not come here, so that who asks for one can be sent there.
///
/// Bounded in number. At the bound the one that was noted or looked for longest ago is forgotten.
pub(crate) struct Elsewhere {
    places: Mutex<LruCache<Key, Place>>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    holder: PeerId,
    stored_at: MeshTime,
}

impl Elsewhere {
    /// At about 120 bytes each.
    pub(crate) const MAX: usize = 32 * 1024;

    pub(crate) fn new() -> Self {
        // Made with its bound, it would take all the memory for that at once.
        let mut places = LruCache::new(NonZero::<usize>::MIN);
        places.resize(NonZero::new(Self::MAX).unwrap_or(NonZero::<usize>::MIN));
        Self {
            places: Mutex::new(places),
        }
    }

    /// A member has this version; tells whether another key had to be forgotten for it.
    pub(crate) fn note(&self, key: Key, holder: PeerId, stored_at: MeshTime) -> bool {
        let mut places = self.places();
        let noted = places.peek(&key);
        // Who was noted first has said so himself, or was said to by him.
        if noted.is_some_and(|place| place.stored_at >= stored_at) {
            return false;
        }
        let pushed_out = places.push(key, Place { holder, stored_at });
        pushed_out.is_some_and(|(other, _)| other != key)
    }

    /// Who has a version that one who has that of `have` lacks.
    pub(crate) fn holder(&self, key: &Key, have: Option<MeshTime>) -> Option<PeerId> {
        let mut places = self.places();
        let place = places.get(key)?;
        (Some(place.stored_at) > have).then_some(place.holder)
    }

    /// A version has come here: what is no newer need not be looked for.
    pub(crate) fn came(&self, key: &Key, stored_at: MeshTime) {
        let mut places = self.places();
        if places
            .peek(key)
            .is_some_and(|place| place.stored_at <= stored_at)
        {
            places.pop(key);
        }
    }

    /// It is not there any more, or nobody can get at it.
    pub(crate) fn forget(&self, key: &Key) {
        self.places().pop(key);
    }

    fn places(&self) -> MutexGuard<'_, LruCache<Key, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere")
            .field("len", &self.places().len())
            .finish()
    }
}
