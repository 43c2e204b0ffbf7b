//! Frames that come back as they went, and frames that nobody should have sent.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::notes::MAX_NOTES;
use crate::{Family, Lifetime, MeshTime, Path, PeerId, Scope, Target, Topic};

fn keys() -> impl Strategy<Value = Key> {
    any::<(Vec<u8>, [u8; 16])>()
        .prop_map(|(asked, scope)| Key::new(Family::of([asked]), Scope::from_digest(scope)))
}

fn peers() -> impl Strategy<Value = PeerId> {
    proptest::collection::vec(any::<u8>(), 0..=PeerId::MAX_LEN)
        .prop_map(|name| PeerId::from_bytes(&name).unwrap())
}

fn paths() -> impl Strategy<Value = Path> {
    "(/[a-z]{1,8}){0,4}".prop_map(|path| Path::new(&path))
}

fn messages() -> impl Strategy<Value = Message> {
    let put = (
        keys(),
        any::<u64>(),
        any::<[Duration; 2]>(),
        peers(),
        paths(),
        any::<Vec<u8>>(),
    )
        .prop_map(|(key, at, [ttl, stale_for], origin, path, value)| {
            let at = MeshTime::from_millis(at);
            let lifetime = Lifetime { ttl, stale_for };
            let entry = Entry::new(at, origin, path, value.into(), lifetime);
            Message::Put(Put { key, entry })
        });
    let target = prop_oneof![keys().prop_map(Target::Key), paths().prop_map(Target::Path)];
    let invalidate = (target, any::<u64>(), any::<Duration>(), peers()).prop_map(
        |(target, stamp, kept_for, origin)| {
            Message::Invalidate(Tombstone {
                target,
                stamp: MeshTime::from_millis(stamp),
                kept_for,
                origin,
            })
        },
    );
    let fingerprint = any::<[u8; 8]>().prop_map(Fingerprint);
    let fingerprints = || proptest::collection::vec(fingerprint.clone(), 0..5);
    let ask = prop_oneof![
        any::<u64>().prop_map(Question::Compare),
        (any::<Vec<u8>>(), fingerprints())
            .prop_map(|(buckets, but)| Question::Tombstones { buckets, but }),
        (any::<Vec<u8>>(), fingerprints())
            .prop_map(|(buckets, but)| Question::List { buckets, but }),
        proptest::collection::vec(keys(), 0..5).prop_map(Question::Want),
    ];
    let ask = ask.prop_map(Message::Ask);
    prop_oneof![
        put,
        invalidate,
        ask,
        leases(),
        reports(),
        renewals(),
        Just(Message::Ack)
    ]
}

fn renewals() -> impl Strategy<Value = Message> {
    let entry = |at, value: &'static [u8]| {
        let lifetime = Lifetime::fresh_for(Duration::from_secs(1000));
        let at = MeshTime::from_millis(at);
        Entry::new(at, PeerId::LOCAL, Path::root(), value.into(), lifetime)
    };
    let renew = (keys(), any::<u64>()).prop_map(move |(key, at)| {
        let value = &[7; 2048];
        Message::Renew(Renewal::of(key, &entry(at, value), &entry(at, value)).unwrap())
    });
    let announce = (keys(), any::<u64>(), peers()).prop_map(|(key, at, holder)| {
        let stored_at = MeshTime::from_millis(at);
        Message::Announce(Announcement {
            key,
            stored_at,
            holder,
        })
    });
    prop_oneof![renew, announce]
}

fn reports() -> impl Strategy<Value = Message> {
    let counters = || proptest::collection::vec(any::<(String, u64)>(), 0..5);
    let notes = proptest::collection::vec(any::<([u8; 16], Vec<u8>)>(), 0..3);
    let run = (peers(), any::<u64>(), any::<u64>(), any::<[bool; 2]>());
    let said = (any::<String>(), counters(), counters(), notes);
    (run, said).prop_map(
        |(
            (member, started_at, number, [is_last, takes_inbound]),
            (version, counters, additional, notes),
        )| {
            let notes = notes.into_iter();
            Message::Report(Report {
                member,
                started_at: MeshTime::from_millis(started_at),
                number,
                is_last,
                takes_inbound,
                version,
                counters,
                additional,
                notes: notes
                    .map(|(topic, note)| (Topic::from_digest(topic), note.into()))
                    .collect(),
            })
        },
    )
}

fn leases() -> impl Strategy<Value = Message> {
    let id = || any::<u64>().prop_map(LeaseId);
    let settlement = || {
        prop_oneof![
            any::<Vec<u8>>().prop_map(|value| Settlement::Passing(value.into())),
            any::<String>().prop_map(Settlement::Failed),
            Just(Settlement::Apart),
            Just(Settlement::Void),
            any::<u64>().prop_map(|at| Settlement::Kept(MeshTime::from_millis(at))),
        ]
    };
    let have = any::<Option<u64>>().prop_map(|at| at.map(MeshTime::from_millis));
    let but = prop::option::of(peers());
    let acquire = (keys(), have, prop::option::of(id()), any::<bool>(), but);
    let acquire = acquire.prop_map(|(key, have, lease, insist, but)| Acquire {
        key,
        have,
        lease,
        insist,
        but,
    });
    let grant = prop_oneof![
        id().prop_map(Grant::Granted),
        id().prop_map(Grant::Wait),
        settlement().prop_map(Grant::Settled),
        peers().prop_map(Grant::Redirect),
        Just(Grant::Busy),
    ];
    let settle = (keys(), id(), settlement());
    let settle = settle.prop_map(|(key, lease, settlement)| Settle {
        key,
        lease,
        settlement,
    });
    prop_oneof![
        acquire.prop_map(Message::Acquire),
        grant.prop_map(Message::Grant),
        settle.prop_map(Message::Settle),
    ]
}

proptest! {
    #[test]
    fn a_message_comes_back_as_it_went(message in messages()) {
        let frame = message.encode().unwrap();
        prop_assert_eq!(Message::decode(&frame).unwrap(), message);
    }

    #[test]
    fn a_frame_cut_short_or_drawn_out_is_refused(message in messages(), at in any::<prop::sample::Index>()) {
        let mut frame = message.encode().unwrap().to_vec();
        let cut = at.index(frame.len());
        prop_assert!(Message::decode(&frame[..cut]).is_err());
        frame.push(0);
        prop_assert!(Message::decode(&frame).is_err());
    }

    #[test]
    fn random_bytes_are_refused_or_read_but_never_fatal(
        kind in 0_u8..10, fields in proptest::collection::vec(any::<u8>(), 0..512)
    ) {
        let frame = [&[VERSION, kind], fields.as_slice()].concat();
        let _ = Message::decode(&frame);
    }
}

#[test]
fn another_version_is_refused_with_the_side_to_upgrade() {
    let error = |version| {
        Message::decode(&[version, kind::ACK])
            .unwrap_err()
            .to_string()
    };
    assert!(error(VERSION + 1).contains("upgrade this node"));
    assert!(error(VERSION - 1).contains("upgrade the peer"));
}

#[test]
fn an_unknown_kind_can_be_told_from_a_broken_frame() {
    assert_eq!(
        Message::decode(&[VERSION, 99, 1, 2]),
        Err(WireError::UnknownKind(99))
    );
    assert_eq!(Message::decode(&[VERSION]), Err(WireError::NoHeader));
    assert_eq!(Message::decode(&[]), Err(WireError::NoHeader));
}

#[test]
fn a_length_beyond_the_frame_takes_no_memory() {
    let put = Message::Put(Put {
        key: Key::public(["k"]),
        entry: Entry::new(
            MeshTime::from_millis(1),
            PeerId::LOCAL,
            Path::root(),
            Bytes::from_static(b"x"),
            Lifetime::fresh_for(Duration::from_secs(1)),
        ),
    });
    let mut frame = put.encode().unwrap().to_vec();
    // The last two bytes are the value and its length; claim four gigabytes instead.
    frame.truncate(frame.len() - 2);
    frame.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert!(matches!(
        Message::decode(&frame),
        Err(WireError::Malformed(_))
    ));
}

#[test]
fn a_report_is_short_whatever_else_fits_a_frame() {
    let report = |note: usize| {
        Message::Report(Report {
            member: PeerId::LOCAL,
            started_at: MeshTime::default(),
            number: 0,
            is_last: false,
            takes_inbound: false,
            version: String::new(),
            counters: Vec::new(),
            additional: Vec::new(),
            notes: vec![(Topic::from_digest([0; 16]), vec![0; note].into())],
        })
    };
    let fits = report(MAX_NOTES);
    assert_eq!(Message::decode(&fits.encode().unwrap()), Ok(fits));
    let long = report(MAX_REPORT).encode().unwrap();
    assert!(matches!(
        Message::decode(&long),
        Err(WireError::TooLarge { .. })
    ));
}

#[test]
fn the_largest_value_fits_and_one_byte_more_does_not() {
    let put = |len| {
        let origin = PeerId::from_bytes(&[7; PeerId::MAX_LEN]).unwrap();
        let lifetime = Lifetime::fresh_for(Duration::MAX).and_stale_for(Duration::MAX);
        let at = MeshTime::from_millis(u64::MAX);
        let path = Path::new(&"x".repeat(Path::MAX_LEN - 1));
        let entry = Entry::new(at, origin, path, vec![0; len].into(), lifetime);
        Message::Put(Put {
            key: Key::public(["k"]),
            entry,
        })
    };
    let frame = put(MAX_VALUE).encode().unwrap();
    assert!(frame.len() <= MAX_FRAME);
    assert_eq!(Message::decode(&frame).unwrap(), put(MAX_VALUE));
    assert!(matches!(
        put(MAX_VALUE + 1).encode(),
        Err(WireError::TooLarge { .. })
    ));
}
