//! The file beneath the store, and the bound that it never outgrows.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redb::StorageBackend;
use redb::backends::FileBackend;

use super::lock::{Lock, Refused};

/// Where the store's file is kept. Tests put a disk there that fails.
pub(super) trait Files: Send + Sync + 'static {
    /// Opens the file; makes an empty one where there is none.
    fn open(&self) -> io::Result<Box<dyn StorageBackend>>;

    /// Puts the file out of the way, over the one that was set aside before, if any; tells where
    /// it is now.
    fn set_aside(&self) -> io::Result<String>;

    /// Deletes the file.
    fn remove(&self) -> io::Result<()>;
}

/// The files of a directory, and the lock on it.
#[derive(Debug)]
pub(super) struct Directory {
    dir: PathBuf,
    lock: Mutex<Option<Lock>>,
    store: PathBuf,
    aside: PathBuf,
}

impl Directory {
    /// The store in `dir`.
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            lock: Mutex::default(),
            store: dir.join("store.redb"),
            aside: dir.join("store.redb.broken"),
        }
    }

    /// Makes the directory where there is none, and keeps other processes out of it.
    pub(super) fn hold(&self) -> Result<(), Refused> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_none() {
            create_private_dir(&self.dir).map_err(Refused::Io)?;
            *lock = Some(Lock::take(&self.dir.join("store.lock"))?);
        }
        Ok(())
    }
}

impl Files for Directory {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        // Where the disk was full at the start, there may have been no room for a lock.
        self.hold().map_err(|refused| match refused {
            Refused::InUse(_) => io::Error::other("another process uses the directory"),
            Refused::Io(error) => error,
        })?;
        let file = open_private(&self.store)?;
        Ok(Box::new(FileBackend::new(file).map_err(io::Error::other)?))
    }

    fn set_aside(&self) -> io::Result<String> {
        fs::rename(&self.store, &self.aside)?;
        Ok(self.aside.display().to_string())
    }

    fn remove(&self) -> io::Result<()> {
        fs::remove_file(&self.store)
    }
}

/// Opens a file that nobody else may read, for reading and writing; makes it where there is none.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a directory that nobody else may look into, and those above it.
fn create_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// A file that refuses to grow past a bound.
///
/// redb asks for room as it sees fit, twice the file at a time, and never asks whether it may. This
/// is where it is told no. It takes that for a failing disk, so the caller has to open the file
/// once more afterwards; the last commit is intact.
///
/// It takes none of redb's locks: the directory is ours alone while [`Lock`](super::lock::Lock) is
/// held.
#[derive(Debug)]
pub(super) struct Bounded {
    file: Box<dyn StorageBackend>,
    max_len: u64,
    len: Arc<AtomicU64>,
}

/// The file would have outgrown its bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtBound;

impl Bounded {
    pub(super) fn new(file: Box<dyn StorageBackend>, max_len: u64) -> io::Result<Self> {
        let len = Arc::new(AtomicU64::new(file.len()?));
        Ok(Self { file, max_len, len })
    }

    /// The length of the file, as it goes on.
    pub(super) fn len_seen(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.len)
    }
}

impl StorageBackend for Bounded {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > self.max_len {
            return Err(io::Error::other(AtBound));
        }
        self.file.set_len(len)?;
        self.len.store(len, Ordering::Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

impl fmt::Display for AtBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file has reached its bound")
    }
}

impl std::error::Error for AtBound {}
