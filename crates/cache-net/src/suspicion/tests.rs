//! Who is silent is tried again, less and less often.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_tried_once_after_each_pause() {
    let now = Instant::now();
    let mut suspicion = Suspicion::after(None, now);

    assert_eq!(suspicion.standing(now), Standing::PassedOver);
    let first = now + FIRST_PAUSE;
    assert_eq!(suspicion.standing(first), Standing::OnTrial);
    assert_eq!(suspicion.standing(first), Standing::PassedOver);
    let second = first + FIRST_PAUSE * 2;
    assert_eq!(
        suspicion.standing(second - Duration::from_millis(1)),
        Standing::PassedOver
    );
    assert_eq!(suspicion.standing(second), Standing::OnTrial);
}

#[tokio::test(start_paused = true)]
async fn the_pauses_have_a_longest() {
    let mut now = Instant::now();
    let mut suspicion = Suspicion::after(None, now);
    for _ in 0..20 {
        now += LONGEST_PAUSE;
        assert_eq!(suspicion.standing(now), Standing::OnTrial);
    }
}

#[tokio::test(start_paused = true)]
async fn frames_that_time_out_together_are_one_silence() {
    let now = Instant::now();
    let first = Suspicion::after(None, now);

    let mut second = Suspicion::after(Some(first), now);

    assert_eq!(second.standing(now + FIRST_PAUSE), Standing::OnTrial);
}
