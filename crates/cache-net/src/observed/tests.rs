//! What is believed of what others say about us.

use super::*;

fn address(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

#[test]
fn what_one_says_is_not_believed_and_what_two_say_is_once() {
    let mut observed = Observed::default();
    observed.candidate(address("/ip4/203.0.113.1/tcp/4001"));

    observed.by(PeerId::random(), &address("/ip4/203.0.113.1/tcp/50000"));
    assert_eq!(observed.changed(&[]), Change::default());

    observed.by(PeerId::random(), &address("/ip4/203.0.113.1/tcp/60000"));
    let new = vec![address("/ip4/203.0.113.1/tcp/4001")];
    let withdrawn = vec![];
    assert_eq!(observed.changed(&[]), Change { new, withdrawn });
    assert_eq!(observed.changed(&[]), Change::default());
}

#[test]
fn one_that_says_it_twice_is_one() {
    let mut observed = Observed::default();
    observed.candidate(address("/ip4/203.0.113.1/tcp/4001"));
    let peer = PeerId::random();

    observed.by(peer, &address("/ip4/203.0.113.1/tcp/50000"));
    observed.by(peer, &address("/ip4/203.0.113.1/tcp/50001"));

    assert_eq!(observed.changed(&[]), Change::default());
}

#[test]
fn what_those_said_who_are_gone_does_not_count() {
    let mut observed = Observed::default();
    observed.candidate(address("/ip4/203.0.113.1/tcp/4001"));
    let gone = PeerId::random();

    observed.by(gone, &address("/ip4/203.0.113.1/tcp/50000"));
    observed.lost(&gone);
    observed.by(PeerId::random(), &address("/ip4/203.0.113.1/tcp/50000"));

    assert_eq!(observed.changed(&[]), Change::default());
}

#[test]
fn what_we_listen_on_is_nothing_new() {
    let mut observed = Observed::default();
    let ours = address("/ip4/192.0.2.1/tcp/4001");
    observed.candidate(ours.clone());
    for _ in 0..QUORUM {
        observed.by(PeerId::random(), &address("/ip4/192.0.2.1/tcp/50000"));
    }

    assert_eq!(observed.changed(&[ours]), Change::default());
}

#[test]
fn what_is_agreed_upon_no_more_is_withdrawn() {
    let mut observed = Observed::default();
    let ours = address("/ip4/203.0.113.1/tcp/4001");
    observed.candidate(ours.clone());
    let peers = [PeerId::random(), PeerId::random()];
    for peer in peers {
        observed.by(peer, &address("/ip4/203.0.113.1/tcp/50000"));
    }
    assert_eq!(observed.changed(&[]).new, std::slice::from_ref(&ours));

    observed.lost(&peers[0]);

    let (new, withdrawn) = (vec![], vec![ours]);
    assert_eq!(observed.changed(&[]), Change { new, withdrawn });
}

#[test]
fn one_that_says_ever_another_address_keeps_none_out_that_others_agree_upon() {
    let mut observed = Observed::default();
    let liar = PeerId::random();
    for n in 0..100 {
        let lie = address(&format!("/ip4/198.51.100.{n}/tcp/4001"));
        observed.by(liar, &lie);
        observed.candidate(lie);
    }
    let ours = address("/ip4/203.0.113.1/tcp/4001");

    for _ in 0..QUORUM {
        observed.by(PeerId::random(), &ours);
        observed.candidate(ours.clone());
    }

    assert_eq!(observed.changed(&[]).new, [ours]);
}
