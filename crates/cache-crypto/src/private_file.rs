//! Reading a secret or a token from a file that is for its owner alone.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::looks;
use crate::secret::Secret;

#[cfg(not(unix))]
mod elsewhere;
#[cfg(test)]
mod tests;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
use elsewhere as system;
#[cfg(unix)]
use unix as system;

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
    /// Others than its owner have access to the file. Close it to them, or where that is not
    /// possible, as with a mounted secret of Docker or Kubernetes, give what is in it through a pipe.
    #[error(
        "{} is open to others (mode {mode:04o}); {}",
        path.display(),
        remedy(path, *.is_ours)
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Whether it belongs to us, so that we may close it.
        is_ours: bool,
    },
    /// The file belongs to a user who is neither we nor root, and may put into it what he likes.
    /// Give what is in it through a pipe, if you trust him.
    #[error("{} belongs to another user ({owner}); {}", path.display(), remedy(path, false))]
    OwnedByAnother {
        /// The file.
        path: PathBuf,
        /// The user's number.
        owner: u32,
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
/// On Unix the file's owner and mode are checked, as ssh does for its keys: it belongs to us or to
/// root, and nobody else has any right to it. Elsewhere they are not. Besides files, a pipe that this
/// process was started with is read to its end (`/dev/stdin`, `/dev/fd/63`: what a shell makes of
/// `<(command)`).
///
/// [`Secret::read`] is this, and what is read has to be a secret; use it for anything else that has
/// to be kept as close, a token for one.
pub fn read_private(path: impl AsRef<Path>) -> Result<Zeroizing<String>, PrivateFileError> {
    let path = path.as_ref();
    let file = system::open(path).map_err(|source| unreadable(path, source))?;
    // Of the open file, because the name may mean another one by now.
    let metadata = file.metadata().map_err(|source| unreadable(path, source))?;
    if system::is_own_pipe(path, &metadata) {
        system::wait_for_writers(&file).map_err(|source| unreadable(path, source))?;
    } else if metadata.is_file() {
        system::check_access(path, &metadata)?;
    } else {
        let path = path.to_owned();
        return Err(PrivateFileError::NoFile { path });
    }
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

/// What to do about a file that others have access to.
fn remedy(path: &Path, is_ours: bool) -> String {
    let path = quoted(path);
    let pipe = format!("give <(cat {path}) in place of the file's name");
    if is_ours {
        format!("run: chmod 600 {path} — or, where it is mounted read-only, {pipe}")
    } else {
        pipe
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
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
