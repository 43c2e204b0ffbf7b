//! Files that hold an identity, and files that must not.

use std::fs;

use super::*;

#[test]
fn a_created_identity_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identity");

    let created = Identity::load_or_create(&path).unwrap();
    let loaded = Identity::load_or_create(&path).unwrap();

    assert_eq!(created.peer_id(), loaded.peer_id());
}

#[cfg(unix)]
#[test]
fn a_created_identity_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identity");

    Identity::load_or_create(&path).unwrap();

    assert_eq!(
        fs::metadata(path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn a_file_that_holds_something_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identity");
    fs::write(&path, "my notes").unwrap();
    for_its_owner(&path);

    let error = Identity::load_or_create(&path).unwrap_err();

    assert!(
        matches!(error, IdentityError::NotAnIdentity { .. }),
        "{error}"
    );
    assert_eq!(fs::read_to_string(path).unwrap(), "my notes");
}

fn for_its_owner(path: &Path) {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

#[cfg(unix)]
#[test]
fn an_identity_that_others_can_read_is_refused_with_the_command_that_closes_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identity");
    let created = Identity::load_or_create(&path).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(&path, open).unwrap();

    let error = Identity::load_or_create(&path).unwrap_err().to_string();

    assert!(error.contains("chmod 600"), "{error}");
    for_its_owner(&path);
    let closed = Identity::load_or_create(&path).unwrap();
    assert_eq!(closed.peer_id(), created.peer_id());
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_refused_and_nobody_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identity");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());

    let error = Identity::load_or_create(&path).unwrap_err();

    assert!(matches!(error, IdentityError::NoFile { .. }), "{error}");
}

#[test]
fn processes_that_start_together_come_to_have_one_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identity");

    let names: Vec<_> = std::thread::scope(|threads| {
        let start = || Identity::load_or_create(&path).unwrap().peer_id();
        let started: Vec<_> = (0..8).map(|_| threads.spawn(start)).collect();
        started.into_iter().map(|one| one.join().unwrap()).collect()
    });

    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn an_unwritable_place_is_named_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("missing").join("identity");

    let error = Identity::load_or_create(&path).unwrap_err().to_string();

    assert!(
        error.contains("missing/identity") && error.contains("writable"),
        "{error}"
    );
}

#[test]
fn debug_shows_the_name_and_not_the_key() {
    let identity = Identity::ephemeral();

    assert_eq!(
        format!("{identity:?}"),
        format!("Identity({})", identity.peer_id())
    );
}

#[test]
fn both_sides_show_a_name_alike() {
    let theirs = libp2p::PeerId::random();

    assert_eq!(name(&theirs).to_string(), theirs.to_string());
}
