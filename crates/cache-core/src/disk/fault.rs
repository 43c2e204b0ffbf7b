//! What can go wrong with the file, sorted by what is done about it.

use std::any::Any;
use std::io::ErrorKind;
use std::panic::{self, AssertUnwindSafe};

use super::files::AtBound;

/// Why the file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// It would have outgrown its bound: make room, and try again.
    #[error("the store is at its bound")]
    AtBound,
    /// No room is left on the disk: wait for some.
    #[error("the disk is full ({0})")]
    DiskFull(String),
    /// The operating system refused: try again later.
    #[error("{0}")]
    Io(String),
    /// The file is not what it should be: set it aside.
    #[error("{0}")]
    Broken(String),
}

/// Does `work`, and makes a fault of a panic.
///
/// redb verifies what it reads only when it repairs a file, and panics on some of the garbage that
/// it then meets. What it leaves behind is not used again: whoever sees [`Fault::Broken`] lets go
/// of the database, file and all, so there is nothing to be unwind safe about.
pub(super) fn guard<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(Fault::Broken(format!(
            "reading it panicked: {}",
            message(&*panic)
        )))
    })
}

/// Whether the operating system says that there is no room.
pub(super) fn is_full(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        if let Some(inner) = error.get_ref()
            && inner.is::<AtBound>()
        {
            return Self::AtBound;
        }
        if is_full(&error) {
            return Self::DiskFull(error.to_string());
        }
        match error.kind() {
            // Not the disk's word but redb's, on a file that it cannot make sense of.
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof | ErrorKind::InvalidInput => {
                Self::Broken(error.to_string())
            }
            _ => Self::Io(error.to_string()),
        }
    }
}

impl From<redb::Error> for Fault {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => error.into(),
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => Self::Io(error.to_string()),
            other => Self::Broken(other.to_string()),
        }
    }
}

/// redb has an error type for each operation, and one that they all turn into.
macro_rules! through_redb_error {
    ($($error:ident),+) => {$(
        impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                redb::Error::from(error).into()
            }
        }
    )+};
}

through_redb_error!(
    CommitError,
    CompactionError,
    DatabaseError,
    StorageError,
    TableError,
    TransactionError
);
