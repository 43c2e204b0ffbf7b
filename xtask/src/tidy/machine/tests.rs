//! Absolute paths, and what only resembles them.

use super::{FOLDERS, check};
use crate::tidy::checkout::File;

fn found(text: &str) -> usize {
    let file = File {
        path: "README.md".to_owned(),
        text: text.to_owned(),
    };
    check(&[file]).len()
}

#[test]
fn a_path_of_one_machine_fails() {
    // Put together here, so that this file passes the check that it tests.
    for folder in FOLDERS {
        assert_eq!(found(&format!("see `/{folder}/notes.md`")), 1);
        assert_eq!(found(&format!("/{folder}/notes.md")), 1);
        assert_eq!(found(&format!("DIR=/{folder}/notes")), 1);
    }
}

#[test]
fn relative_paths_urls_and_other_folders_pass() {
    for folder in FOLDERS {
        assert_eq!(found(&format!("target/{folder}/notes.md")), 0);
        assert_eq!(found(&format!("https://example.org/{folder}/notes")), 0);
        assert_eq!(found(&format!("/{folder} alone")), 0);
    }
    assert_eq!(found("/run/user/1000/ghmesh.sock"), 0);
}
