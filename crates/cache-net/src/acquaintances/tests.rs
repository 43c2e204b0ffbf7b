//! Who is dialled of those that we have heard of, and who is forgotten.

use super::*;

const REDIAL: Redial = Redial {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(30),
};

fn acquaintances() -> Acquaintances {
    Acquaintances::new(PeerId::random(), REDIAL, 7, Port::New)
}

fn address(n: usize) -> Multiaddr {
    format!("/ip4/192.0.2.1/tcp/{}", 1000 + n).parse().unwrap()
}

/// Has `count` peers be mentioned.
fn mentioned(count: usize, now: Instant) -> (Acquaintances, Vec<PeerId>) {
    let mut acquaintances = acquaintances();
    let peers: Vec<_> = (0..count).map(|_| PeerId::random()).collect();
    for (n, peer) in peers.iter().enumerate() {
        acquaintances.mention(*peer, [address(n)], Source::Kademlia, now);
    }
    (acquaintances, peers)
}

#[tokio::test(start_paused = true)]
async fn no_more_are_dialled_than_there_is_room_for() {
    let now = Instant::now();
    let (mut acquaintances, _) = mentioned(100, now);

    assert_eq!(acquaintances.due(3, now).len(), 3);
    assert!(acquaintances.due(3, now).is_empty());
    assert_eq!(acquaintances.due(100, now).len(), MOST_DIALS - 3);
    assert!(acquaintances.due(100, now).is_empty());
    assert_eq!(acquaintances.next_due(100), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_due_is_dialled_however_many_are_being_dialled_already() {
    let now = Instant::now();
    for wanted in 0..=MOST_DIALS + 2 {
        for dialling in 0..=MOST_DIALS {
            for overdue in 0..=MOST_DIALS {
                let (mut acquaintances, _) = mentioned(dialling, now);
                assert_eq!(acquaintances.due(MOST_DIALS, now).len(), dialling);
                for n in 0..overdue {
                    let peer = PeerId::random();
                    acquaintances.mention(peer, [address(n)], Source::Kademlia, now);
                }

                // Else the swarm's task would wake for it again at once, and for ever.
                let is_due = acquaintances.next_due(wanted).is_some_and(|due| due <= now);
                let dialled = acquaintances.due(wanted, now).len();
                let case = (wanted, dialling, overdue);
                assert_eq!(is_due, dialled > 0, "{case:?}");
                assert!(dialling + dialled <= wanted.max(dialling), "{case:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_connected_is_not_dialled_and_not_apart() {
    let now = Instant::now();
    let (mut acquaintances, peers) = mentioned(2, now);

    acquaintances.connected(peers[0], Source::Inbound, now);

    assert_eq!(acquaintances.apart(now), 1);
    let due = acquaintances.due(8, now);
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].get_peer_id(), Some(peers[1]));
}

#[tokio::test(start_paused = true)]
async fn who_is_mentioned_no_more_is_not_thought_there() {
    let now = Instant::now();
    let (acquaintances, _) = mentioned(3, now);

    assert_eq!(
        acquaintances.apart(now + FORGOTTEN - Duration::from_millis(1)),
        3
    );
    assert_eq!(acquaintances.apart(now + FORGOTTEN), 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_is_thought_there_again_when_others_say_so() {
    let now = Instant::now();
    let (mut acquaintances, peers) = mentioned(1, now);
    acquaintances.connected(peers[0], Source::Inbound, now);

    acquaintances.lost(peers[0], Need::Great, now);
    assert_eq!(acquaintances.apart(now), 0);

    acquaintances.mention(peers[0], [], Source::Kademlia, now);
    assert_eq!(acquaintances.apart(now), 1);
}

#[tokio::test(start_paused = true)]
async fn we_ourselves_are_nobody_to_dial() {
    let now = Instant::now();
    let mut acquaintances = acquaintances();
    let local = acquaintances.local;

    acquaintances.mention(local, [address(1)], Source::Kademlia, now);

    assert!(acquaintances.due(8, now).is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_of_an_address_is_known_and_not_dialled() {
    let now = Instant::now();
    let mut acquaintances = acquaintances();
    let relayed = "/p2p-circuit".parse().unwrap();

    acquaintances.mention(PeerId::random(), [relayed], Source::Kademlia, now);

    assert!(acquaintances.due(8, now).is_empty());
    assert_eq!(acquaintances.apart(now), 1);
}

/// Dials in vain until nothing is due any more, or `times` times; tells how often.
fn dialled_in_vain(acquaintances: &mut Acquaintances, alone: bool, times: usize) -> usize {
    let mut now = Instant::now() + FORGOTTEN;
    for n in 0..times {
        let Some(due) = acquaintances.next_due(8) else {
            return n;
        };
        now = now.max(due);
        let dial = acquaintances.due(1, now).remove(0);
        assert!(acquaintances.failed(dial.connection_id(), alone, now));
    }
    times
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_for_good_is_forgotten() {
    let (mut acquaintances, _) = mentioned(1, Instant::now());

    assert_eq!(dialled_in_vain(&mut acquaintances, false, 100), 8);
    assert!(acquaintances.peers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn nobody_is_forgotten_while_we_are_alone() {
    let (mut acquaintances, _) = mentioned(1, Instant::now());

    assert_eq!(dialled_in_vain(&mut acquaintances, true, 100), 100);
}

#[tokio::test(start_paused = true)]
async fn at_the_bound_the_one_heard_of_longest_ago_makes_room() {
    let now = Instant::now();
    let (mut acquaintances, _) = mentioned(MOST - 2, now);
    let [connected, oldest, newest] = [(); 3].map(|()| PeerId::random());
    acquaintances.connected(connected, Source::Inbound, now);
    acquaintances.hear_of(oldest, address(1), Source::Known, now);

    acquaintances.mention(newest, [address(2)], Source::Kademlia, now);

    assert_eq!(acquaintances.peers.len(), MOST);
    assert!(!acquaintances.peers.contains_key(&oldest));
    assert!(acquaintances.peers.contains_key(&connected));
    assert!(acquaintances.peers.contains_key(&newest));
}

#[tokio::test(start_paused = true)]
async fn those_are_remembered_who_are_connected_with_their_names() {
    let now = Instant::now();
    let (mut acquaintances, peers) = mentioned(3, now);
    acquaintances.connected(peers[1], Source::Inbound, now);

    let all = acquaintances.worth_remembering(64, now);

    assert_eq!(all.len(), 3);
    assert_eq!(all[0], address(1).with_p2p(peers[1]).unwrap());
    assert_eq!(
        acquaintances.worth_remembering(64, now + FORGOTTEN).len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_elsewhere_is_not_looked_for_on_this_host() {
    let now = Instant::now();
    let mut acquaintances = acquaintances();
    let (here, there) = (PeerId::random(), PeerId::random());
    let loopback: Multiaddr = "/ip4/127.0.0.1/tcp/4001".parse().unwrap();

    acquaintances.mention(here, [loopback.clone()], Source::Kademlia, now);
    acquaintances.mention(there, [loopback.clone(), address(1)], Source::Kademlia, now);

    let ways = |peer| {
        acquaintances.peers[&peer]
            .ways(Port::New)
            .collect::<Vec<_>>()
    };
    assert_eq!(ways(here), [&loopback]);
    assert_eq!(ways(there), [&address(1)]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_and_goes_is_unsteady_until_it_stays() {
    let now = Instant::now();
    let (mut acquaintances, peers) = mentioned(1, now);
    for _ in 0..UNSTEADY {
        assert!(!acquaintances.is_unsteady(&peers[0]));
        acquaintances.connected(peers[0], Source::Inbound, now);
        acquaintances.lost(peers[0], Need::Great, now);
    }
    assert!(acquaintances.is_unsteady(&peers[0]));

    acquaintances.connected(peers[0], Source::Inbound, now);
    acquaintances.lost(peers[0], Need::Great, now + REDIAL.longest);
    assert!(!acquaintances.is_unsteady(&peers[0]));
}

#[tokio::test(start_paused = true)]
async fn who_was_dialled_in_vain_for_long_is_steady_once_it_is_there() {
    let (mut acquaintances, peers) = mentioned(1, Instant::now());
    dialled_in_vain(&mut acquaintances, true, 10);

    acquaintances.connected(peers[0], Source::Inbound, Instant::now());

    assert!(!acquaintances.is_unsteady(&peers[0]));
}
