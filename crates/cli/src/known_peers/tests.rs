//! What is known again after a restart.

use cache_crypto::{Keyring, Secret};

use super::*;

fn known(dir: &Path, secret: &str) -> KnownPeers {
    let keyring = Keyring::new(&Secret::parse(secret).unwrap()).unwrap();
    KnownPeers::in_dir(dir, Arc::new(keyring))
}

const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const OTHER: &str = "ff1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

fn peers() -> Vec<Multiaddr> {
    ["/ip4/192.0.2.1/tcp/4001", "/dns4/runner-1/tcp/9100"]
        .map(|text| text.parse().unwrap())
        .into()
}

#[test]
fn what_was_kept_is_known_again() {
    let dir = tempfile::tempdir().unwrap();

    assert_eq!(known(dir.path(), SECRET).load(), []);
    known(dir.path(), SECRET).save(&peers());

    assert_eq!(known(dir.path(), SECRET).load(), peers());
}

#[test]
fn a_node_that_has_found_nobody_forgets_nobody() {
    let dir = tempfile::tempdir().unwrap();
    known(dir.path(), SECRET).save(&peers());

    known(dir.path(), SECRET).save(&[]);

    assert_eq!(known(dir.path(), SECRET).load(), peers());
}

#[test]
fn neither_another_fleet_nor_a_damaged_file_yields_anybody() {
    let dir = tempfile::tempdir().unwrap();
    known(dir.path(), SECRET).save(&peers());
    assert_eq!(known(dir.path(), OTHER).load(), []);

    std::fs::write(dir.path().join(FILE), "rubbish").unwrap();
    assert_eq!(known(dir.path(), SECRET).load(), []);
}

#[test]
fn who_was_known_before_a_change_of_secret_is_known_after_it() {
    let dir = tempfile::tempdir().unwrap();
    known(dir.path(), SECRET).save(&peers());
    let [old, new] = [SECRET, OTHER].map(|secret| Secret::parse(secret).unwrap());
    let both = Keyring::new(&new).unwrap().with_previous(&old);

    assert_eq!(
        KnownPeers::in_dir(dir.path(), Arc::new(both)).load(),
        peers()
    );

    assert_eq!(known(dir.path(), OTHER).load(), peers());
}

#[tokio::test]
async fn what_is_known_is_kept_while_the_node_runs_until_the_network_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let kept = known(dir.path(), SECRET);
    let told = std::sync::Mutex::new(vec![None, Some(peers())]);

    let known_now = || async { told.lock().unwrap().pop().unwrap() };
    kept.keep(Duration::ZERO, known_now).await;

    assert_eq!(known(dir.path(), SECRET).load(), peers());
}
