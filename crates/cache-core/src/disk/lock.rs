//! One process to a directory.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process;

use super::files::open_private;

/// Keeps other processes out of a directory until it is dropped, or the process ends in whatever
/// way.
///
/// The file stays where it is: it is the lock on it that counts, and to delete it would let two
/// processes lock two files of one name.
#[derive(Debug)]
pub(super) struct Lock {
    // Unlocked when it is closed.
    _file: File,
}

/// Why a directory could not be had.
#[derive(Debug)]
pub(super) enum Refused {
    /// Another process has it; its id, unless that could not be read.
    InUse(Option<u32>),
    Io(io::Error),
}

impl Lock {
    /// Longer than the digits of any process id.
    const MAX_PID_LEN: u64 = 20;

    pub(super) fn take(path: &Path) -> Result<Self, Refused> {
        let mut file = open_private(path).map_err(Refused::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Refused::InUse(read_pid(&mut file))),
            Err(TryLockError::Error(error)) => return Err(Refused::Io(error)),
        }
        // A courtesy to whoever is refused. On a full disk there is no room for it.
        if let Err(error) = write_pid(&mut file) {
            tracing::debug!(%error, "the lock does not say whose it is");
        }
        Ok(Self { _file: file })
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", process::id())
}

/// The process that holds the lock, if it has come to write its id.
fn read_pid(file: &mut File) -> Option<u32> {
    let mut pid = String::new();
    file.take(Lock::MAX_PID_LEN).read_to_string(&mut pid).ok()?;
    pid.trim().parse().ok()
}
