//! What files are refused, and that nothing secret is shown in saying so.

use std::error::Error;

use super::*;

const FLEET: &str = "ghmesh_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// The error and all that caused it, as a user reads it, and as a programmer does.
fn explain(error: &PrivateFileError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    format!("{text}\n{error:?}")
}

fn refused(path: impl AsRef<Path>) -> String {
    explain(&read_private(path).unwrap_err())
}

#[test]
fn a_secret_in_the_place_of_a_files_name_is_not_shown() {
    let long = "x".repeat(5000);
    for pasted in [
        FLEET,
        &FLEET["ghmesh_".len()..],
        "ghp_q9Xk2LmZ7tRw4VbN8sYd1PfG6hJc3A5eUo0i",
        "github_pat_11ABCDEFG0q9Xk2LmZ7tRw_4VbN8sYd1PfG6hJc3A5eUo0i",
        "ghs_123456_eyJhbGciOi.eyJpc3MiOi.c2lnbmF0dXJl",
        "correct horse battery staple",
        "k2LmZ7tRw4VbN8sYd1P/fG6hJc3A5eUo0iq9Xk2LmZ7tRw4=",
        "/k2LmZ7tRw4VbN8sYd1PfG6hJc3A5eUo0iq9Xk2LmZ7tRw4=",
        "text with a \0 in the middle of it",
        "hunter2hunter2",
        &long,
    ] {
        let refused = refused(pasted);
        assert!(refused.contains("looks like a secret"), "{refused}");
        assert!(!refused.contains(&pasted[1..8]), "{refused}");
    }
}

#[test]
fn the_name_of_a_file_that_is_not_there_is_shown() {
    for path in [
        "/nowhere/fleet.secret",
        "/run/secrets/the-secret-of-our-fleet",
        "/home/octocat/.config/ghmesh_secret",
        "secret.txt",
        "src/the-secret-of-our-fleet",
    ] {
        let refused = refused(path);
        assert!(refused.contains(path), "{refused}");
        assert!(refused.contains("No such file"), "{refused}");
    }
}

#[cfg(unix)]
mod on_unix {
    use std::fs::{self, Permissions};
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;

    fn file(content: &[u8], mode: u32) -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        // It looks like a secret, and is a file all the same.
        let path = dir.path().join("ghp_q9Xk2LmZ7tRw4VbN8sYd1PfG6hJc3A5eUo0i");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn a_file_of_its_owner_is_read() {
        for mode in [0o600, 0o400] {
            let (_dir, path) = file(format!("{FLEET}\n").as_bytes(), mode);
            assert_eq!(*read_private(&path).unwrap(), format!("{FLEET}\n"));
        }
    }

    #[test]
    fn a_file_that_is_open_to_others_is_refused_with_the_command_that_closes_it() {
        for mode in [0o640, 0o604, 0o622, 0o601] {
            let (_dir, path) = file(FLEET.as_bytes(), mode);
            let refused = refused(&path);
            let command = format!("chmod 600 {}", path.display());
            assert!(refused.contains(&command), "{refused}");
            let pipe = format!("<(cat {})", path.display());
            assert!(refused.contains(&pipe), "{refused}");
            assert!(!refused.contains(FLEET), "{refused}");
        }
    }

    #[test]
    fn a_remedy_can_be_pasted_into_a_shell() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("Octocat's secret; rm -r .");
        fs::write(&path, FLEET).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let refused = refused(&path);
        let (_, command) = refused.split_once("run: ").unwrap();
        let (command, _) = command.split_once(" — ").unwrap();
        let sh = Command::new("sh").args(["-c", command]).status();
        assert!(sh.unwrap().success(), "{command}");
        assert_eq!(*read_private(&path).unwrap(), FLEET);
    }

    #[test]
    fn only_who_may_close_a_file_is_told_to() {
        let (ours, root, other) = (1000, 0, 1001);
        let path = Path::new("/run/secrets/fleet");
        let judge = |owner, mode| unix::judge(path, owner, mode, ours).map_err(|e| e.to_string());
        assert_eq!(judge(ours, 0o600), Ok(()));
        assert_eq!(judge(root, 0o400), Ok(()));
        // As Docker and Kubernetes mount it.
        let mounted = judge(root, 0o444).unwrap_err();
        assert!(mounted.contains("<(cat /run/secrets/fleet)"), "{mounted}");
        assert!(!mounted.contains("chmod"), "{mounted}");
        // Whoever else it belongs to can put another secret into it.
        let theirs = judge(other, 0o600).unwrap_err();
        assert!(
            theirs.contains("belongs to another user (1001)"),
            "{theirs}"
        );
        assert!(theirs.contains("<(cat"), "{theirs}");
    }

    #[test]
    fn a_link_is_judged_by_the_file_that_it_leads_to() {
        let (dir, path) = file(FLEET.as_bytes(), 0o600);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(*read_private(&link).unwrap(), FLEET);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(refused(&link).contains("chmod 600"));
    }

    #[test]
    fn a_file_that_cannot_be_a_secret_is_named_and_its_content_is_not_shown() {
        let endless = "endless".repeat(Secret::MAX_BYTES);
        for (content, reason) in [
            (&b"not text \xff\xfe at all"[..], "UTF-8"),
            (endless.as_bytes(), "more than 4096 bytes"),
        ] {
            let (_dir, path) = file(content, 0o600);
            let refused = refused(&path);
            assert!(refused.contains(path.to_str().unwrap()), "{refused}");
            assert!(refused.contains(reason), "{refused}");
            for shown in ["not text", "endless"] {
                assert!(!refused.contains(shown), "{refused}");
            }
        }
        let (_dir, path) = file(&vec![b'x'; Secret::MAX_BYTES], 0o600);
        assert_eq!(read_private(&path).unwrap().len(), Secret::MAX_BYTES);
    }

    #[test]
    fn what_is_no_file_is_refused_and_nobody_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let mut mkfifo = Command::new("mkfifo");
        let made = mkfifo.args(["-m", "600"]).arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [dir.path(), &pipe, Path::new("/dev/zero")] {
            let refused = refused(path);
            let said = format!("{} is not a file", path.display());
            assert!(refused.contains(&said), "{refused}");
        }
    }

    #[test]
    fn a_pipe_that_the_shell_has_opened_is_read() {
        let (reader, mut writer) = io::pipe().unwrap();
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        // Which it is although nobody has written to it yet.
        let read = std::thread::spawn(move || read_private(path).map(|text| text.to_string()));
        writer.write_all(FLEET.as_bytes()).unwrap();
        drop(writer);
        assert_eq!(read.join().unwrap().unwrap(), FLEET);
    }
}
