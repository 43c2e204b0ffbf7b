//! Clients that are slow, and clients that have stopped, in virtual time.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::stream;
use gh_client::Body;
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::{self, Instant};

use super::*;

const CHUNK: usize = 16 * 1024;

/// What is on the way to a client stays within what hyper writes at a time.
const ON_THE_WAY: usize = 1024 * 1024;

/// A download without end, how much of it was asked for, and what has become of its connection.
struct Download {
    client: DuplexStream,
    read: Arc<AtomicUsize>,
    serving: JoinHandle<hyper::Result<()>>,
}

impl Download {
    async fn begin() -> Self {
        let (mut client, server) = tokio::io::duplex(CHUNK);
        let read = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&read);
        let answer = service_fn(move |_: Request<Incoming>| {
            let counter = Arc::clone(&counter);
            let chunks = stream::repeat_with(move || {
                counter.fetch_add(CHUNK, Ordering::Relaxed);
                Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[0; CHUNK])))
            });
            let body = Body::streaming(StreamBody::new(chunks));
            async { Ok::<_, Infallible>(Response::new(body)) }
        });
        let serving = tokio::spawn(serve(server, answer));
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        client.write_all(request).await.unwrap();
        Self {
            client,
            read,
            serving,
        }
    }

    fn read(&self) -> usize {
        self.read.load(Ordering::Relaxed)
    }

    /// Whether nobody can read of the download any more.
    fn is_let_go(&self) -> bool {
        Arc::strong_count(&self.read) == 1
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_dropped_after_a_minute_and_so_is_its_download() {
    let mut download = Download::begin().await;
    let start = Instant::now();
    let ended = (&mut download.serving).await.unwrap();
    assert!(ended.is_err());
    assert_eq!(start.elapsed().as_secs(), 60);
    assert!(download.is_let_go());
    assert!(download.read() <= ON_THE_WAY, "{} bytes", download.read());
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_is_served_for_as_long_as_it_reads_and_no_faster() {
    let mut download = Download::begin().await;
    let mut some = [0; CHUNK];
    for _ in 0..20 {
        time::sleep(Duration::from_secs(59)).await;
        download.client.read_exact(&mut some).await.unwrap();
    }
    assert!(!download.serving.is_finished());
    let taken = 20 * CHUNK;
    assert!(download.read() <= taken + ON_THE_WAY);
}

#[tokio::test(start_paused = true)]
async fn the_download_of_a_client_that_has_gone_is_let_go_at_once() {
    let mut download = Download::begin().await;
    let mut some = [0; CHUNK];
    download.client.read_exact(&mut some).await.unwrap();
    let start = Instant::now();
    let (gone, _) = tokio::io::duplex(1);
    drop(std::mem::replace(&mut download.client, gone));
    assert!((&mut download.serving).await.unwrap().is_err());
    assert_eq!(start.elapsed().as_secs(), 0);
    assert!(download.is_let_go());
    assert!(download.read() <= ON_THE_WAY);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_no_head_is_dropped_after_half_a_minute() {
    let (mut client, server) = tokio::io::duplex(CHUNK);
    let answer = service_fn(|_: Request<Incoming>| async {
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let serving = tokio::spawn(serve(server, answer));
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let start = Instant::now();
    assert!(serving.await.unwrap().is_err());
    assert_eq!(start.elapsed().as_secs(), 30);
}
