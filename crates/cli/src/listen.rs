//! The listeners for clients: a TCP port, and a Unix socket for `gh`.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::config::{ConfigError, UnixSocket};

/// Opens the TCP port.
pub(crate) async fn tcp(address: SocketAddr) -> Result<TcpListener, ConfigError> {
    TcpListener::bind(address).await.map_err(|error| {
        let what = format!("--listen {address}");
        if error.kind() == io::ErrorKind::AddrInUse {
            let why =
                "the port is in use; stop the other process, or give another port (0 for any)";
            ConfigError::unusable(what, why)
        } else {
            ConfigError::unusable(what, error)
        }
    })
}

/// A Unix socket, removed from the file system when it is dropped.
#[derive(Debug)]
pub(crate) struct Unix {
    pub(crate) listener: UnixListener,
    pub(crate) path: PathBuf,
}

impl Drop for Unix {
    fn drop(&mut self) {
        // It may be gone already; then there is nothing left to do.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Opens the Unix socket. Where nobody asked for it, and it cannot be had, the node runs without.
pub(crate) async fn unix(socket: &UnixSocket) -> Result<Option<Unix>, ConfigError> {
    match open(&socket.path).await {
        Ok(listener) => Ok(Some(Unix {
            listener,
            path: socket.path.clone(),
        })),
        Err(error) if socket.required => Err(ConfigError::unusable(
            format!("the socket {}", socket.path.display()),
            format!("{error}; name another place with --listen-unix"),
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

async fn open(path: &Path) -> io::Result<UnixListener> {
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
    }
    make_way(path).await?;
    // Bound under another name first: nobody can connect before only we may.
    let unfinished = path.with_extension(format!("sock.{}", std::process::id()));
    let listener = UnixListener::bind(&unfinished)?;
    let finish = || {
        std::fs::set_permissions(&unfinished, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&unfinished, path)
    };
    if let Err(error) = finish() {
        let _ = std::fs::remove_file(&unfinished);
        return Err(error);
    }
    Ok(listener)
}

/// Whether the place is free, or holds no more than what a node that was killed has left behind.
async fn make_way(path: &Path) -> io::Result<()> {
    let in_the_way = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => "there is something that is no socket",
        Ok(_) if UnixStream::connect(path).await.is_ok() => "another node listens there",
        Ok(_) => return Ok(()),
    };
    Err(io::Error::new(io::ErrorKind::AddrInUse, in_the_way))
}
