//! How much is put up with.

use super::*;

fn peer(name: usize) -> PeerId {
    PeerId::from_bytes(&name.to_be_bytes()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_spared_so_many_times_in_a_window_and_others_as_often() {
    let spared = Spared::new(3);
    for _ in 0..3 {
        assert!(spared.spares(peer(1)));
    }
    assert!(!spared.spares(peer(1)));
    assert!(spared.spares(peer(2)));

    tokio::time::advance(WINDOW).await;
    assert!(spared.spares(peer(1)));
}

#[tokio::test(start_paused = true)]
async fn the_table_is_bounded() {
    let spared = Spared::new(1);
    for name in 0..3 * MOST_PEERS {
        assert!(spared.spares(peer(name)));
        assert!(spared.windows.lock().unwrap().len() <= MOST_PEERS);
    }
}
