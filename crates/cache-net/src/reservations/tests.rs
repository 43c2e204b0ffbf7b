//! Relays that refuse are asked again, less and less often.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_relay_that_has_refused_is_asked_again_after_longer_and_longer_pauses() {
    let (mut reservations, relay) = (Reservations::default(), PeerId::random());
    let mut now = Instant::now();
    reservations.offered(relay, now);

    for pause in [FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4] {
        assert_eq!(reservations.due(now), [relay]);
        let listener = ListenerId::next();
        reservations.begun(listener, relay);
        assert_eq!(reservations.due(now), []);
        assert_eq!(reservations.ended(listener, now), Some(relay));

        // That it says again what it is does not make it due.
        reservations.offered(relay, now);
        assert_eq!(reservations.due(now + pause - Duration::from_millis(1)), []);
        now += pause;
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_relays_are_asked_than_are_enough() {
    let (mut reservations, now) = (Reservations::default(), Instant::now());
    for _ in 0..10 {
        reservations.offered(PeerId::random(), now);
    }

    let asked = reservations.due(now);
    assert_eq!(asked.len(), MOST);
    for relay in asked {
        reservations.begun(ListenerId::next(), relay);
    }
    assert_eq!(reservations.due(now), []);
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_is_not_asked() {
    let (mut reservations, relay) = (Reservations::default(), PeerId::random());
    let now = Instant::now();
    reservations.offered(relay, now);

    reservations.lost(&relay);

    assert_eq!(reservations.due(now), []);
}
