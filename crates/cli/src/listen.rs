//! The listeners for clients: a TCP port, and a Unix socket for `gh`.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::config::{ConfigError, UnixSocket};

/// Opens the TCP port.
pub(crate) async fn tcp(address: SocketAddr) -> Result<TcpListener, ConfigError> {
    TcpListener::bind(address).await.map_err(|error| {
        let remedy = remedy(&error);
        let what = format!("--listen {address} (GHMESH_LISTEN)");
        ConfigError::unusable(what, format!("{error}; {remedy}"))
    })
}

/// What helps where a port cannot be had.
pub(crate) fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "stop the other process, or give another port (0 for any)",
        io::ErrorKind::PermissionDenied => "give a port above 1023 (0 for any)",
        _ => "give an address of this machine, like 127.0.0.1:8417",
    }
}

/// A Unix socket, removed from the file system when it is dropped.
#[derive(Debug)]
pub(crate) struct Unix {
    pub(crate) listener: UnixListener,
    pub(crate) path: PathBuf,
    inode: u64,
}

impl Drop for Unix {
    fn drop(&mut self) {
        // Another node's socket may lie there by now, or none.
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn inode(path: &Path) -> io::Result<u64> {
    Ok(std::fs::symlink_metadata(path)?.ino())
}

/// Opens the Unix socket. Where nobody asked for it, and it cannot be had, the node runs without.
pub(crate) async fn unix(socket: &UnixSocket) -> Result<Option<Unix>, ConfigError> {
    match open(&socket.path).await {
        Ok(unix) => Ok(Some(unix)),
        Err(error) if socket.required => Err(ConfigError::unusable(
            format!("the socket {}", socket.path.display()),
            format!(
                "{error}; name another place with --listen-unix, or another --data-dir (CACHE_DIR)"
            ),
        )),
        Err(error) => {
            tracing::warn!(
                "no socket for gh at {}: {error}; name another place with --listen-unix",
                socket.path.display()
            );
            Ok(None)
        }
    }
}

/// Opens the socket; what a node that was killed has left there gives way.
pub(crate) async fn open(path: &Path) -> io::Result<Unix> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    make_way(path).await?;
    // Bound where nobody else gets in, so that nobody connects before only we may.
    let private = tempfile::Builder::new().prefix(".ghmesh").tempdir_in(dir)?;
    let unfinished = private.path().join("s");
    let listener = UnixListener::bind(&unfinished)?;
    std::fs::set_permissions(&unfinished, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&unfinished, path)?;
    Ok(Unix {
        listener,
        path: path.to_owned(),
        inode: inode(path)?,
    })
}

/// Whether the place is free, or holds no more than what a node that was killed has left behind.
async fn make_way(path: &Path) -> io::Result<()> {
    let in_the_way = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => "there is something that is no socket",
        Ok(_) => match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(()),
            Err(error) => return Err(error),
            Ok(_) => "another node listens there",
        },
    };
    Err(io::Error::new(io::ErrorKind::AddrInUse, in_the_way))
}
