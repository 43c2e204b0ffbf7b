//! That the sums which are kept up to date are those over what is listed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::digest::{BUCKETS, TOMBSTONE_BUCKETS};
use crate::replica::Bounds;
use crate::sums::Sums;
use crate::testing::ManualClock;
use crate::wire::{MAX_VALUE, Put};
use crate::{Entry, Family, Lifetime, Path, PeerId, Resource, Scope, Target};

/// Something that changes what is known.
#[derive(Clone, Copy, Debug)]
enum Step {
    Commit(u8, u64),
    Receive { name: u8, ago: u64, lives: u64 },
    Bury(u8, bool),
    Hear { path: u8, ago: u64 },
    Sweep,
    Wait(u64),
    SetBack(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (any::<u8>(), 0..300_u64).prop_map(|(name, lives)| Step::Commit(name, lives)),
        4 => (any::<u8>(), 0..100_u64, 0..300_u64)
            .prop_map(|(name, ago, lives)| Step::Receive { name, ago, lives }),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(name, is_path)| Step::Bury(name, is_path)),
        1 => (any::<u8>(), 0..100_u64).prop_map(|(path, ago)| Step::Hear { path, ago }),
        1 => Just(Step::Sweep),
        2 => (0..60_u64).prop_map(Step::Wait),
        1 => (0..40_u64).prop_map(Step::SetBack),
    ];
    proptest::collection::vec(step, 1..120)
}

fn resource(name: u8) -> Resource {
    let key = Key::new(Family::of([[name % 24]]), Scope::PUBLIC);
    Resource::new(key, Path::new(&format!("/{}/{name}", name % 3)))
}

fn target(name: u8, is_path: bool) -> Target {
    if is_path {
        Target::Path(Path::new(&format!("/{}", name % 3)))
    } else {
        Target::Key(resource(name).key)
    }
}

fn entry(name: u8, at: MeshTime, lives: u64) -> Entry {
    let lifetime = Lifetime::fresh_for(Duration::from_secs(lives));
    let peer = PeerId::from_bytes(b"peer").unwrap();
    Entry::new(at, peer, resource(name).path, value(name), lifetime)
}

/// One in 64 cannot be sent to anybody.
fn value(name: u8) -> Bytes {
    let len = if name.is_multiple_of(64) {
        MAX_VALUE + 1
    } else {
        100
    };
    vec![0; len].into()
}

fn take(replica: &Replica, clock: &ManualClock, step: Step) {
    let secs = Duration::from_secs;
    let ago = |ago: u64| MeshTime::from_millis(replica.now().as_millis() - ago * 1000);
    match step {
        Step::Commit(name, lives) => {
            let stamp = replica.stamp(&resource(name)).at;
            let lifetime = Lifetime::fresh_for(secs(lives));
            replica.commit(resource(name), stamp, value(name), lifetime);
        }
        Step::Receive {
            name,
            ago: at,
            lives,
        } => {
            let key = resource(name).key;
            let entry = entry(name, ago(at), lives);
            replica.receive(Put { key, entry });
        }
        Step::Bury(name, is_path) => replica.bury(target(name, is_path)),
        Step::Hear { path, ago: at } => {
            replica.receive_tombstone(Tombstone {
                target: target(path, true),
                stamp: ago(at),
                kept_for: secs(200),
                origin: PeerId::LOCAL,
            });
        }
        Step::Sweep => replica.sweep(),
        Step::Wait(by) => clock.advance(secs(by)),
        Step::SetBack(by) => clock.set(ago(by)),
    }
}

/// The sums over what is listed.
fn listed(replica: &Replica) -> Summary {
    let sums = [BUCKETS, TOMBSTONE_BUCKETS].map(Sums::new);
    let never = MeshTime::MAX;
    replica.known().for_each(|it| sums[0].add(it.item(never)));
    for tombstone in replica.tombstones() {
        sums[1].add(tombstone.item());
    }
    let [buckets, tombstones] = sums.map(|sums| sums.beyond(Span::default()));
    Summary {
        buckets,
        tombstones,
    }
}

proptest! {
    #[test]
    fn sums_are_those_over_what_is_listed_whatever_came_and_went(
        steps in steps(),
        max_entries in prop_oneof![Just(4_u64), Just(u64::MAX)],
    ) {
        let clock = ManualClock::default();
        let bounds = Bounds {
            max_entries,
            longest_lifetime: Duration::from_secs(1000),
            ..Bounds::default()
        };
        let replica = Replica::new(PeerId::LOCAL, Arc::new(clock.clone()), bounds, None);
        for step in steps {
            take(&replica, &clock, step);
        }
        // What is void, or dead, has had its time to go.
        replica.sweep();
        prop_assert_eq!(replica.summary(), listed(&replica));
    }
}

#[test]
fn threads_that_push_each_other_out_leave_the_sums_right() {
    let clock = Arc::new(ManualClock::default());
    let bounds = Bounds {
        max_entries: 16,
        ..Bounds::default()
    };
    let replica = Replica::new(PeerId::LOCAL, clock, bounds, None);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let replica = &replica;
            scope.spawn(move || {
                for round in 0..2000_u64 {
                    let name = (round * 7 + thread * 13) as u8 | 1;
                    let at = replica
                        .now()
                        .saturating_add(Duration::from_millis(round % 97 + thread));
                    let key = resource(name).key;
                    let put = Put {
                        key,
                        entry: entry(name, at, 3600),
                    };
                    match round % 3 {
                        0 => replica.receive_answer(put),
                        _ => replica.receive(put),
                    };
                    if round % 50 == thread {
                        replica.bury(Target::Key(key));
                    }
                }
            });
        }
    });
    replica.sweep();
    assert_eq!(replica.summary(), listed(&replica));
}
