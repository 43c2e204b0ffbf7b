//! `Sealed` around a transport of two ends.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    Delivery, Direction, FrameKind, Inbound, Misconduct, NoTransport, OpenError, PeerId, PeerInfo,
    Purpose, Replier, SealError, Sealer, Transport, TransportError,
};
use cache_crypto::{Keyring, Sealed, Secret};
use tokio::sync::{Mutex, mpsc};
use tokio::task;

/// One end of a wire, from which a test can also take and to which it can also give raw frames.
struct Wire {
    here: PeerId,
    there: PeerId,
    out: mpsc::Sender<Inbound>,
    into: Mutex<mpsc::Receiver<Inbound>>,
    reported: std::sync::Mutex<Vec<(PeerId, Misconduct)>>,
}

fn wire() -> (Arc<Wire>, Arc<Wire>) {
    let ids = [b"left", b"righ"].map(|name| PeerId::from_bytes(name).unwrap());
    let (to_right, from_left) = mpsc::channel(8);
    let (to_left, from_right) = mpsc::channel(8);
    let end = |here, there, out, into| {
        Arc::new(Wire {
            here,
            there,
            out,
            into: Mutex::new(into),
            reported: std::sync::Mutex::default(),
        })
    };
    (
        end(ids[0], ids[1], to_right, from_right),
        end(ids[1], ids[0], to_left, from_left),
    )
}

impl Wire {
    async fn send(&self, kind: FrameKind, frame: Bytes) -> Result<Bytes, TransportError> {
        let (reply, replied) = Replier::new();
        let inbound = Inbound {
            from: self.here,
            kind,
            frame,
            reply,
        };
        let sent = self.out.send(inbound).await;
        sent.map_err(|_| TransportError::Closed)?;
        replied.await.map_err(|_| TransportError::Declined)
    }
}

#[async_trait]
impl Transport for Wire {
    fn local_peer(&self) -> PeerId {
        self.here
    }

    fn peers(&self) -> Vec<PeerInfo> {
        vec![PeerInfo::new(self.there, Direction::Outbound)]
    }

    async fn request(&self, _to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        self.send(FrameKind::Request, frame).await
    }

    async fn broadcast(&self, frame: Bytes) -> Result<Delivery, TransportError> {
        let acked = self.send(FrameKind::Broadcast, frame).await.is_ok();
        let (acked, failed) = if acked {
            (vec![self.there], vec![])
        } else {
            (vec![], vec![self.there])
        };
        Ok(Delivery {
            acked,
            failed,
            ..Delivery::default()
        })
    }

    async fn accept(&self) -> Option<Inbound> {
        self.into.lock().await.recv().await
    }

    fn report(&self, peer: PeerId, misconduct: Misconduct) {
        self.reported.lock().unwrap().push((peer, misconduct));
    }

    async fn close(&self) {
        self.into.lock().await.close();
    }
}

fn sealed(wire: Arc<Wire>, secret_byte: &str) -> Sealed<Arc<Wire>> {
    let secret = Secret::parse(&secret_byte.repeat(32)).unwrap();
    Sealed::new(wire, Arc::new(Keyring::new(&secret).unwrap()))
}

/// Answers the next frame with itself in upper case, and gives back what it was.
async fn shout_back(transport: &impl Transport) -> (FrameKind, Bytes) {
    let inbound = transport.accept().await.unwrap();
    inbound
        .reply
        .send(Bytes::from(inbound.frame.to_ascii_uppercase()));
    (inbound.kind, inbound.frame)
}

/// What `asking` sends for `question`, as the other end of the wire gets it. It is not answered.
async fn tapped(asking: &impl Transport, wire: &Wire, question: &'static str) -> Bytes {
    let (_, frame) = tokio::join!(asking.request(wire.here, Bytes::from(question)), async {
        wire.accept().await.unwrap().frame
    });
    frame
}

#[tokio::test]
async fn a_request_and_its_reply_pass_between_members() {
    let (left, right) = wire();
    let peer = left.there;
    let (left, right) = (sealed(left, "a1"), sealed(right, "a1"));
    let (reply, seen) = tokio::join!(
        left.request(peer, Bytes::from("question")),
        shout_back(&right)
    );
    assert_eq!(reply.unwrap(), "QUESTION");
    assert_eq!(seen, (FrameKind::Request, Bytes::from("question")));
    assert_eq!((left.unopened().total(), right.unopened().total()), (0, 0));
}

#[tokio::test]
async fn a_broadcast_passes_between_members_and_is_acknowledged() {
    let (left, right) = wire();
    let peer = left.there;
    let (left, right) = (sealed(left, "a1"), sealed(right, "a1"));
    let (delivery, seen) = tokio::join!(left.broadcast(Bytes::from("news")), shout_back(&right));
    assert_eq!(delivery.unwrap().acked, [peer]);
    assert_eq!(seen, (FrameKind::Broadcast, Bytes::from("news")));
}

#[tokio::test]
async fn nothing_goes_over_the_wire_unsealed() {
    let (left, right) = wire();
    let peer = left.there;
    let member = sealed(Arc::clone(&left), "a1");
    let other = sealed(Arc::clone(&right), "a1");
    let contains = |frame: &Bytes, text: &str| {
        frame
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };

    let (_, raw) = tokio::join!(
        member.request(peer, Bytes::from("question")),
        shout_back(&right)
    );
    assert!(!contains(&raw.1, "question"));
    let (_, raw) = tokio::join!(member.broadcast(Bytes::from("news")), shout_back(&right));
    assert!(!contains(&raw.1, "news"));

    let question = tapped(&member, &right, "question").await;
    let (reply, _) = tokio::join!(left.request(peer, question), shout_back(&other));
    assert!(!contains(&reply.unwrap(), "QUESTION"));
}

#[tokio::test]
async fn a_frame_that_does_not_open_is_declined_counted_reported_and_never_seen() {
    let (left, wire) = wire();
    let (here, peer) = (left.here, left.there);
    let stranger = sealed(Arc::clone(&left), "b2");
    let member = sealed(left, "a1");
    let right = sealed(Arc::clone(&wire), "a1");

    // `accept` returns only once, with the frame that opens.
    let (refused, reply, seen) = tokio::join!(
        biased;
        stranger.request(peer, Bytes::from("let me in")),
        member.request(peer, Bytes::from("question")),
        shout_back(&right)
    );
    assert_eq!(refused, Err(TransportError::Declined));
    assert_eq!(reply.unwrap(), "QUESTION");
    assert_eq!(seen.1, "question");
    assert_eq!(right.unopened().other_secret, 1);
    assert_eq!(right.unopened().total(), 1);
    let reported = wire.reported.lock().unwrap();
    assert_eq!(*reported, [(here, Misconduct::OtherSecret)]);
}

#[tokio::test]
async fn a_request_is_not_taken_for_a_broadcast() {
    let (left, right) = wire();
    let member = sealed(Arc::clone(&left), "a1");
    let question = tapped(&member, &right, "question").await;

    let right = sealed(right, "a1");
    let replayed = left.send(FrameKind::Broadcast, question);
    let accepting = right.accept();
    tokio::select! {
        refused = replayed => assert_eq!(refused, Err(TransportError::Declined)),
        _ = accepting => panic!("the replayed frame was accepted"),
    }
    assert_eq!(right.unopened().forged, 1);
}

#[tokio::test]
async fn a_reply_that_is_replayed_for_another_request_is_refused() {
    let (left, right) = wire();
    let peer = left.there;
    let asking = sealed(Arc::clone(&left), "a1");
    let answering = sealed(Arc::clone(&right), "a1");

    // Somebody on the way keeps the reply to a request that he lets through …
    let question = tapped(&asking, &right, "first").await;
    let (kept, _) = tokio::join!(left.request(peer, question), shout_back(&answering));
    let kept = kept.unwrap();

    // … and answers the next one with it.
    let (reply, ()) = tokio::join!(asking.request(peer, Bytes::from("second")), async {
        right.accept().await.unwrap().reply.send(kept);
    });
    assert_eq!(reply, Err(TransportError::Unopened));
    assert_eq!(asking.unopened().forged, 1);
    let reported = left.reported.lock().unwrap();
    assert_eq!(*reported, [(peer, Misconduct::Forged)]);
}

/// A keyring that notes which task opens with it.
struct Watched {
    keyring: Keyring,
    opened_in: std::sync::Mutex<Vec<task::Id>>,
}

impl Sealer for Watched {
    fn seal(&self, purpose: Purpose<'_>, plaintext: &[u8]) -> Result<Bytes, SealError> {
        self.keyring.seal(purpose, plaintext)
    }

    fn open(&self, purpose: Purpose<'_>, sealed: Bytes) -> Result<Bytes, OpenError> {
        self.opened_in.lock().unwrap().push(task::id());
        self.keyring.open(purpose, sealed)
    }
}

#[tokio::test]
async fn frames_are_opened_by_who_accepts_and_not_by_what_carries_them() {
    let (left, right) = wire();
    let peer = left.there;
    let secret = Secret::parse(&"a1".repeat(32)).unwrap();
    let watched = Arc::new(Watched {
        keyring: Keyring::new(&secret).unwrap(),
        opened_in: std::sync::Mutex::default(),
    });
    let right = Sealed::new(right, Arc::<Watched>::clone(&watched));
    let asking = sealed(left, "a1");

    // The wire moves frames in the task that asks.
    let carrying = tokio::spawn(async move { asking.request(peer, Bytes::from("question")).await });
    let accepting = tokio::spawn(async move { shout_back(&right).await });
    let accepting_id = accepting.id();
    assert_eq!(carrying.await.unwrap().unwrap(), "QUESTION");
    accepting.await.unwrap();
    assert_eq!(*watched.opened_in.lock().unwrap(), [accepting_id]);
}

#[tokio::test]
async fn a_dropped_replier_declines() {
    let (left, right) = wire();
    let peer = left.there;
    let (left, right) = (sealed(left, "a1"), sealed(right, "a1"));
    let (reply, ()) = tokio::join!(left.request(peer, Bytes::from("question")), async {
        drop(right.accept().await);
    });
    assert_eq!(reply, Err(TransportError::Declined));
}

#[tokio::test]
async fn a_frame_over_the_limit_is_refused_before_it_is_sent() {
    let (left, _right) = wire();
    let peer = left.there;
    let left = sealed(left, "a1");
    let too_long = Bytes::from(vec![0; cache_core::MAX_FRAME]);
    let refused = left.request(peer, too_long).await.unwrap_err();
    assert!(matches!(refused, TransportError::Unsealed(_)), "{refused}");
}

#[tokio::test]
async fn peers_name_and_end_are_the_transports_own() {
    let (left, right) = wire();
    let (here, there) = (left.here, left.there);
    let (left, right) = (sealed(left, "a1"), sealed(right, "a1"));
    assert_eq!(left.local_peer(), here);
    assert_eq!(left.peers()[0].id, there);
    right.close().await;
    assert!(right.accept().await.is_none());
    assert_eq!(
        left.request(there, Bytes::from("question")).await,
        Err(TransportError::Closed)
    );
}

#[test]
fn debug_shows_neither_keys_nor_secret() {
    let secret = Secret::parse(&"a1".repeat(32)).unwrap();
    let sealed = Sealed::new(NoTransport, Arc::new(Keyring::new(&secret).unwrap()));
    assert_eq!(
        format!("{sealed:?}"),
        "Sealed { transport: NoTransport, unopened: 0, .. }"
    );
}
