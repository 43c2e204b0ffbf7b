//! Whether the data directory can be written to.

use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

use super::check::Check;
use crate::config::{ConfigError, Disk};
use crate::hidden;
use crate::settings::Settings;

const REMEDY: &str = "give another with --data-dir (CACHE_DIR), or keep nothing with --memory-only";

/// Looks at the directory without leaving anything in it.
pub(crate) fn check(settings: &Settings, disk: &Result<Option<Disk>, ConfigError>) -> Check {
    match disk {
        Ok(Some(disk)) => of(&disk.dir),
        Ok(None) if settings.memory_only == Some(true) => {
            Check::pass("data-dir", "none: nothing is kept on disk, as configured")
        }
        Ok(None) => Check::warn(
            "data-dir",
            "not used: without a secret to seal it with, nothing is kept on disk",
            "see what is said of the secret",
        ),
        Err(error) => Check::fail("data-dir", error, REMEDY),
    }
}

fn of(dir: &Path) -> Check {
    let shown = hidden::path(dir);
    match can_be_written(dir) {
        Ok(true) => Check::pass("data-dir", shown),
        Ok(false) => Check::pass("data-dir", format_args!("{shown}, to be made on first use")),
        Err(error) => Check::fail("data-dir", format_args!("{shown}: {error}"), REMEDY),
    }
}

/// Whether it is there; an error where nothing could be put there.
fn can_be_written(dir: &Path) -> io::Result<bool> {
    let is_there = dir.try_exists()?;
    let place = dir.ancestors().find(|place| place.exists());
    // A relative path's last ancestor is empty, and stands for where we are.
    NamedTempFile::new_in(place.unwrap_or(Path::new(".")))?;
    Ok(is_there)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Status;

    #[test]
    fn a_directory_is_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(of(dir.path()).status(), Status::Pass);
        let below = dir.path().join("some/where");
        assert_eq!(of(&below).status(), Status::Pass);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_is_no_directory() {
        let file = NamedTempFile::new().unwrap();
        for place in [file.path().to_owned(), file.path().join("below")] {
            let check = of(&place);
            assert_eq!(check.status(), Status::Fail);
            assert_eq!(check.remedy(), Some(REMEDY));
        }
    }
}
