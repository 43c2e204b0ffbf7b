//! Reading a secret from a file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Secret, SecretError};

/// Why a file gives no secret. It names the file and never shows what is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretFileError {
    /// The file cannot be read.
    #[error("cannot read the secret file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Others than its owner have access to the file. Close it to them.
    #[error(
        "the secret file {path} is open to others (mode {mode:04o}); run: chmod 600 {path}",
        path = path.display()
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not text.
    #[error("the secret file {} is not UTF-8 text", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
    },
    /// What the file contains is no secret.
    #[error("the secret file {} is of no use", path.display())]
    NoSecret {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SecretError,
    },
}

pub(super) fn read(path: &Path) -> Result<Secret, SecretFileError> {
    let unreadable = |source| SecretFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    // The open file is asked, not its name: the name may mean another file by now.
    refuse_open_to_others(&file, path)?;

    // One byte over the limit tells a file that is too long. The room is taken at once, because a
    // buffer that moves leaves what it held behind.
    let limit = Secret::MAX_BYTES + 1;
    let mut content = Zeroizing::new(Vec::with_capacity(limit + 1));
    file.take(limit as u64)
        .read_to_end(&mut content)
        .map_err(unreadable)?;

    let no_secret = |source| SecretFileError::NoSecret {
        path: path.to_owned(),
        source,
    };
    if content.len() == limit {
        return Err(no_secret(SecretError::TooLong));
    }
    let text = str::from_utf8(&content).map_err(|_| SecretFileError::NotUtf8 {
        path: path.to_owned(),
    })?;
    Secret::parse(text).map_err(no_secret)
}

#[cfg(unix)]
fn refuse_open_to_others(file: &File, path: &Path) -> Result<(), SecretFileError> {
    use std::os::unix::fs::MetadataExt;

    let metadata = file
        .metadata()
        .map_err(|source| SecretFileError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretFileError::OpenToOthers {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_open_to_others(_file: &File, _path: &Path) -> Result<(), SecretFileError> {
    Ok(())
}
