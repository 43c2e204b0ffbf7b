//! What is shown of values where something is logged: how long they are.

use std::fmt::Debug;

use bytes::Bytes;
use cache_core::wire::{Grant, Message, Put, Reply, Report, Settlement};
use cache_core::{
    Answer, Entry, Fetched, FrameKind, Inbound, MeshTime, Path, PeerId, Replier, Source, Topic,
};

use crate::node::{DAY, key};

const SECRET: &str = "hunter2";

fn assert_hides(it: &dyn Debug) {
    let numbers = format!("{:?}", SECRET.as_bytes());
    let numbers = numbers.trim_matches(['[', ']']);
    for shown in [
        format!("{it:?}"),
        format!("{it:#?}").replace([' ', '\n'], ""),
    ] {
        assert!(!shown.contains(SECRET), "{shown}");
        assert!(!shown.contains(numbers), "{shown}");
        assert!(!shown.contains(&numbers.replace(' ', "")), "{shown}");
    }
}

#[test]
fn nothing_of_a_value_is_shown_by_what_holds_it() {
    let value = || Bytes::from_static(SECRET.as_bytes());
    let stored_at = MeshTime::from_millis(1);
    let entry = || Entry::new(stored_at, PeerId::LOCAL, Path::root(), value(), DAY);
    let put = || Put {
        key: key(1),
        entry: entry(),
    };
    let report = Report {
        member: PeerId::LOCAL,
        started_at: stored_at,
        number: 1,
        is_last: false,
        takes_inbound: false,
        version: String::new(),
        counters: vec![],
        additional: vec![],
        notes: vec![(Topic::of(["topic"]), value())],
    };
    let source = Source::Fetched;
    let age = DAY.ttl;
    let all: [&dyn Debug; 14] = [
        &Fetched::New(value(), DAY),
        &Fetched::Revalidated(value(), DAY),
        &Fetched::Passing(value()),
        &Fetched::Elsewhere(entry(), source),
        &Answer::Entry {
            entry: entry(),
            source,
            age,
        },
        &Answer::Passing {
            value: value(),
            source,
        },
        &entry(),
        &put(),
        &Message::Put(put()),
        &Message::Reply(Reply::Entries(vec![put()])),
        &Message::Grant(Grant::Hit(put())),
        &Message::Grant(Grant::Settled(Settlement::Passing(value()))),
        &Message::Report(report),
        &Inbound {
            from: PeerId::LOCAL,
            kind: FrameKind::Broadcast,
            frame: value(),
            reply: Replier::nobody(),
        },
    ];
    all.into_iter().for_each(assert_hides);
    let length = format!("{:?}", Fetched::Passing(value()));
    assert_eq!(length, "Passing(7 bytes)");
}
