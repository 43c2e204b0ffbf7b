//! Peers that are parted with.

use std::time::Duration;

use cache_core::{Misconduct, Transport, TransportError};

use crate::fleet::*;

#[tokio::test]
async fn a_reported_peer_is_gone_and_refused_until_its_time_is_over() {
    let first = start(member()).await;
    let mut config = member_knowing(&[&first]);
    config.limits.shunned_for = Duration::from_secs(2);
    let host = start(config).await;
    connected(&first, &host).await;
    let offender = start(member_knowing(&[&host])).await;
    connected(&host, &offender).await;

    host.report(offender.local_peer(), Misconduct::Forged);

    until("hung up", || !sees(&host, &offender)).await;
    assert!(sees(&host, &first));
    // It dials again and again.
    connected(&host, &offender).await;
}

#[tokio::test]
async fn nobody_waits_any_longer_for_what_a_reported_peer_was_asked() {
    let offender = start(member()).await;
    let mut config = member_knowing(&[&offender]);
    // An end that only the deadline brings comes too late.
    config.limits.deadline = Duration::from_secs(60 * 60);
    let host = start(config).await;
    connected(&host, &offender).await;

    let asked = asking(&host, &offender);
    let _held = offender.accept().await.unwrap();
    host.report(offender.local_peer(), Misconduct::Forged);
    let outcome = soon("end", asked).await.unwrap();

    let gone = TransportError::Unreachable(offender.local_peer());
    assert_eq!(outcome, Err(gone));
}

#[tokio::test]
async fn what_a_reported_peer_has_sent_before_is_ignored() {
    let host = start(member()).await;
    let offender = start(member_knowing(&[&host])).await;
    let other = start(member_knowing(&[&host])).await;
    connected(&host, &offender).await;
    connected(&host, &other).await;
    let sending = tokio::spawn({
        let (offender, to) = (offender.clone(), host.local_peer());
        async move {
            tokio::join!(
                offender.request(to, frame(1)),
                offender.request(to, frame(1))
            )
        }
    });
    let first = soon("the first frame", host.accept()).await.unwrap();

    host.report(first.from, Misconduct::Malformed);

    let (asked, accepted) = tokio::join!(other.request(host.local_peer(), frame(2)), async {
        let next = host.accept().await.unwrap();
        let from = next.from;
        next.reply.send(frame(3));
        from
    });
    assert_eq!(accepted, other.local_peer());
    assert_eq!(asked.unwrap(), frame(3));
    let (one, two) = soon("both fail", sending).await.unwrap();
    assert!(one.is_err() && two.is_err());
}

#[tokio::test]
async fn a_peer_that_is_ahead_in_a_change_of_secrets_stays() {
    let (host, other) = pair().await;
    echo(&other);

    host.report(other.local_peer(), Misconduct::OtherSecret);
    host.report(other.local_peer(), Misconduct::OtherVersion);

    let answer = host.request(other.local_peer(), frame(1)).await;
    assert_eq!(answer.unwrap(), frame(1));
}

#[tokio::test]
async fn a_peer_that_sends_nothing_that_opens_goes_in_the_end() {
    let mut config = member();
    config.limits.unopened_per_minute = 3;
    let host = start(config).await;
    let other = start(member_knowing(&[&host])).await;
    connected(&host, &other).await;

    for _ in 0..3 {
        host.report(other.local_peer(), Misconduct::OtherSecret);
    }
    assert_eq!(host.metrics().refused.shunned, 0);
    host.report(other.local_peer(), Misconduct::OtherVersion);

    until("hung up", || !sees(&host, &other)).await;
}

#[tokio::test]
async fn a_member_that_seals_nonsense_goes_at_once() {
    let (host, other) = pair().await;

    host.report(other.local_peer(), Misconduct::Undecodable);

    until("hung up", || !sees(&host, &other)).await;
}
