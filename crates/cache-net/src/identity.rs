//! Who we are to our peers.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use cache_core::PeerId;
use libp2p::identity::{DecodingError, Keypair};
use tempfile::NamedTempFile;

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
    /// be read, or that others have access to, is an error, never overwritten: the name would change
    /// without anybody having asked.
    pub fn load_or_create(path: impl AsRef<Path>) -> Result<Self, IdentityError> {
        let path = path.as_ref();
        if let Some(identity) = load(path)? {
            return Ok(identity);
        }
        match create(path) {
            // Another process was faster; two that start together must not have one name and two
            // keys.
            Err(IdentityError::Write { source, .. })
                if source.kind() == io::ErrorKind::AlreadyExists =>
            {
                load(path)?.ok_or_else(|| read_error(path, io::ErrorKind::NotFound.into()))
            }
            created => created,
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
    /// Name a file: what is there is a directory, a named pipe or a device.
    #[error("cannot read the identity in {}: it is not a file; name another one", path.display())]
    NoFile {
        /// What is there.
        path: PathBuf,
    },
    /// Others may read the key, and take the name. Close the file to them, or remove it to get a new
    /// identity.
    #[error(
        "the identity in {path} is open to others (mode {mode:04o}); run: chmod 600 '{path}'",
        path = path.display()
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
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

/// `None` where there is no such file.
fn load(path: &Path) -> Result<Option<Identity>, IdentityError> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(read_error(path, error)),
    };
    check(path, &file)?;
    let mut encoded = zeroize::Zeroizing::new(Vec::new());
    file.take(MAX_KEY_FILE)
        .read_to_end(&mut encoded)
        .map_err(|error| read_error(path, error))?;
    let keypair = Keypair::from_protobuf_encoding(&encoded).map_err(|source| {
        IdentityError::NotAnIdentity {
            path: path.to_owned(),
            source,
        }
    })?;
    Ok(Some(Identity(keypair)))
}

fn read_error(path: &Path, source: io::Error) -> IdentityError {
    IdentityError::Read {
        path: path.to_owned(),
        source,
    }
}

/// Opens a file, and does not wait where it is a named pipe.
fn open(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use rustix::fs::{Mode, OFlags};

        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
    }
    #[cfg(not(unix))]
    File::open(path)
}

/// Whether it is a file, and for its owner alone where the system can tell.
fn check(path: &Path, file: &File) -> Result<(), IdentityError> {
    let metadata = file.metadata().map_err(|error| read_error(path, error))?;
    let path = path.to_owned();
    if !metadata.is_file() {
        return Err(IdentityError::NoFile { path });
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&metadata) & 0o7777;
        if mode & 0o077 != 0 {
            return Err(IdentityError::OpenToOthers { path, mode });
        }
    }
    Ok(())
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

/// Writes a file that only its owner can read, and that was not there before. Nobody ever sees a
/// part of it, whenever the process ends.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    // Its mode is 0600.
    let mut file = NamedTempFile::new_in(dir.unwrap_or(Path::new(".")))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    Ok(())
}
