//! How far mesh time follows upstream's clock.

use proptest::prelude::*;

use super::*;
use crate::testing::ManualClock;

const HOUR: i64 = 3_600_000;
const RESOLUTION: i64 = MeshClock::RESOLUTION.as_millis() as i64;

/// A local clock that is off by so many milliseconds, and what upstream's `Date` then says.
struct Fixture {
    local: ManualClock,
    mesh: MeshClock,
    truth: MeshTime,
}

impl Fixture {
    fn off_by(millis: i64) -> Self {
        let local = ManualClock::default();
        let truth = local.now();
        local.set(truth.shifted_by(millis));
        Self {
            mesh: MeshClock::new(Arc::new(local.clone())),
            local,
            truth,
        }
    }

    /// Upstream answers; the answer is on its way for so long.
    fn hear(&mut self, on_its_way: Duration) -> Observed {
        let whole_second = MeshTime::from_millis(self.truth.as_millis() / 1000 * 1000);
        self.pass(on_its_way);
        self.mesh.observe(whole_second)
    }

    fn pass(&mut self, time: Duration) {
        self.truth = self.truth.saturating_add(time);
        self.local.advance(time);
    }

    fn error(&self) -> i64 {
        millis_between(self.truth, self.mesh.now())
    }
}

#[test]
fn until_upstream_is_heard_mesh_time_is_the_local_clocks() {
    let fixture = Fixture::off_by(-HOUR);
    assert_eq!(fixture.mesh.now(), fixture.local.now());
}

#[test]
fn the_first_answer_corrects_a_clock_that_is_wrong() {
    for off in [-HOUR, HOUR, 5_000, -5_000] {
        let mut fixture = Fixture::off_by(off);
        assert!(matches!(
            fixture.hear(Duration::ZERO),
            Observed::Moved { .. }
        ));
        assert!(fixture.error().abs() <= RESOLUTION, "{off}");
    }
}

#[test]
fn a_first_answer_that_is_wrong_is_made_good_by_two_that_are_right() {
    for wrong in [-24 * HOUR, HOUR] {
        let mut fixture = Fixture::off_by(0);
        fixture.mesh.observe(fixture.truth.shifted_by(wrong));
        fixture.hear(Duration::ZERO);
        fixture.hear(Duration::ZERO);
        assert!(fixture.error().abs() <= RESOLUTION, "{wrong}");
    }
}

#[test]
fn one_wrong_answer_among_right_ones_changes_nothing() {
    let mut fixture = Fixture::off_by(0);
    for _ in 0..3 {
        fixture.hear(Duration::ZERO);
        let wrong = fixture.truth.shifted_by(HOUR);
        assert_eq!(fixture.mesh.observe(wrong), Observed::Unchanged);
        fixture.hear(Duration::ZERO);
    }
    assert_eq!(fixture.error(), 0);
}

#[test]
fn a_local_clock_that_is_set_right_is_followed_after_three_answers() {
    let mut fixture = Fixture::off_by(-HOUR);
    for _ in 0..10 {
        fixture.hear(Duration::ZERO);
    }
    fixture.local.set(fixture.truth);
    for _ in 0..3 {
        fixture.hear(Duration::ZERO);
    }
    assert!(fixture.error().abs() <= RESOLUTION);
}

#[test]
fn what_lies_more_than_a_day_apart_is_not_believed() {
    let mut fixture = Fixture::off_by(-25 * HOUR);
    assert_eq!(fixture.hear(Duration::ZERO), Observed::Absurd);
    assert_eq!(fixture.mesh.now(), fixture.local.now());
    for upstream in [MeshTime::from_millis(0), MeshTime::from_millis(u64::MAX)] {
        assert_eq!(fixture.mesh.observe(upstream), Observed::Absurd);
    }
}

proptest! {
    #[test]
    fn a_clock_that_is_right_is_never_disturbed(
        answers in proptest::collection::vec((0_u64..1000, 0_u64..5000), 1..30)
    ) {
        let mut fixture = Fixture::off_by(0);
        for (on_its_way, pause) in answers {
            fixture.hear(Duration::from_millis(on_its_way));
            prop_assert_eq!(fixture.error(), 0);
            fixture.pass(Duration::from_millis(pause));
        }
    }

    #[test]
    fn a_clock_that_is_wrong_ends_up_as_right_as_a_date_can_tell(
        off in -24 * HOUR + 10_000..24 * HOUR - 10_000,
        answers in proptest::collection::vec((0_u64..1000, 0_u64..5000), 1..30)
    ) {
        let mut fixture = Fixture::off_by(off);
        for (on_its_way, pause) in answers {
            fixture.hear(Duration::from_millis(on_its_way));
            prop_assert!(fixture.error().abs() <= RESOLUTION, "{}", fixture.error());
            fixture.pass(Duration::from_millis(pause));
        }
    }
}
