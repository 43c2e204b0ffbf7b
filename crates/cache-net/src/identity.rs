//! Who we are to our peers.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use cache_core::PeerId;
use libp2p::identity::{DecodingError, Keypair};

#[cfg(test)]
mod tests;

/// More than a key file of any kind that libp2p knows has.
const MAX_KEY_FILE: u64 = 16 * 1024;

/// The key pair whose public half is our name.
///
/// It says who we are, not that we belong: that is [`Membership`](crate::Membership). An ephemeral
/// one is right for a runner; a kept one for a host that others name in their bootstrap list with
/// `/p2p/…`.
#[derive(Clone)]
pub struct Identity(Keypair);

impl Identity {
    /// A new name, gone with the process.
    pub fn ephemeral() -> Self {
        Self(Keypair::generate_ed25519())
    }

    /// The name kept in the file `path`, which is made (with mode 0600) where there is none.
    ///
    /// The file holds libp2p's protobuf encoding of the private key. One that is there and cannot
    /// be read is an error, never overwritten: the name would change without anybody having asked.
    pub fn load_or_create(path: impl AsRef<Path>) -> Result<Self, IdentityError> {
        let path = path.as_ref();
        match File::open(path) {
            Ok(file) => load(path, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(path),
            Err(source) => Err(IdentityError::Read {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// The name.
    pub fn peer_id(&self) -> PeerId {
        name(&self.0.public().to_peer_id())
    }

    pub(crate) fn into_keypair(self) -> Keypair {
        self.0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.peer_id())
    }
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Make the file readable, or name another one.
    #[error("cannot read the identity in {}: {source}; make it readable or name another file", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Make its directory writable, or name another file.
    #[error("cannot write a new identity to {}: {source}; make its directory writable or name another file", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Name another file, or remove this one to get a new identity.
    #[error("{} does not hold an identity: {source}; name another file, or remove it to get a new identity", path.display())]
    NotAnIdentity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DecodingError,
    },
}

/// What cache-core calls this peer. Both sides show the same base58.
#[expect(
    clippy::expect_used,
    reason = "libp2p hashes keys of more than 42 bytes, so no peer's id has more than 44"
)]
pub(crate) fn name(peer: &libp2p::PeerId) -> PeerId {
    PeerId::from_bytes(&peer.to_bytes()).expect("a key's peer id is short")
}

fn load(path: &Path, file: File) -> Result<Identity, IdentityError> {
    let mut encoded = zeroize::Zeroizing::new(Vec::new());
    file.take(MAX_KEY_FILE)
        .read_to_end(&mut encoded)
        .map_err(|source| IdentityError::Read {
            path: path.to_owned(),
            source,
        })?;
    let keypair = Keypair::from_protobuf_encoding(&encoded).map_err(|source| {
        IdentityError::NotAnIdentity {
            path: path.to_owned(),
            source,
        }
    })?;
    Ok(Identity(keypair))
}

fn create(path: &Path) -> Result<Identity, IdentityError> {
    let identity = Identity::ephemeral();
    let encoded =
        identity
            .0
            .to_protobuf_encoding()
            .map_err(|source| IdentityError::NotAnIdentity {
                path: path.to_owned(),
                source,
            })?;
    let encoded = zeroize::Zeroizing::new(encoded);
    write_private(path, &encoded).map_err(|source| IdentityError::Write {
        path: path.to_owned(),
        source,
    })?;
    Ok(identity)
}

/// Writes a file that only its owner can read, and that was not there before.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    // Two processes that start together must not end with one name and two keys: the second fails.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
