//! Bodies that end, that break off, and that are too large.

use super::*;

fn chunks(chunks: Vec<Result<&'static str, &'static str>>) -> Body {
    let frames = chunks.into_iter().map(|chunk| {
        chunk
            .map(|data| Frame::data(Bytes::from(data)))
            .map_err(BoxError::from)
    });
    Body::streaming(StreamBody::new(stream::iter(frames)))
}

/// What a client would read: the data, and the error at its end, if any.
async fn read(body: Body) -> (Vec<u8>, Option<String>) {
    let mut data = Vec::new();
    let mut frames = BodyStream::new(body);
    while let Some(frame) = frames.next().await {
        match frame {
            Ok(frame) => data.extend(frame.into_data().unwrap()),
            Err(error) => return (data, Some(error.to_string())),
        }
    }
    (data, None)
}

async fn unfinished(body: Body, limit: usize) -> (Vec<u8>, Option<String>) {
    match collect(body, limit, &Room::new()).await {
        Collected::Unfinished(body) => read(body).await,
        Collected::Complete(body) => panic!("complete: {body:?}"),
    }
}

#[tokio::test]
async fn a_body_within_the_limit_is_complete() {
    let body = chunks(vec![Ok("ab"), Ok("cd")]);
    let collected = collect(body, 4, &Room::new()).await;
    assert!(matches!(collected, Collected::Complete(body) if body == "abcd"));
}

#[tokio::test]
async fn a_body_over_the_limit_goes_through_whole() {
    let body = chunks(vec![Ok("ab"), Ok("cd"), Ok("ef"), Ok("gh")]);
    assert_eq!(unfinished(body, 3).await, (b"abcdefgh".to_vec(), None));
    assert_eq!(
        unfinished(Body::full("abcdefgh"), 3).await,
        (b"abcdefgh".to_vec(), None)
    );
}

#[tokio::test]
async fn a_body_without_room_goes_through_whole_and_one_that_is_read_gives_its_room_back() {
    let room = Room::of(4);
    for _ in 0..2 {
        let fits = collect(chunks(vec![Ok("ab"), Ok("cd")]), 100, &room).await;
        assert!(matches!(fits, Collected::Complete(body) if body == "abcd"));
        let body = chunks(vec![Ok("ab"), Ok("cd"), Ok("e")]);
        let Collected::Unfinished(body) = collect(body, 100, &room).await else {
            panic!("there is no room for it");
        };
        assert_eq!(read(body).await, (b"abcde".to_vec(), None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_waited_for_takes_no_room() {
    let room = Room::of(4);
    let silent = Body::streaming(StreamBody::new(stream::pending::<
        Result<Frame<Bytes>, BoxError>,
    >()));
    let waiting = time::timeout(PATIENCE / 2, collect(silent, 100, &room));
    let other = collect(Body::full("abcd"), 100, &room);
    let (waiting, other) = futures::join!(waiting, other);
    assert!(waiting.is_err());
    assert!(matches!(other, Collected::Complete(body) if body == "abcd"));
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_off_for_the_client_at_the_same_byte() {
    let body = chunks(vec![Ok("ab"), Err("reset by peer")]);
    let expected = (b"ab".to_vec(), Some("reset by peer".to_owned()));
    assert_eq!(unfinished(body, 100).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_left_to_the_client_that_asked() {
    let stalled = stream::once(async { Ok::<_, BoxError>(Frame::data(Bytes::from("ab"))) });
    let late = stream::once(async {
        time::sleep(2 * PATIENCE).await;
        Ok(Frame::data(Bytes::from("cd")))
    });
    let body = Body::streaming(StreamBody::new(stalled.chain(late)));
    assert_eq!(unfinished(body, 100).await, (b"abcd".to_vec(), None));
}
