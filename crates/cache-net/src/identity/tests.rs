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

    let error = Identity::load_or_create(&path).unwrap_err();

    assert!(
        matches!(error, IdentityError::NotAnIdentity { .. }),
        "{error}"
    );
    assert_eq!(fs::read_to_string(path).unwrap(), "my notes");
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
