//! Who is parted with, and for how long.

use super::*;

const PERIOD: Duration = Duration::from_secs(300);

fn peer(name: usize) -> PeerId {
    PeerId::from_bytes(&name.to_be_bytes()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_shunned_peer_is_let_in_again_after_the_period() {
    let shunned = Shunned::new(PERIOD);

    shunned.shun(peer(1), Offence::Forged);

    tokio::time::advance(PERIOD - Duration::from_millis(1)).await;
    assert!(shunned.contains(&peer(1)) && !shunned.contains(&peer(2)));
    assert_eq!(shunned.now(), [peer(1)]);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(!shunned.contains(&peer(1)));
    assert_eq!(shunned.now(), []);
}

#[tokio::test(start_paused = true)]
async fn a_further_offence_prolongs_it() {
    let shunned = Shunned::new(PERIOD);

    shunned.shun(peer(1), Offence::Malformed);
    tokio::time::advance(PERIOD / 2).await;
    shunned.shun(peer(1), Offence::Malformed);
    tokio::time::advance(PERIOD / 2).await;

    assert!(shunned.contains(&peer(1)));
}

#[tokio::test(start_paused = true)]
async fn at_the_bound_the_one_whose_time_is_over_next_makes_room() {
    let shunned = Shunned::new(PERIOD);

    for name in 0..=MOST {
        shunned.shun(peer(name), Offence::Protocol);
        tokio::time::advance(Duration::from_millis(1)).await;
    }

    assert_eq!(shunned.now().len(), MOST);
    assert!(!shunned.contains(&peer(0)));
    assert!(shunned.contains(&peer(1)) && shunned.contains(&peer(MOST)));
}

#[test]
fn a_peer_that_is_ahead_of_us_is_in_good_order() {
    assert_eq!(Offence::of(Misconduct::Forged), Some(Offence::Forged));
    assert_eq!(Offence::of(Misconduct::Malformed), Some(Offence::Malformed));
    assert_eq!(
        Offence::of(Misconduct::Undecodable),
        Some(Offence::Undecodable)
    );
    assert_eq!(Offence::of(Misconduct::OtherSecret), None);
    assert_eq!(Offence::of(Misconduct::OtherVersion), None);
}
