//! The book that an owner keeps.

use super::*;

fn key(n: usize) -> Key {
    Key::public([n.to_le_bytes()])
}

fn member(name: &str) -> PeerId {
    PeerId::from_bytes(name.as_bytes()).unwrap()
}

fn book() -> Leases {
    Leases::new(MeshTime::default())
}

fn ask(leases: &Leases, n: usize, asker: &str, lease: Option<LeaseId>) -> Verdict {
    leases.acquire(&key(n), member(asker), lease, |_| true)
}

fn granted(verdict: Verdict) -> LeaseId {
    match verdict {
        Verdict::Granted(id) => id,
        other => panic!("{other:?}"),
    }
}

fn settle(leases: &Leases, n: usize, holder: &str, lease: LeaseId, settlement: Settlement) {
    let key = key(n);
    let settle = Settle {
        key,
        lease,
        settlement,
    };
    leases.settle(member(holder), settle);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_renewed_goes_to_the_next_who_asks() {
    let leases = book();
    let id = granted(ask(&leases, 1, "a", None));
    assert_eq!(ask(&leases, 1, "b", None), Verdict::Wait(id));
    tokio::time::sleep(TERM - RENEWAL).await;
    assert_eq!(granted(ask(&leases, 1, "a", Some(id))), id);
    tokio::time::sleep(RENEWAL).await;
    assert_eq!(ask(&leases, 1, "b", Some(id)), Verdict::Wait(id));
    tokio::time::sleep(TERM).await;
    let next = granted(ask(&leases, 1, "b", Some(id)));
    assert_ne!(next, id);
    assert_eq!(ask(&leases, 1, "c", Some(id)), Verdict::Wait(next));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_renewed_late_is_the_same_unless_somebody_else_has_it() {
    let leases = book();
    let id = granted(ask(&leases, 1, "a", None));
    tokio::time::sleep(2 * TERM).await;
    assert_eq!(granted(ask(&leases, 1, "a", Some(id))), id);
    assert_eq!(ask(&leases, 1, "b", None), Verdict::Wait(id));
    tokio::time::sleep(TERM).await;
    let next = granted(ask(&leases, 1, "b", Some(id)));
    assert_eq!(ask(&leases, 1, "a", Some(id)), Verdict::Wait(next));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_left_to_another_until_nobody_asks_for_it() {
    let leases = book();
    leases.leave_to(key(1), member("a"));
    tokio::time::sleep(TERM / 2).await;
    leases.leave_to(key(1), member("a"));
    tokio::time::sleep(TERM / 2).await;
    assert_eq!(leases.keeper(&key(1)), Some(member("a")));
    assert_eq!(leases.keeper(&key(2)), None);
    tokio::time::sleep(TERM / 2).await;
    assert_eq!(leases.keeper(&key(1)), None);
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_one_who_is_gone_is_free_at_once() {
    let leases = book();
    let id = granted(ask(&leases, 1, "a", None));
    let next = leases.acquire(&key(1), member("b"), Some(id), |_| false);
    assert_ne!(granted(next), id);
}

#[tokio::test(start_paused = true)]
async fn only_its_holder_settles_a_lease_and_only_once() {
    let leases = book();
    let id = granted(ask(&leases, 1, "a", None));
    let refused = Settlement::Passing("refused".into());
    settle(&leases, 1, "b", id, Settlement::Passing("forged".into()));
    settle(&leases, 1, "a", LeaseId(id.0 + 1), Settlement::Apart);
    assert_eq!(ask(&leases, 1, "b", Some(id)), Verdict::Wait(id));
    settle(&leases, 1, "a", id, refused.clone());
    settle(&leases, 1, "a", id, Settlement::Apart);
    assert_eq!(ask(&leases, 1, "b", Some(id)), Verdict::Settled(refused));
    // Who has not been waiting may try again.
    granted(ask(&leases, 1, "c", None));
}

#[tokio::test(start_paused = true)]
async fn a_full_book_gives_no_lease_until_one_is_over() {
    let leases = book();
    for n in 0..Leases::MAX {
        granted(ask(&leases, n, "a", None));
    }
    assert_eq!(ask(&leases, Leases::MAX, "a", None), Verdict::Busy);
    tokio::time::sleep(TERM).await;
    granted(ask(&leases, Leases::MAX, "a", None));
    assert_eq!(leases.book().leases.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_passed_on_is_bounded_one_by_one_and_together() {
    let leases = book();
    let id = granted(ask(&leases, 0, "a", None));
    let long = Settlement::Passing(vec![0; MAX_PASSED + 1].into());
    settle(&leases, 0, "a", id, long);
    let apart = Verdict::Settled(Settlement::Apart);
    assert_eq!(ask(&leases, 0, "b", Some(id)), apart);

    let fitting = Leases::MAX_PASSED_BYTES / MAX_PASSED;
    for n in 1..=fitting + 10 {
        let id = granted(ask(&leases, n, "a", None));
        let passing = Settlement::Passing(vec![0; MAX_PASSED].into());
        settle(&leases, n, "a", id, passing.clone());
        let expected = if n <= fitting {
            Verdict::Settled(passing)
        } else {
            apart.clone()
        };
        assert_eq!(ask(&leases, n, "b", Some(id)), expected);
    }
    // Room comes back with the leases' end.
    for n in 0..=fitting + 10 {
        leases.end(&key(n));
    }
    assert_eq!(leases.book().passed, 0);
}

#[tokio::test(start_paused = true)]
async fn what_an_invalidation_has_overtaken_is_not_waited_for() {
    let leases = book();
    let id = granted(ask(&leases, 1, "a", None));
    leases.end_void(&key(1), member("b"));
    assert_eq!(ask(&leases, 1, "b", None), Verdict::Wait(id));
    leases.end_void(&key(1), member("a"));
    granted(ask(&leases, 1, "b", Some(id)));
}
