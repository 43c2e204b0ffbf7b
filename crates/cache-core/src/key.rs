//! What an entry is filed under: a family (what was asked) in a scope (who may see it).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::path::Path;

/// What was asked, as a 256-bit digest of the parts that tell one question from another.
///
/// The same question has the same family on every member, so the parts have to be normalised
/// before they come here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Family([u8; 32]);

impl Family {
    /// The family that these parts, in this order, make up.
    ///
    /// Each part goes in with its length, so moving a byte from one part to the next makes
    /// another family.
    ///
    /// ```
    /// use cache_core::Family;
    ///
    /// let asked = Family::of(["GET", "api.github.com", "/user"]);
    /// assert_eq!(asked, Family::of(["GET", "api.github.com", "/user"]));
    /// assert_ne!(asked, Family::of(["GET", "api.github.com/", "user"]));
    /// ```
    pub fn of<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            let part = part.as_ref();
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// The digest itself.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Family({self})")
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0[..8])
    }
}

/// Who may see an entry.
///
/// A scope other than [`Scope::PUBLIC`] is a *keyed* digest of whatever proves the right to see
/// (a credential, say): equal on all members, and of no use to find out what was digested.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope([u8; 16]);

impl Scope {
    /// Everybody may see it.
    pub const PUBLIC: Self = Self([0; 16]);

    /// The scope with this digest.
    pub const fn from_digest(digest: [u8; 16]) -> Self {
        Self(digest)
    }

    /// The digest itself.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({self})")
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::PUBLIC {
            return f.write_str("public");
        }
        write_hex(f, &self.0[..8])
    }
}

/// What an entry is filed under. The scope is part of the key, so that a lookup in one scope
/// cannot meet what was stored in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// What was asked.
    pub family: Family,
    /// Who may see the answer.
    pub scope: Scope,
}

impl Key {
    /// The key of `family` in `scope`.
    pub const fn new(family: Family, scope: Scope) -> Self {
        Self { family, scope }
    }

    /// The key of these parts in the public scope.
    pub fn public<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Self {
        Self::new(Family::of(parts), Scope::PUBLIC)
    }
}

/// What a caller asks for: the key that it is filed under, and the path by which it is
/// invalidated together with others.
///
/// A [`Key`] alone is a resource at the [root](Path::root), for those who invalidate by key only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    /// What it is filed under.
    pub key: Key,
    /// Where it belongs. The same key always has the same path.
    pub path: Path,
}

impl Resource {
    /// What is filed under `key` and belongs to `path`.
    pub const fn new(key: Key, path: Path) -> Self {
        Self { key, path }
    }
}

impl From<Key> for Resource {
    fn from(key: Key) -> Self {
        Self::new(key, Path::root())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.family, self.scope)
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}
