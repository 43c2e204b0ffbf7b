//! Which word counts, and what members are told of it.

use super::*;

const NOW: MeshTime = MeshTime::from_millis(1_700_000_000_000);
const ROOM: usize = 8 * 1024;

fn principal(n: u8) -> Scope {
    Scope::from_digest([n; 16])
}

fn after(seconds: u64) -> MeshTime {
    NOW.saturating_add(Duration::from_secs(seconds))
}

fn is_refused(views: &Views, view: View) -> bool {
    views.word(view).is_some_and(|word| word.is_refusal)
}

#[test]
fn what_github_says_here_counts_and_of_what_others_tell_what_is_later() {
    let view = View::all_of(principal(1));
    let views = Views::new(Bell::default());
    let told = |at| {
        let other = Views::new(Bell::default());
        other.end(view, at);
        views.read(&other.write(at, ROOM), at);
        is_refused(&views, view)
    };
    assert!(told(after(1)));
    // In the same moment, but after it.
    views.grant(view, after(1));
    assert!(!is_refused(&views, view));
    assert!(!told(after(1)));
    assert!(told(after(2)));
}

#[test]
fn members_are_told_of_a_refusal_and_it_does_not_come_back_after_it_was_lifted() {
    let views = Views::new(Bell::default());
    let other = Views::new(Bell::default());
    let view = View::of(principal(1), Family::of(["/x"]));
    views.end(view, NOW);
    other.read(&views.write(after(1), ROOM), after(1));
    assert!(is_refused(&other, view));
    assert!(!is_refused(&other, View::all_of(principal(1))));
    other.restore(view, after(2));
    other.read(&views.write(after(3), ROOM), after(3));
    assert!(!is_refused(&other, view));
}

#[test]
fn what_is_old_or_of_the_future_is_not_told_and_not_believed() {
    let views = Views::new(Bell::default());
    let view = View::all_of(principal(1));
    views.end(view, NOW);
    let notes = views.write(NOW, ROOM);
    assert!(views.write(after(600), ROOM).is_empty());
    for now in [after(600), MeshTime::from_millis(1_600_000_000_000)] {
        let other = Views::new(Bell::default());
        other.read(&notes, now);
        assert!(!is_refused(&other, view));
    }
}

#[test]
fn many_refusals_are_told_within_bounds_and_the_newest_first() {
    let views = Views::new(Bell::default());
    let view = |n: u64| View::of(principal(1), Family::of([n.to_le_bytes()]));
    for n in 0..1000 {
        views.end(view(n), after(n / 10));
    }
    let notes = views.write(after(100), ROOM);
    assert!(notes.len() <= MAX_NOTES);
    let other = Views::new(Bell::default());
    other.read(&notes, after(100));
    assert!(is_refused(&other, view(999)) && is_refused(&other, view(960)));
    assert!(views.write(after(100), 100).len() <= 100);
}

#[test]
fn who_has_just_been_refused_is_not_forgotten_for_others() {
    let views = Views::new(Bell::default());
    for n in 0..2 * MAX_ANSWERS {
        views.end(View::of(principal(1), Family::of([n.to_le_bytes()])), NOW);
    }
    let newest = View::of(principal(2), Family::of(["/x"]));
    views.end(newest, NOW);
    views.answers.run_pending_tasks();
    assert!(is_refused(&views, newest));
    assert!(views.answers.entry_count() <= MAX_ANSWERS);
}

#[test]
fn doubt_takes_back_what_was_granted_and_no_refusal() {
    let views = Views::new(Bell::default());
    let (good, bad) = (View::all_of(principal(1)), View::all_of(principal(2)));
    views.grant(good, NOW);
    views.end(bad, NOW);
    views.doubt(good);
    views.doubt(bad);
    assert_eq!(views.word(good), None);
    assert!(is_refused(&views, bad));
}

proptest::proptest! {
    #[test]
    fn whatever_is_told_is_read_or_passed_over(told in proptest::arbitrary::any::<Vec<u8>>()) {
        Views::new(Bell::default()).read(&told, NOW);
    }
}
