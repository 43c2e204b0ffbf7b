//! Which report of a member counts, and what becomes of those who are gone.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::table::{MAX_MEMBERS, MAX_PAST, SILENCE};
use super::*;
use crate::Direction;

const NOW: MeshTime = MeshTime::from_millis(1_000_000);

fn peer(name: &str) -> PeerId {
    PeerId::from_bytes(name.as_bytes()).unwrap()
}

fn members() -> Members {
    Members::new(peer("us"), NOW)
}

fn report(name: &str, run: u64, number: u64, hits: u64) -> Report {
    Report {
        member: peer(name),
        started_at: MeshTime::from_millis(run),
        number,
        is_last: false,
        takes_inbound: false,
        version: VERSION.to_owned(),
        counters: vec![("hits".to_owned(), hits), ("entries".to_owned(), 7)],
        additional: vec![("calls".to_owned(), 1)],
        notes: Vec::new(),
    }
}

fn goodbye(name: &str, run: u64, number: u64, hits: u64) -> Report {
    Report {
        is_last: true,
        ..report(name, run, number, hits)
    }
}

fn take(members: &Members, reports: &[Report]) -> FleetStats {
    for report in reports {
        members.receive(report, peer("teller"), NOW);
    }
    members.snapshot(Stats::default(), &BTreeSet::new())
}

/// The hits of the others by name, and those of who is gone.
fn hits(fleet: &FleetStats) -> (Vec<(String, u64)>, u64) {
    let others = fleet.members.iter().filter(|member| !member.is_local);
    let name = |member: &MemberStats| String::from_utf8_lossy(member.peer.as_bytes()).into_owned();
    let others = others.map(|member| (name(member), member.counts.cache.hits));
    (others.collect(), fleet.past.cache.hits)
}

fn present(hits: &[(&str, u64)]) -> Vec<(String, u64)> {
    let hits = hits.iter();
    hits.map(|(name, hits)| ((*name).to_owned(), *hits))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_later_report_takes_the_place_of_an_earlier_one() {
    let fleet = take(
        &members(),
        &[
            report("a", 1, 0, 10),
            report("a", 1, 2, 30),
            report("a", 1, 1, 20),
            report("a", 1, 2, 30),
            report("b", 1, 0, 5),
        ],
    );
    assert_eq!(hits(&fleet), (present(&[("a", 30), ("b", 5)]), 0));
    assert_eq!(fleet.totals().cache.hits, 35);
    assert_eq!(fleet.totals().application["calls"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_was_started_anew_counts_twice_and_is_there_once() {
    let fleet = take(
        &members(),
        &[
            report("a", 1, 9, 10),
            report("a", 2, 0, 1),
            // Late, of the run before.
            report("a", 1, 8, 9),
        ],
    );
    assert_eq!(hits(&fleet), (present(&[("a", 1)]), 10));
    assert_eq!((fleet.past_members, fleet.totals().cache.hits), (1, 11));
    assert_eq!(fleet.past.cache.entries, 0, "it holds nothing any more");
}

#[tokio::test(start_paused = true)]
async fn who_says_goodbye_is_gone_at_once_and_has_counted() {
    let members = members();
    let fleet = take(
        &members,
        &[
            report("a", 1, 0, 10),
            goodbye("a", 1, 2, 12),
            report("a", 1, 1, 11),
        ],
    );
    assert_eq!(hits(&fleet), (present(&[]), 12));
    let connected = || vec![PeerInfo::new(peer("a"), Direction::Inbound)];
    let mut peers = connected();
    members.retain_staying(&mut peers);
    assert_eq!(peers, []);
    take(&members, &[report("a", 1, 1, 11)]);
    let mut peers = connected();
    members.retain_staying(&mut peers);
    assert_eq!(peers, [], "it comes late");
    take(&members, &[report("a", 2, 0, 0)]);
    let mut peers = connected();
    members.retain_staying(&mut peers);
    assert_eq!(peers.len(), 1, "it was started anew");
}

#[tokio::test]
async fn whatever_is_said_after_a_goodbye_is_one() {
    let members = members();
    let report = |is_last| members.report(Stats::default(), NOW, is_last).is_last;
    assert_eq!([false, true, false].map(report), [false, true, true]);
}

#[tokio::test(start_paused = true)]
async fn whom_nobody_has_dialled_says_so_after_a_while_and_no_more_once_somebody_has() {
    let members = members();
    let connected = |direction| [PeerInfo::new(peer("a"), direction)];
    members.see(&connected(Direction::Outbound));
    assert!(members.open_for().is_some());
    tokio::time::advance(Duration::from_secs(2)).await;
    members.see(&[]);
    assert!(members.open_for().is_some(), "it has dialled nobody");
    members.see(&connected(Direction::Outbound));
    assert_eq!(members.open_for(), None);
    let report = members.report(Stats::default(), NOW, false);
    assert!(!report.takes_inbound);
    members.see(&connected(Direction::Inbound));
    members.see(&connected(Direction::Outbound));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(members.open_for(), Some(Duration::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn those_own_that_are_connected_or_could_be() {
    let inbound = |name| PeerInfo::new(peer(name), Direction::Inbound);
    let members = members();
    let owners = |members: &Members, peers: &[PeerInfo]| Vec::from_iter(members.owners(peers));
    assert_eq!(owners(&members, &[]), [peer("us")]);
    assert_eq!(owners(&members, &[inbound("b")]), [peer("b"), peer("us")]);
    let open = |name| Report {
        takes_inbound: true,
        ..report(name, 1, 0, 0)
    };
    members.receive(&open("b"), peer("teller"), NOW);
    members.receive(&open("c"), peer("teller"), NOW);
    members.receive(&report("d", 1, 0, 0), peer("teller"), NOW);
    let all = [peer("b"), peer("c"), peer("us")];
    assert_eq!(owners(&members, &[inbound("b")]), all);
    // Once connected and then not any more, one may be dead until it reports again.
    members.see(&[inbound("b"), inbound("c")]);
    assert_eq!(owners(&members, &[inbound("b")]), [peer("b"), peer("us")]);
    members.see(&[inbound("b")]);
    assert_eq!(owners(&members, &[inbound("b")]), [peer("b"), peer("us")]);
    let again = Report {
        number: 1,
        ..open("c")
    };
    members.receive(&again, peer("teller"), NOW);
    assert_eq!(owners(&members, &[inbound("b")]), all);
}

#[tokio::test(start_paused = true)]
async fn who_has_come_and_gone_between_two_looks_may_be_dead() {
    let members = members();
    let open = Report {
        takes_inbound: true,
        ..report("a", 1, 0, 0)
    };
    members.receive(&open, peer("a"), NOW);
    assert!(!members.is_here(&peer("a"), &[]));
    members.see(&[]);
    assert!(!members.is_here(&peer("a"), &[]));
    // Others still see it.
    let again = Report { number: 1, ..open };
    members.receive(&again, peer("b"), NOW);
    assert!(members.is_here(&peer("a"), &[]));
}

#[tokio::test(start_paused = true)]
async fn who_is_silent_is_gone_and_who_comes_back_counts_once() {
    let members = members();
    take(&members, &[report("a", 1, 0, 10), report("b", 1, 0, 1)]);
    tokio::time::advance(SILENCE / 2).await;
    take(&members, &[report("b", 1, 1, 2)]);
    tokio::time::advance(SILENCE / 2).await;
    members.see(&[]);
    let fleet = take(&members, &[]);
    assert_eq!(hits(&fleet), (present(&[("b", 2)]), 10));
    let fleet = take(&members, &[report("a", 1, 1, 11)]);
    assert_eq!(hits(&fleet), (present(&[("a", 11), ("b", 2)]), 0));
    assert_eq!(fleet.past_members, 0);
}

#[tokio::test(start_paused = true)]
async fn the_table_has_a_bound_and_loses_no_count() {
    let members = members();
    let many = MAX_MEMBERS + MAX_PAST + 500;
    let mut fleet = FleetStats::default();
    for n in 0..many {
        let name = format!("{n}");
        members.receive(&report(&name, 1, 0, 1), peer("teller"), NOW);
    }
    for name in ["x", "y"] {
        fleet = take(&members, &[goodbye(name, 1, 0, 1)]);
    }
    assert_eq!(fleet.members.len(), MAX_MEMBERS + 1);
    assert_eq!(fleet.totals().cache.hits, many as u64 + 2);
    assert_eq!(
        fleet.past_members as usize + fleet.members.len(),
        many + 2 + 1
    );
    assert!(members.table().past.len() <= MAX_PAST);
}

#[tokio::test(start_paused = true)]
async fn nobody_speaks_for_us() {
    let members = members();
    assert!(!members.receive(&report("us", 9, 9, 99), peer("teller"), NOW));
    assert_eq!(hits(&take(&members, &[])), (vec![], 0));
}

proptest! {
    /// Whatever is lost, repeated or overtaken before the last of what each run has said.
    #[test]
    fn the_last_report_of_each_run_is_what_counts(
        said in proptest::collection::vec((0..3_usize, 0..3_u64, 0..20_u64), 0..60),
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(async {
            let members = members();
            let names = ["a", "b", "c"];
            let mut latest = BTreeMap::new();
            let mut newest_run = BTreeMap::new();
            for (who, run, number) in said {
                members.receive(&report(names[who], run, number, 100 * run + number), peer("teller"), NOW);
                // A run that is known to be over has nothing more to say.
                let newest = newest_run.entry(who).or_insert(run);
                if run >= *newest {
                    *newest = run;
                    let held: &mut u64 = latest.entry((who, run)).or_default();
                    *held = number.max(*held);
                }
            }
            let fleet = take(&members, &[]);
            let expected: u64 = latest.iter().map(|((_, run), number)| 100 * run + number).sum();
            prop_assert_eq!(fleet.totals().cache.hits, expected);
            prop_assert_eq!(fleet.members.len(), newest_run.len() + 1);
            Ok(())
        })?;
    }
}
