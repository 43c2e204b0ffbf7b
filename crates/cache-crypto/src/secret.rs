//! The secret that a fleet shares: how it is recognised, judged and kept.

use std::fmt;
use std::path::Path;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::derive::{self, DerivedKey, ITERATIONS, Label, STRETCHING_SALT};

mod file;
mod kind;
#[cfg(test)]
mod tests;

pub use file::SecretFileError;
pub use kind::SecretKind;

/// What all members of a fleet know, and nobody else.
///
/// Whoever knows it can read and write everything that the fleet shares. Its text and its root key
/// are wiped from memory when it is dropped. `Display` shows the [`Fingerprint`], `Debug` the kind, too.
///
/// ```
/// use cache_crypto::{Secret, SecretKind};
///
/// let secret = Secret::generate()?;
/// assert_eq!(secret.kind(), SecretKind::Fleet);
/// assert_eq!(
///     Secret::parse(secret.expose())?.fingerprint(),
///     secret.fingerprint(),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Secret {
    text: Zeroizing<String>,
    root: DerivedKey,
    kind: SecretKind,
}

impl Secret {
    /// The fewest characters of a secret. Shorter ones can be guessed however they are stretched.
    pub const MIN_CHARS: usize = 16;

    /// The longest secret, in bytes. GitHub's longest tokens have about 520.
    pub const MAX_BYTES: usize = 4096;

    /// Takes a secret as somebody typed it; white space around it does not count.
    ///
    /// Random forms (a [generated](Self::generate) secret, 64 hexadecimal digits, GitHub's tokens)
    /// are used as they are. Everything else counts as a passphrase and is stretched, which takes
    /// a good part of a second of computing: do it at the start, not on a busy runtime. Texts are
    /// the same secret where their bytes are: an `ä` that is written as `a` with two dots is another.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(SecretError::TooLong);
        }
        let chars = text.chars().count();
        if chars < Self::MIN_CHARS {
            return Err(SecretError::TooShort(chars));
        }
        let kind = SecretKind::of(text);
        let root = match kind {
            SecretKind::Passphrase => {
                let stretched = derive::stretch(text.as_bytes(), STRETCHING_SALT, ITERATIONS);
                derive::root(stretched.as_bytes())
            }
            _ => derive::root(text.as_bytes()),
        };
        Ok(Self {
            text: Zeroizing::new(text.to_owned()),
            root,
            kind,
        })
    }

    /// Reads a secret from a file that nobody but its owner has access to: see
    /// [`read_private`](crate::read_private).
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SecretFileError> {
        file::read(path.as_ref())
    }

    /// A fresh secret of 256 random bits: `ghmesh_` and 64 hexadecimal digits.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut random = Zeroizing::new([0; 32]);
        SystemRandom::new()
            .fill(random.as_mut())
            .map_err(|_| NoRandomness)?;
        let digits = Zeroizing::new(hex::encode(random.as_slice()));
        let text = Zeroizing::new(format!("{}{}", kind::FLEET_PREFIX, digits.as_str()));
        Ok(Self {
            root: derive::root(text.as_bytes()),
            text,
            kind: SecretKind::Fleet,
        })
    }

    /// The secret itself: to print a fresh one once, or to hand it to a child process. It belongs
    /// in no log and no error.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What it looks like.
    pub const fn kind(&self) -> SecretKind {
        self.kind
    }

    /// What may be shown of it.
    pub fn fingerprint(&self) -> Fingerprint {
        let key = derive::expand(&self.root, Label::Fingerprint);
        let mut fingerprint = Fingerprint([0; Fingerprint::LEN]);
        fingerprint
            .0
            .copy_from_slice(&key.as_bytes()[..Fingerprint::LEN]);
        fingerprint
    }

    pub(crate) const fn root(&self) -> &DerivedKey {
        &self.root
    }
}

/// Shows the [`Fingerprint`]. The secret itself is shown by [`expose`](Secret::expose) alone.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fingerprint().fmt(f)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({:?}, {})", self.kind, self.fingerprint())
    }
}

/// Tells one secret from another in public: equal on all members of a fleet, and part of every
/// envelope.
///
/// It is derived under a label of its own and says nothing about any key. It does let somebody
/// check a guess at the secret, as each envelope does; that is why passphrases are stretched.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; Self::LEN]);

impl Fingerprint {
    pub(crate) const LEN: usize = 6;

    pub(crate) const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Why a text is no secret. It never contains the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// There is nothing but white space.
    #[error("the secret is empty; `ghmesh secret new` makes one")]
    Empty,
    /// It has so few characters that it can be guessed. Use a longer one.
    #[error(
        "a secret of {0} characters can be guessed, at least {min} are needed; \
         `ghmesh secret new` makes a good one",
        min = Secret::MIN_CHARS
    )]
    TooShort(usize),
    /// It is so long that it must be something else, given by mistake.
    #[error(
        "this is no secret: it has more than {max} bytes; `ghmesh secret new` makes one",
        max = Secret::MAX_BYTES
    )]
    TooLong,
}

/// The operating system gives no random bytes, without which nothing can be sealed. Nothing but a
/// repair of the machine helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoRandomness;
