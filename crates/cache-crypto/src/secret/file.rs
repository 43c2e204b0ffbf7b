//! A secret in a file.

use std::path::{Path, PathBuf};

use super::{Secret, SecretError};
use crate::private_file::{PrivateFileError, read_private};

/// Why a file gives no secret. It never shows what is in the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretFileError {
    /// The file is not read.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// What the file contains is no secret.
    #[error("what is in {} is of no use", path.display())]
    NoSecret {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SecretError,
    },
}

pub(super) fn read(path: &Path) -> Result<Secret, SecretFileError> {
    let text = read_private(path)?;
    Secret::parse(&text).map_err(|source| SecretFileError::NoSecret {
        path: path.to_owned(),
        source,
    })
}
