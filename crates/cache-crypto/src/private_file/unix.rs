//! What only Unix has: owners, modes, and pipes among the files.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::PrivateFileError;

/// Opens a file without waiting: a named pipe, which waits for somebody to write to it, may take
/// the place of a file at any moment.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// A pipe that was opened by who started us, and not one that lies in a directory and may wait
/// for ever.
pub(super) fn is_own_pipe(path: &Path, metadata: &Metadata) -> bool {
    let own = ["/dev/fd", "/dev/stdin", "/proc/self/fd"];
    metadata.file_type().is_fifo() && own.iter().any(|own| path.starts_with(own))
}

/// Makes reading wait for what is still to be written.
pub(super) fn wait_for_writers(file: &File) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(file)?;
    Ok(rustix::fs::fcntl_setfl(file, flags - OFlags::NONBLOCK)?)
}

pub(super) fn check_access(path: &Path, metadata: &Metadata) -> Result<(), PrivateFileError> {
    let us = rustix::process::geteuid().as_raw();
    judge(path, metadata.uid(), metadata.mode() & 0o7777, us)
}

/// Whether `us` may take what is in a file of this owner and mode for private.
pub(super) fn judge(path: &Path, owner: u32, mode: u32, us: u32) -> Result<(), PrivateFileError> {
    const ROOT: u32 = 0;

    let path = path.to_owned();
    if owner != us && owner != ROOT {
        return Err(PrivateFileError::OwnedByAnother { path, owner });
    }
    if mode & 0o077 != 0 {
        let is_ours = owner == us;
        return Err(PrivateFileError::OpenToOthers {
            path,
            mode,
            is_ours,
        });
    }
    Ok(())
}
