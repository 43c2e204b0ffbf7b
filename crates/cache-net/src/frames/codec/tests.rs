//! Frames that come back as they went, and streams that hold something else.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::executor::block_on;
use futures::io::Cursor;
use proptest::prelude::*;

use super::*;

const LIMIT: usize = 100_000;

fn codec() -> Codec {
    let limits = Limits {
        frame: LIMIT,
        inbound_bytes: 0,
        ..Limits::default()
    };
    Codec::new(&limits, Arc::default())
}

fn written(kind: FrameKind, payload: &[u8]) -> Vec<u8> {
    let mut io = Cursor::new(Vec::new());
    block_on(codec().write_frame(&mut io, kind, payload)).unwrap();
    io.into_inner()
}

fn read_from(
    codec: &Codec,
    io: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<(FrameKind, Bytes)>> {
    block_on(async {
        match codec.read_kind(io).await? {
            Some(kind) => Ok(Some((kind, codec.read_payload(io).await?))),
            None => Ok(None),
        }
    })
}

fn read_back(bytes: &[u8]) -> io::Result<Option<(FrameKind, Bytes)>> {
    read_from(&codec(), &mut Cursor::new(bytes))
}

fn protocol_error(error: &io::Error) -> Option<&ProtocolError> {
    ProtocolError::inside(error)
}

/// Gives a header and then nothing, and notes the most room it was ever offered.
struct Promise {
    header: Cursor<Vec<u8>>,
    offered: usize,
}

impl Promise {
    fn of(size: u32) -> Self {
        let mut header = vec![REQUEST];
        header.extend_from_slice(&size.to_be_bytes());
        Self {
            header: Cursor::new(header),
            offered: 0,
        }
    }
}

impl AsyncRead for Promise {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.offered = self.offered.max(room.len());
        Pin::new(&mut self.header).poll_read(cx, room)
    }
}

#[test]
fn a_length_over_the_limit_is_refused_before_room_is_made_for_it() {
    let mut peer = Promise::of(u32::try_from(LIMIT + 1).unwrap());

    let error = read_from(&codec(), &mut peer).unwrap_err();

    assert_eq!(
        protocol_error(&error),
        Some(&ProtocolError::TooLarge {
            size: LIMIT + 1,
            limit: LIMIT
        })
    );
    assert_eq!(peer.offered, LENGTH);
}

#[test]
fn a_promise_that_is_not_kept_ties_up_little() {
    let mut peer = Promise::of(u32::try_from(LIMIT).unwrap());

    let error = read_from(&codec(), &mut peer).unwrap_err();

    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(peer.offered, FIRST_STEP);
}

#[test]
fn a_large_frame_is_refused_while_others_take_up_the_room_and_a_small_one_is_not() {
    let codec = codec();
    let read = |size| {
        let bytes = written(FrameKind::Request, &vec![7; size]);
        read_from(&codec, &mut Cursor::new(bytes)).map(drop)
    };
    let others = codec.room.try_acquire_many(90_000).unwrap();

    let error = read(LIMIT).unwrap_err();
    assert_eq!(protocol_error(&error), Some(&ProtocolError::NoRoom));
    assert!(!ProtocolError::is_offence(&error));
    read(FIRST_STEP).unwrap();

    drop(others);
    read(LIMIT).unwrap();
}

#[test]
fn a_frame_over_the_limit_is_not_written() {
    let mut io = Cursor::new(Vec::new());
    let frame = vec![0; LIMIT + 1];

    let error = block_on(codec().write_frame(&mut io, FrameKind::Request, &frame)).unwrap_err();

    assert!(matches!(
        protocol_error(&error),
        Some(ProtocolError::TooLarge { .. })
    ));
    assert!(io.into_inner().is_empty());
}

#[test]
fn a_stream_that_ends_between_two_frames_has_no_more() {
    assert_eq!(read_back(&[]).unwrap(), None);
}

#[test]
fn several_frames_come_one_after_the_other() {
    let both = [
        written(FrameKind::Request, b"question"),
        written(FrameKind::Broadcast, b"news"),
    ];
    let mut io = Cursor::new(both.concat());

    let first = read_from(&codec(), &mut io).unwrap();
    let second = read_from(&codec(), &mut io).unwrap();

    assert_eq!(first, Some((FrameKind::Request, "question".into())));
    assert_eq!(second, Some((FrameKind::Broadcast, "news".into())));
}

#[test]
fn an_unknown_kind_is_refused() {
    let error = read_back(&[9, 0, 0, 0, 0]).unwrap_err();

    assert_eq!(protocol_error(&error), Some(&ProtocolError::UnknownKind(9)));
}

#[test]
fn every_reply_comes_back_as_it_was() {
    for reply in [
        Reply::Answered(Bytes::from_static(b"yes")),
        Reply::Answered(Bytes::new()),
        Reply::Declined,
        Reply::Busy,
    ] {
        let mut io = Cursor::new(Vec::new());
        let back = block_on(async {
            codec().write_reply(&mut io, &reply).await?;
            io.set_position(0);
            codec().read_reply(&mut io).await
        });
        assert_eq!(back.unwrap(), reply);
    }
}

fn any_frame() -> impl Strategy<Value = (FrameKind, Vec<u8>)> {
    let kind = prop_oneof![Just(FrameKind::Request), Just(FrameKind::Broadcast)];
    // Around the steps in which room is made, and up to the limit itself.
    let size = prop_oneof![
        0..64_usize,
        FIRST_STEP - 8..FIRST_STEP + 8,
        3 * FIRST_STEP..5 * FIRST_STEP,
        Just(LIMIT),
    ];
    (kind, size, any::<u8>()).prop_map(|(kind, size, seed)| {
        let payload = (0..size).map(|i| (i as u8).wrapping_mul(31) ^ seed);
        (kind, payload.collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_frame_comes_back_as_it_was((kind, payload) in any_frame()) {
        let back = read_back(&written(kind, &payload)).unwrap();
        prop_assert_eq!(back, Some((kind, payload.into())));
    }

    #[test]
    fn a_frame_cut_short_is_an_error(
        (kind, payload) in any_frame(),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = written(kind, &payload);
        let kept = &bytes[..1 + cut.index(bytes.len() - 1)];
        prop_assert_eq!(read_back(kept).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = read_back(&bytes);
        let _ = block_on(codec().read_reply(&mut Cursor::new(bytes)));
    }
}
