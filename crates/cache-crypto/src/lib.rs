//! Sealing for cache-core: AES-256-GCM under keys that are derived from one secret.
//!
//! Members of a fleet share a [`Secret`] and nothing else: no certificates, no server that knows
//! who belongs. From it each of them derives the same [`Keyring`], which is a
//! [`Sealer`](cache_core::Sealer). [`Sealed`] puts it in front of any
//! [`Transport`](cache_core::Transport), and a store on disk takes the same keyring.
//!
//! ```
//! use cache_core::{Key, Purpose, Sealer};
//! use cache_crypto::{Keyring, Secret};
//!
//! // Once: `ghmesh secret new`. Then every member is given the text.
//! let text = Secret::generate()?;
//! let ours = Keyring::new(&Secret::parse(text.expose())?)?;
//! let theirs = Keyring::new(&Secret::parse(text.expose())?)?;
//!
//! // What one member seals, another opens.
//! let question = ours.seal(Purpose::Request, b"GET /user")?;
//! assert_eq!(theirs.open(Purpose::Request, question.clone())?, "GET /user");
//!
//! // A reply opens for its own question alone, an entry on disk under its own key alone.
//! let reply = theirs.seal(Purpose::Reply { to: &question }, b"octocat")?;
//! assert_eq!(ours.open(Purpose::Reply { to: &question }, reply.clone())?, "octocat");
//! let again = ours.seal(Purpose::Request, b"GET /user")?;
//! assert!(ours.open(Purpose::Reply { to: &again }, reply.clone()).is_err());
//! let key = Key::public(["GET", "/user"]);
//! assert!(ours.open(Purpose::AtRest(&key), reply).is_err());
//!
//! // A stranger opens nothing.
//! let stranger = Keyring::new(&Secret::generate()?)?;
//! assert!(stranger.open(Purpose::Request, question).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How keys come about
//!
//! ```text
//! secret ── random as it is ────────────────────┐
//!        └─ passphrase: PBKDF2, 600,000 times ──┴─► HKDF ─► root
//! root ─ HKDF ─┬─ fingerprint     6 bytes, shown and in every envelope
//!              ├─ membership      Noise's prologue
//!              ├─ principals      digests of credentials
//!              ├─ digests         digests of anything else
//!              ├─ frames ─ HKDF with the process's salt ─► AES-256-GCM, a counter as nonce
//!              └─ store  ─ HKDF with the process's salt ─► AES-256-GCM, a counter as nonce
//! ```
//!
//! Each derivation has a label with a version of its own (HKDF's `info`), so no key serves two
//! uses. Stretching and HKDF have fixed salts: members that have never met must reach the same
//! keys.
//!
//! # What sealing gives
//!
//! Who does not know the secret can neither read nor alter nor make what is sealed, nor pass it
//! off as something else than it was sealed for. Who knows it can do all of this: members trust
//! each other. A sealed frame that is sent again opens again, so what is in it has to bear that;
//! cache-core's merge does. The [README] goes through who may attack, and what each of them can do.
//!
//! # Rotation
//!
//! A keyring opens what is sealed under [one secret more](Keyring::with_previous), and seals under
//! the current one alone: a secret that is being changed may be known to somebody who should read
//! no more. Therefore all members first learn to open under the new secret, then all come to seal
//! under it, then all drop the old one; the [README] has the steps.
//!
//! Principals are digested under the current secret's key. A node that has changed files an answer
//! that is for one credential under another name than before: such answers are asked for once more
//! by the fleet. To look under two names would have saved that, for two lookups of every miss.
//!
//! [README]: https://github.com/ghmesh/ghmesh/blob/main/crates/cache-crypto/README.md

mod compress;
mod derive;
mod envelope;
mod keyring;
mod looks;
mod private_file;
mod process_keys;
mod sealed;
mod secret;

pub use derive::DerivedKey;
pub use keyring::Keyring;
pub use looks::{NOT_SHOWN, looks_secret, without_secrets};
pub use private_file::{PrivateFileError, read_private};
pub use sealed::{Sealed, Unopened};
pub use secret::{Fingerprint, NoRandomness, Secret, SecretError, SecretFileError, SecretKind};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
