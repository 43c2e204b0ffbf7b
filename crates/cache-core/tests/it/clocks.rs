//! Clocks that were wrong and are put right, and what was stamped in between.

use std::time::Duration;

use cache_core::testing::{ManualClock, MemoryNetwork, SteppedClock, VirtualClock};
use cache_core::{Cache, Clock, Fetched, Freshness, Lifetime, MeshTime};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::node::{DAY, end, key, node, node_in, value};
use crate::world::secs;

#[tokio::test(start_paused = true)]
async fn a_member_whose_clock_was_corrected_can_invalidate() {
    let network = MemoryNetwork::new(1);
    let clock = VirtualClock::default();
    let a = node(&network, clock.ahead_by(secs(3600)), "a");
    // Right, if a little behind the other once that has been put right.
    let b = node(&network, clock.behind_by(secs(1)), "b");
    // The stamp of the first fetch is taken before upstream's clock has been heard.
    let cache = a.clone();
    let fetch = move |_| async move {
        cache.observe_upstream_time(clock.now());
        Ok(Fetched::New("first".into(), DAY))
    };
    a.get_or_fetch(key(0), Freshness::AS_STORED, fetch)
        .await
        .unwrap();
    a.put(key(1), "to be withdrawn".into(), DAY);
    sleep(secs(1)).await;
    assert_eq!(value(&b, key(1)).await, Some("to be withdrawn".into()));
    a.invalidate(key(1));
    sleep(secs(1)).await;
    assert_eq!(value(&a, key(1)).await, None);
    assert_eq!(value(&b, key(1)).await, None, "a second later");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_a_fast_clock_invalidated_can_be_kept_again_once_the_clock_is_right() {
    let clock = ManualClock::default();
    let right = clock.now();
    clock.set(right.saturating_add(secs(3600)));
    let cache = Cache::builder().clock(clock.clone()).build();
    cache.invalidate(key(1));
    cache.observe_upstream_time(right);
    cache.put(key(1), "kept".into(), DAY);
    assert_eq!(value(&cache, key(1)).await, Some("kept".into()));

    // The same, where nobody but the sweep notices.
    let clock = ManualClock::default();
    let cache = Cache::builder().clock(clock.clone()).build();
    clock.set(right.saturating_add(secs(3600)));
    cache.invalidate_all();
    clock.set(right);
    sleep(secs(70)).await;
    cache.put(key(1), "kept".into(), DAY);
    assert_eq!(value(&cache, key(1)).await, Some("kept".into()));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_a_fast_clock_invalidated_can_be_kept_again_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let clock = ManualClock::default();
    let right = clock.now();
    clock.set(right.saturating_add(secs(3600)));
    let cache = node_in(&dir, clock.clone());
    cache.put(key(1), "withdrawn".into(), DAY);
    cache.invalidate(key(1));
    end(cache).await;
    clock.set(right);
    for round in ["first", "second"] {
        let cache = node_in(&dir, clock.clone());
        cache.put(key(1), round.into(), DAY);
        assert_eq!(value(&cache, key(1)).await, Some(round.into()));
        end(cache).await;
        clock.advance(secs(1));
    }
    // Nor does what was withdrawn come back when its time has come.
    clock.advance(secs(3700));
    let cache = node_in(&dir, clock);
    assert_eq!(value(&cache, key(1)).await, Some("second".into()));
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_a_write_does_not_outlive_it_though_the_clock_ran_fast() {
    let network = MemoryNetwork::new(1);
    let clock = VirtualClock::default();
    let writer = node(&network, clock, "writer");
    // As far off as a `Date` can leave it.
    let reader = node(
        &network,
        clock.ahead_by(Duration::from_millis(1900)),
        "reader",
    );
    let fetch = |_| async {
        sleep(secs(1)).await;
        Ok(Fetched::New("from before".into(), DAY))
    };
    let asked = reader.get_or_fetch(key(1), Freshness::AS_STORED, fetch);
    let written = async {
        sleep(Duration::from_millis(500)).await;
        writer.invalidate(key(1));
    };
    let (answer, ()) = tokio::join!(asked, written);
    answer.unwrap();
    sleep(secs(1)).await;
    assert_eq!(value(&writer, key(1)).await, None);
    assert_eq!(value(&reader, key(1)).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stamp_is_later_than_the_last_though_nothing_is_remembered_of_it() {
    let clock = ManualClock::default();
    let cache = Cache::builder()
        .clock(clock.clone())
        .max_bytes(200_000)
        .build();
    // Too many for the memory, and for what is remembered of what was there.
    for n in 0..2_000 {
        cache.put(key(n), "x".into(), DAY);
    }
    let mut gone = key(0);
    for n in 0..1_000 {
        if value(&cache, key(n)).await.is_none() {
            gone = key(n);
            break;
        }
    }
    let before = clock.now();
    clock.set(MeshTime::from_millis(clock.now().as_millis() - 4_000));
    assert!(cache.put(gone, "y".into(), DAY).stored_at() > before);
}

#[tokio::test(start_paused = true)]
async fn who_comes_with_a_wrong_clock_gets_what_the_others_have_once_it_is_put_right() {
    let network = MemoryNetwork::new(1);
    let clock = VirtualClock::default();
    let a = node(&network, clock, "a");
    a.put(key(1), "value".into(), Lifetime::fresh_for(secs(1800)));
    for (n, wrong) in [clock.ahead_by(secs(3600)), clock.behind_by(secs(3600))]
        .into_iter()
        .enumerate()
    {
        let late = node(&network, wrong, &format!("late {n}"));
        sleep(secs(5)).await;
        assert_eq!(late.stats().entries, 0);
        late.observe_upstream_time(clock.now());
        sleep(secs(1)).await;
        assert_eq!(value(&late, key(1)).await, Some("value".into()), "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_let_go_of_while_the_clock_was_set_back_is_there_again_when_it_is_set_on() {
    let network = MemoryNetwork::new(1);
    let clock = VirtualClock::default();
    let a = node(&network, clock, "a");
    let stepped = SteppedClock::new(clock, 0);
    let b = Cache::builder()
        .clock(stepped.clone())
        .transport(network.join("b"))
        .build();
    sleep(secs(5)).await;
    a.put(key(1), "value".into(), DAY);
    sleep(secs(1)).await;
    stepped.step(-300_000);
    assert_eq!(value(&b, key(1)).await, None, "of five minutes later");
    sleep(secs(1)).await;
    stepped.step(300_000);
    sleep(secs(3)).await;
    assert_eq!(value(&b, key(1)).await, Some("value".into()));
}

#[tokio::test(start_paused = true)]
async fn what_a_fast_clock_invalidated_can_be_kept_again_as_soon_as_it_is_set_back() {
    let network = MemoryNetwork::new(1);
    let clock = VirtualClock::default();
    let a = node(&network, clock, "a");
    let stepped = SteppedClock::new(clock, 300_000);
    let b = Cache::builder()
        .clock(stepped.clone())
        .transport(network.join("b"))
        .build();
    sleep(secs(5)).await;
    b.invalidate(key(1));
    stepped.step(-300_000);
    sleep(secs(5)).await;
    a.put(key(1), "value".into(), DAY);
    sleep(secs(1)).await;
    assert_eq!(value(&b, key(1)).await, Some("value".into()));
}

#[tokio::test(start_paused = true)]
async fn one_word_of_upstream_puts_right_a_clock_that_was_set_though_it_had_said_otherwise() {
    let right = VirtualClock::default();
    let stepped = SteppedClock::new(right, 0);
    let cache = Cache::builder().clock(stepped.clone()).build();
    for _ in 0..5 {
        cache.observe_upstream_time(right.now());
        sleep(secs(1)).await;
    }
    stepped.step(300_000);
    sleep(secs(2)).await;
    cache.observe_upstream_time(right.now());
    assert!(cache.now().since(right.now()) <= secs(2));
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_after_a_restart_covers_what_is_on_disk() {
    let dir = TempDir::new().unwrap();
    let clock = ManualClock::default();
    let cache = node_in(&dir, clock.clone());
    // The local clock is an hour slow; upstream has told.
    cache.observe_upstream_time(clock.now().saturating_add(secs(3600)));
    cache.put(key(1), "withdrawn".into(), DAY);
    end(cache).await;
    clock.advance(secs(10));
    let cache = node_in(&dir, clock.clone());
    cache.invalidate(key(1));
    assert_eq!(value(&cache, key(1)).await, None);
    cache.observe_upstream_time(clock.now().saturating_add(secs(3600)));
    assert_eq!(value(&cache, key(1)).await, None, "by upstream's clock");
}

#[tokio::test(start_paused = true)]
async fn what_is_on_disk_from_the_far_future_is_not_served_for_ever() {
    let dir = TempDir::new().unwrap();
    let clock = ManualClock::default();
    let right = clock.now();
    clock.advance(secs(365 * 24 * 3600));
    let cache = node_in(&dir, clock.clone());
    cache.put(key(1), "old".into(), Lifetime::fresh_for(secs(60)));
    end(cache).await;
    clock.set(right.saturating_add(secs(24 * 3600)));
    let cache = node_in(&dir, clock);
    assert_eq!(value(&cache, key(1)).await, None, "a day later");
}

#[tokio::test(start_paused = true)]
async fn a_put_after_a_restart_wins_against_what_is_on_disk_though_the_clock_was_set_back() {
    for set_back in [secs(5), secs(3600)] {
        let dir = TempDir::new().unwrap();
        let clock = ManualClock::default();
        let before = clock.now();
        clock.advance(set_back);
        for (at, content) in [(clock.now(), "old"), (before, "new")] {
            clock.set(at);
            let cache = node_in(&dir, clock.clone());
            cache.put(key(1), content.into(), DAY);
            end(cache).await;
        }
        let cache = node_in(&dir, clock);
        assert_eq!(value(&cache, key(1)).await, Some("new".into()));
    }
}

/// Two members, of which the first has this clock.
fn with_a_wrong_clock(wrong: VirtualClock, clock: VirtualClock) -> (Cache, Cache) {
    let network = MemoryNetwork::new(1);
    let wrong = node(&network, wrong, "wrong");
    (wrong, node(&network, clock, "right"))
}

#[tokio::test(start_paused = true)]
async fn what_a_runner_whose_clock_runs_ahead_fetches_first_is_kept_by_all() {
    let clock = VirtualClock::default();
    let (wrong, right) = with_a_wrong_clock(clock.ahead_by(secs(3600)), clock);
    let told = wrong.clone();
    let fetch = move |_| async move {
        sleep(secs(1)).await;
        told.observe_upstream_time(clock.now());
        Ok(Fetched::New("first".into(), Lifetime::fresh_for(secs(60))))
    };
    let answer = wrong.get_or_fetch(key(1), Freshness::AS_STORED, fetch);
    answer.await.unwrap();
    sleep(secs(1)).await;
    assert_eq!(value(&wrong, key(1)).await, Some("first".into()));
    assert_eq!(value(&right, key(1)).await, Some("first".into()));
    // From when it was asked for, as well as a `Date` tells, and no longer.
    sleep(secs(61)).await;
    assert_eq!(value(&wrong, key(1)).await, None);
    assert_eq!(value(&right, key(1)).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_a_write_is_not_kept_though_the_clock_is_put_right_meanwhile() {
    let clock = VirtualClock::default();
    let clocks = [clock.ahead_by(secs(3600)), clock.behind_by(secs(3600))];
    for writer_is_right in [false, true] {
        for wrong in clocks {
            let (wrong, right) = with_a_wrong_clock(wrong, clock);
            let told = wrong.clone();
            let fetch = move |_| async move {
                sleep(secs(1)).await;
                told.observe_upstream_time(clock.now());
                Ok(Fetched::New("from before".into(), DAY))
            };
            let asked = wrong.get_or_fetch(key(1), Freshness::AS_STORED, fetch);
            let written = async {
                sleep(Duration::from_millis(500)).await;
                let writer = if writer_is_right { &right } else { &wrong };
                writer.invalidate(key(1));
            };
            let (answer, ()) = tokio::join!(asked, written);
            answer.unwrap();
            sleep(secs(1)).await;
            assert_eq!(value(&wrong, key(1)).await, None, "{writer_is_right}");
            assert_eq!(value(&right, key(1)).await, None, "{writer_is_right}");
        }
    }
}
