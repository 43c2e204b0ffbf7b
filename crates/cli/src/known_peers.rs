//! The peers that were known when the node last stopped, so that it finds them again although
//! those in its bootstrap list are gone.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::{Key, Purpose, Sealer};
use cache_net::Multiaddr;
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

#[cfg(test)]
mod tests;

/// The file in the data directory.
const FILE: &str = "peers";

/// More than the addresses of all peers that are remembered take.
const MOST_BYTES: u64 = 64 * 1024;

/// A file of addresses, sealed under the fleet's secret.
#[derive(Clone)]
pub(crate) struct KnownPeers {
    path: PathBuf,
    sealer: Arc<dyn Sealer>,
}

impl KnownPeers {
    pub(crate) fn in_dir(dir: &Path, sealer: Arc<dyn Sealer>) -> Self {
        Self {
            path: dir.join(FILE),
            sealer,
        }
    }

    /// What was kept. A file that does not open is another fleet's, or damaged: nobody is known.
    pub(crate) fn load(&self) -> Vec<Multiaddr> {
        let sealed = match self.read() {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                tracing::warn!(
                    "cannot read the known peers in {}: {error}",
                    self.path.display()
                );
                return Vec::new();
            }
        };
        let is_outdated = self.sealer.is_outdated(&sealed);
        let Ok(text) = self.sealer.open(Purpose::AtRest(&place()), sealed) else {
            tracing::info!(
                "the known peers in {} are another fleet's",
                self.path.display()
            );
            return Vec::new();
        };
        let text = String::from_utf8_lossy(&text);
        let peers: Vec<_> = text.lines().filter_map(|line| line.parse().ok()).collect();
        if is_outdated {
            // Before the secret is forgotten under which it was sealed.
            self.save(&peers);
        }
        peers
    }

    /// Keeps these, where there are any, in place of those that were kept before.
    pub(crate) fn save(&self, peers: &[Multiaddr]) {
        if peers.is_empty() {
            return;
        }
        if let Err(error) = self.write(peers) {
            tracing::warn!(
                "cannot keep the known peers in {}: {error}",
                self.path.display()
            );
        }
    }

    /// Keeps what there is now and then, for when the node is not stopped but killed; until there
    /// is nobody any more who knows.
    pub(crate) async fn keep<F>(self, every: Duration, known: impl Fn() -> F + Send)
    where
        F: Future<Output = Option<Vec<Multiaddr>>> + Send,
    {
        loop {
            sleep(every).await;
            let Some(peers) = known().await else {
                return;
            };
            let kept = self.clone();
            // It writes a file. It can only fail by a panic, which is told.
            let _ = spawn_blocking(move || kept.save(&peers)).await;
        }
    }

    fn read(&self) -> io::Result<Bytes> {
        let mut sealed = Vec::new();
        let file = std::fs::File::open(&self.path)?;
        io::Read::read_to_end(&mut io::Read::take(file, MOST_BYTES), &mut sealed)?;
        Ok(sealed.into())
    }

    fn write(&self, peers: &[Multiaddr]) -> io::Result<()> {
        let lines: Vec<_> = peers.iter().map(Multiaddr::to_string).collect();
        let text = lines.join("\n");
        let sealed = self
            .sealer
            .seal(Purpose::AtRest(&place()), text.as_bytes())
            .map_err(io::Error::other)?;
        let dir = self.path.parent().unwrap_or(Path::new("."));
        // A crash leaves the old file or the new one.
        let mut file = NamedTempFile::new_in(dir)?;
        file.write_all(&sealed)?;
        file.persist(&self.path)?;
        Ok(())
    }
}

/// What the seal is bound to, so that nothing else at rest can take its place.
fn place() -> Key {
    Key::public(["ghmesh", "known peers"])
}
