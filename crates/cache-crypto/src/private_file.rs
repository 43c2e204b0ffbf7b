//! Reading a secret or a token from a file that is for its owner alone.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::looks;
use crate::secret::Secret;

#[cfg(test)]
mod tests;

/// Why a file is not read. It names the file, where that is what was given, and never shows what is
/// in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateFileError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// There is no such file, and its name looks like a secret, so it is not repeated. Write the
    /// secret to a file, and give its name.
    #[error(
        "there is no such file, and its name is not shown here because it looks like a secret \
         itself; write that to a file, and give the file's name"
    )]
    SecretForName,
    /// A directory, a named pipe, a device. Give a file.
    #[error("{} is not a file", path.display())]
    NoFile {
        /// What it is that is there.
        path: PathBuf,
    },
    /// Others than its owner have access to the file. Close it to them.
    #[error(
        "{path} is open to others (mode {mode:04o}); run: chmod 600 {path}",
        path = path.display()
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is so long that it must be something else, given by mistake.
    #[error("{} has more than {max} bytes, which no secret has", path.display(), max = Secret::MAX_BYTES)]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file is not text.
    #[error("{} is not UTF-8 text", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
    },
}

/// The text of a file that nobody but its owner has access to, of at most [`Secret::MAX_BYTES`]. It
/// is wiped from memory when it is dropped.
///
/// On Unix the file's mode is checked, as ssh does for its keys; elsewhere it is not. Besides files,
/// a pipe that this process was started with is read to its end (`/dev/stdin`, `/dev/fd/63`: what a
/// shell makes of `<(command)`).
///
/// [`Secret::read`] is this, and what is read has to be a secret; use it for anything else that has
/// to be kept as close, a token for one.
pub fn read_private(path: impl AsRef<Path>) -> Result<Zeroizing<String>, PrivateFileError> {
    let path = path.as_ref();
    // Before it is opened, because to open a named pipe is to wait for somebody to write to it.
    let metadata = fs::metadata(path).map_err(|source| unreadable(path, source))?;
    check(path, &metadata)?;
    let file = File::open(path).map_err(|source| unreadable(path, source))?;
    // The open file once more, because the name may mean another one by now.
    let metadata = file.metadata().map_err(|source| unreadable(path, source))?;
    check(path, &metadata)?;
    read_text(path, file)
}

fn unreadable(path: &Path, source: io::Error) -> PrivateFileError {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};

    // What is there is a file's name, whatever it looks like.
    let is_no_name = matches!(
        source.kind(),
        NotFound | NotADirectory | InvalidFilename | InvalidInput
    );
    if is_no_name && looks_secret(path) {
        return PrivateFileError::SecretForName;
    }
    PrivateFileError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

fn check(path: &Path, metadata: &Metadata) -> Result<(), PrivateFileError> {
    if is_own_pipe(path, metadata) {
        return Ok(());
    }
    let path = path.to_owned();
    match mode(metadata) {
        _ if !metadata.is_file() => Err(PrivateFileError::NoFile { path }),
        Some(mode) if mode & 0o077 != 0 => Err(PrivateFileError::OpenToOthers { path, mode }),
        _ => Ok(()),
    }
}

fn read_text(path: &Path, file: impl Read) -> Result<Zeroizing<String>, PrivateFileError> {
    // One byte over the limit tells a file that is too long. The room is taken at once, because a
    // buffer that moves leaves what it held behind.
    let limit = Secret::MAX_BYTES + 1;
    let mut content = Zeroizing::new(Vec::with_capacity(limit + 1));
    file.take(limit as u64)
        .read_to_end(&mut content)
        .map_err(|source| unreadable(path, source))?;
    if content.len() == limit {
        return Err(PrivateFileError::TooLong {
            path: path.to_owned(),
        });
    }
    let text = str::from_utf8(&content).map_err(|_| PrivateFileError::NotUtf8 {
        path: path.to_owned(),
    })?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Whether somebody may have given the secret where its file's name belongs.
///
/// It is asked of what is no file, so a name that is taken for a secret is merely not shown.
fn looks_secret(path: &Path) -> bool {
    let Some(text) = path.to_str() else {
        // It could be anything.
        return true;
    };
    // A passphrase, or the base64 of something, is a relative path in no directory that there is.
    let is_nowhere = path
        .parent()
        .is_none_or(|above| above.as_os_str().is_empty() || !above.is_dir());
    // One that is too short is none, but may be a part of one, or somebody's password.
    let is_word = !text.contains(['/', '.']);
    looks::has_secret_part(text)
        || path.is_relative() && is_nowhere && (looks::is_long(text) || is_word)
}

/// A pipe that was opened by who started us, and not one that lies in a directory and may wait for
/// ever.
#[cfg(unix)]
fn is_own_pipe(path: &Path, metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;

    let own = ["/dev/fd", "/dev/stdin", "/proc/self/fd"];
    metadata.file_type().is_fifo() && own.iter().any(|own| path.starts_with(own))
}

#[cfg(not(unix))]
fn is_own_pipe(_path: &Path, _metadata: &Metadata) -> bool {
    false
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;

    Some(metadata.mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode(_metadata: &Metadata) -> Option<u32> {
    None
}
