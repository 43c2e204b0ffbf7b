//! What members tell each other, over a network in memory and in virtual time.

use std::sync::Mutex;

use super::*;
use crate::testing::{ManualClock, MemoryNetwork, MemoryTransport};
use crate::transport::{FrameKind, TransportError};
use crate::wire::Put;
use crate::{Cache, Clock, Entry, Key, Lifetime, MAX_SKEW, MeshTime, Path, Target, Tombstone};

const LIFETIME: Lifetime = Lifetime::fresh_for(Duration::from_secs(600));

fn key() -> Key {
    Key::public(["k"])
}

fn entry(stored_at: MeshTime, value: &'static str) -> Entry {
    let origin = PeerId::from_bytes(b"elsewhere").unwrap();
    Entry::new(stored_at, origin, Path::root(), value.into(), LIFETIME)
}

/// A cache with one peer, whose part the test plays.
struct Fixture {
    cache: Cache,
    clock: ManualClock,
    peer: MemoryTransport,
}

impl Fixture {
    fn new() -> Self {
        let network = MemoryNetwork::new(1);
        let clock = ManualClock::default();
        let cache = Cache::builder()
            .clock(clock.clone())
            .transport(network.join("node"));
        Self {
            peer: network.join("peer"),
            cache: cache.build(),
            clock,
        }
    }

    async fn tell(&self, frame: Bytes) -> Result<Bytes, TransportError> {
        self.peer.request(self.cache.local_peer(), frame).await
    }

    async fn put(&self, entry: Entry) {
        self.say(Message::Put(Put { key: key(), entry })).await;
    }

    async fn invalidate(&self, path: &str, stamp: MeshTime) {
        let tombstone = Tombstone {
            target: Target::Path(Path::new(path)),
            stamp,
            kept_for: Duration::from_secs(3600),
            origin: PeerId::from_bytes(b"elsewhere").unwrap(),
        };
        self.say(Message::Invalidate(tombstone)).await;
    }

    /// The next news that the node has for its peer; what it asks when it catches up is passed over,
    /// and how it stands.
    async fn hear(&self) -> Inbound {
        loop {
            let inbound = self.peer.accept().await.unwrap();
            let is_report = matches!(Message::decode(&inbound.frame), Ok(Message::Report(_)));
            if inbound.kind == FrameKind::Broadcast && !is_report {
                return inbound;
            }
        }
    }

    async fn say(&self, message: Message) {
        let reply = self.tell(message.encode().unwrap()).await.unwrap();
        assert_eq!(Message::decode(&reply), Ok(Message::Ack));
    }
}

#[tokio::test(start_paused = true)]
async fn a_put_is_pushed_to_the_peer_and_counts_as_acknowledged() {
    let fixture = Fixture::new();
    let put = fixture.cache.put(key(), "1".into(), LIFETIME);
    let inbound = fixture.hear().await;
    let message = Message::decode(&inbound.frame).unwrap();
    assert_eq!(
        message,
        Message::Put(Put {
            key: key(),
            entry: put
        })
    );
    inbound.reply.send(Bytes::new());
    time::sleep(Duration::from_millis(1)).await;
    let broadcast = fixture.cache.stats().broadcast;
    assert_eq!(
        (broadcast.sent, broadcast.acked, broadcast.failed),
        (1, 1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_acknowledge_counts_as_failed() {
    let fixture = Fixture::new();
    fixture.cache.put(key(), "1".into(), LIFETIME);
    drop(fixture.hear().await.reply);
    time::sleep(Duration::from_millis(1)).await;
    let broadcast = fixture.cache.stats().broadcast;
    assert_eq!(
        (broadcast.sent, broadcast.acked, broadcast.failed),
        (1, 0, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_newer_entry_is_accepted_and_an_older_one_ignored() {
    let fixture = Fixture::new();
    let now = fixture.clock.now();
    fixture.put(entry(now, "new")).await;
    fixture
        .put(entry(MeshTime::from_millis(now.as_millis() - 1), "old"))
        .await;
    assert_eq!(fixture.cache.get(&key()).await.unwrap().value(), "new");
    let stats = fixture.cache.stats();
    let received = stats.received;
    assert_eq!(
        (received.accepted, received.ignored, received.rejected),
        (1, 1, 0)
    );
    assert_eq!(stats.peer_hits, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stamp_too_far_ahead_is_refused_and_one_within_the_bound_is_not() {
    let fixture = Fixture::new();
    let edge = fixture.clock.now().saturating_add(MAX_SKEW);
    fixture.put(entry(edge.next(), "from the future")).await;
    assert_eq!(fixture.cache.get(&key()).await, None);
    assert_eq!(fixture.cache.stats().received.rejected, 1);
    fixture.put(entry(edge, "just in time")).await;
    assert!(fixture.cache.get(&key()).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_dead_on_arrival_is_ignored() {
    let fixture = Fixture::new();
    let old = entry(fixture.clock.now(), "1");
    fixture.clock.advance(LIFETIME.total());
    fixture.put(old).await;
    let stats = fixture.cache.stats();
    assert_eq!((stats.received.ignored, stats.entries), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_decode_is_counted_and_leaves_the_node_working() {
    let fixture = Fixture::new();
    for frame in [&b""[..], b"\x01", b"\x07\x01rest", b"\x01\x01garbage"] {
        let reply = fixture.tell(Bytes::from_static(frame)).await;
        assert_eq!(reply, Err(TransportError::Declined));
    }
    assert_eq!(fixture.cache.stats().received.rejected, 4);
    fixture.put(entry(fixture.clock.now(), "1")).await;
    assert!(fixture.cache.get(&key()).await.is_some());
}

/// A transport that remembers what is reported to it.
struct Noting {
    transport: MemoryTransport,
    reported: Arc<Mutex<Vec<(PeerId, Misconduct)>>>,
}

#[async_trait::async_trait]
impl Transport for Noting {
    fn local_peer(&self) -> PeerId {
        self.transport.local_peer()
    }

    fn peers(&self) -> Vec<crate::PeerInfo> {
        self.transport.peers()
    }

    async fn request(&self, to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        self.transport.request(to, frame).await
    }

    async fn broadcast(&self, frame: Bytes) -> Result<crate::Delivery, TransportError> {
        self.transport.broadcast(frame).await
    }

    async fn accept(&self) -> Option<Inbound> {
        self.transport.accept().await
    }

    fn report(&self, peer: PeerId, misconduct: Misconduct) {
        self.reported.lock().unwrap().push((peer, misconduct));
    }

    async fn close(&self) {
        self.transport.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_that_seals_nonsense_is_reported_and_one_of_another_release_is_told_apart() {
    let network = MemoryNetwork::new(1);
    let reported = Arc::<Mutex<Vec<_>>>::default();
    let noting = Noting {
        transport: network.join("node"),
        reported: Arc::clone(&reported),
    };
    let cache = Cache::builder()
        .clock(ManualClock::default())
        .transport(noting);
    let cache = cache.build();
    let peer = network.join("peer");
    for (frame, misconduct) in [
        (&b""[..], Some(Misconduct::Undecodable)),
        (b"\x01\x01garbage", Some(Misconduct::Undecodable)),
        (b"\x07\x01rest", Some(Misconduct::OtherVersion)),
        (b"\x01\xc8later", None),
    ] {
        let frame = Bytes::from_static(frame);
        let _ = peer.request(cache.local_peer(), frame).await;
        let reported = reported.lock().unwrap().pop();
        assert_eq!(reported, misconduct.map(|how| (peer.local_peer(), how)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_of_message_from_a_later_release_is_passed_over() {
    let fixture = Fixture::new();
    let reply = fixture.tell(Bytes::from_static(b"\x01\xc8later")).await;
    assert!(reply.is_ok());
    assert_eq!(fixture.cache.stats().received.rejected, 0);
}

#[tokio::test(start_paused = true)]
async fn closing_tells_the_peer_what_is_still_queued() {
    let fixture = Fixture::new();
    for name in 0..200_u8 {
        fixture
            .cache
            .put(Key::public([[name]]), "1".into(), LIFETIME);
    }
    let receive = async {
        for _ in 0..200 {
            fixture.hear().await.reply.send(Bytes::new());
        }
    };
    tokio::join!(fixture.cache.close(), receive);
    assert_eq!(fixture.cache.stats().broadcast.acked, 200);
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_no_peer_that_does_not_answer() {
    let fixture = Fixture::new();
    fixture.cache.put(key(), "1".into(), LIFETIME);
    let silent = fixture.hear().await;
    fixture.cache.close().await;
    drop(silent);
    assert!(fixture.peer.peers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_reaches_the_peer() {
    let fixture = Fixture::new();
    fixture.cache.invalidate_path(Path::new("/repos/o"));
    let inbound = fixture.hear().await;
    let message = Message::decode(&inbound.frame).unwrap();
    let Message::Invalidate(tombstone) = message else {
        panic!("not an invalidation: {message:?}");
    };
    assert_eq!(tombstone.target, Target::Path(Path::new("/repos/o")));
    assert_eq!(tombstone.origin, fixture.cache.local_peer());
}

#[tokio::test(start_paused = true)]
async fn a_value_older_than_its_tombstone_is_refused_and_a_newer_one_is_not() {
    let fixture = Fixture::new();
    let now = fixture.clock.now();
    fixture.put(entry(now, "old")).await;
    fixture.invalidate("/", now).await;
    assert_eq!(fixture.cache.get(&key()).await, None);
    fixture.put(entry(now, "old")).await;
    assert_eq!(fixture.cache.get(&key()).await, None);
    fixture.put(entry(now.next(), "new")).await;
    assert!(fixture.cache.get(&key()).await.is_some());
    let received = fixture.cache.stats().received;
    assert_eq!((received.accepted, received.ignored), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_from_the_future_is_refused_and_an_old_one_ignored() {
    let fixture = Fixture::new();
    fixture.put(entry(fixture.clock.now(), "1")).await;
    let edge = fixture.clock.now().saturating_add(MAX_SKEW);
    fixture.invalidate("/", edge.next()).await;
    fixture.invalidate("/", MeshTime::from_millis(1)).await;
    assert!(fixture.cache.get(&key()).await.is_some());
    let received = fixture.cache.stats().received;
    assert_eq!((received.rejected, received.ignored), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_an_invalidation_covers_soon_makes_room() {
    let fixture = Fixture::new();
    fixture.cache.put(key(), "1".into(), LIFETIME);
    fixture.cache.invalidate_all();
    assert_eq!(fixture.cache.stats().entries, 1);
    time::sleep(SWEEP_PAUSE * 2).await;
    let stats = fixture.cache.stats();
    assert_eq!((stats.entries, stats.bytes, stats.expirations), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_has_died_leaves_by_the_sweep() {
    let fixture = Fixture::new();
    fixture.cache.put(key(), "1".into(), LIFETIME);
    fixture.clock.advance(LIFETIME.total());
    time::sleep(SWEEP_INTERVAL * 2).await;
    let stats = fixture.cache.stats();
    assert_eq!((stats.entries, stats.expirations), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn large_pushes_leave_the_queue_only_as_fast_as_the_peer_takes_them() {
    let fixture = Fixture::new();
    let large = Bytes::from(vec![0; 3 * 1024 * 1024]);
    for name in 0..8_u8 {
        fixture
            .cache
            .put(Key::public([[name]]), large.clone(), LIFETIME);
        tokio::task::yield_now().await;
    }
    let mut under_way = Vec::new();
    while let Ok(inbound) = time::timeout(Duration::from_millis(1), fixture.hear()).await {
        under_way.push(inbound);
    }
    // No sixth fits in what pushes may occupy.
    assert_eq!(under_way.len(), 5);
    under_way.pop().unwrap().reply.send(Bytes::new());
    under_way.push(fixture.hear().await);
}

/// Of the members "node" and "peer", the latter is the owner of this key.
fn owned_by_the_peer(fixture: &Fixture) -> Key {
    let (us, peer) = (fixture.cache.local_peer(), fixture.peer.local_peer());
    let mut keys = (0_u32..).map(|n| Key::public([n.to_le_bytes()]));
    let is_the_peers = |key: &Key| crate::owner::in_order(key, [us, peer])[0] == peer;
    keys.find(is_the_peers).unwrap()
}

/// Looks up what the peer owns, and tells whether the peer was asked for leave.
async fn asks_the_peer(fixture: &Fixture, key: Key) -> bool {
    let fetch = |_| async { Ok(crate::Fetched::Private) };
    let freshness = crate::Freshness::AS_STORED;
    let lookup = fixture.cache.get_or_fetch(key, freshness, fetch);
    let asked = async {
        loop {
            let inbound = fixture.peer.accept().await.unwrap();
            if let Ok(Message::Acquire(_)) = Message::decode(&inbound.frame) {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = asked => true,
        _ = lookup => false,
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_said_goodbye_is_asked_for_nothing_until_it_is_started_again() {
    let fixture = Fixture::new();
    let key = owned_by_the_peer(&fixture);
    assert!(asks_the_peer(&fixture, key).await);
    let report = |started_at, is_last| {
        Message::Report(crate::wire::Report {
            member: fixture.peer.local_peer(),
            started_at: MeshTime::from_millis(started_at),
            number: 1,
            is_last,
            takes_inbound: true,
            version: String::new(),
            counters: Vec::new(),
            additional: Vec::new(),
            notes: Vec::new(),
        })
    };
    let told = fixture.tell(report(1, true).encode().unwrap()).await;
    let reply = Message::decode(&told.unwrap()).unwrap();
    assert!(matches!(reply, Message::Report(_)), "{reply:?}");
    assert!(!asks_the_peer(&fixture, key).await);
    // What was on its way when it left does not bring it back.
    fixture.put(entry(fixture.clock.now(), "1")).await;
    assert!(!asks_the_peer(&fixture, key).await);
    let told = fixture.tell(report(2, false).encode().unwrap()).await;
    assert!(told.is_ok());
    assert!(asks_the_peer(&fixture, key).await);
}
