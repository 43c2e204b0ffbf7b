//! A transport of your own, sealed: `cargo run -p cache-crypto --example sealed_transport`.
//!
//! The transport here is a cable with two ends. Whatever moves bytes will do: implement
//! `Transport`, wrap it in `Sealed`, and hand that to `Cache::builder().transport(…)`.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    Delivery, Direction, FrameKind, Inbound, Misconduct, PeerId, PeerInfo, Replier, Transport,
    TransportError,
};
use cache_crypto::{Keyring, Sealed, Secret};
use tokio::sync::{Mutex, mpsc};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (here, there) = cable()?;

    println!("two members:");
    let text = Secret::generate()?;
    let asking = Sealed::new(Arc::clone(&here), keyring(text.expose())?);
    let member = Sealed::new(Arc::clone(&there), keyring(text.expose())?);
    ask(&asking, there.name, &member).await;

    println!("a stranger at the other end:");
    let stranger = Sealed::new(there.clone(), keyring(Secret::generate()?.expose())?);
    ask(&asking, there.name, &stranger).await;
    println!(
        "  the stranger has opened nothing: {:?}",
        stranger.unopened()
    );
    Ok(())
}

/// What a node makes of the text that its members share.
fn keyring(secret: &str) -> Result<Arc<Keyring>, Box<dyn Error>> {
    Ok(Arc::new(Keyring::new(&Secret::parse(secret)?)?))
}

async fn ask(asking: &impl Transport, peer: PeerId, answering: &impl Transport) {
    let answer = async {
        // It comes back only with a frame that opens.
        while let Some(inbound) = answering.accept().await {
            println!("  the other end reads {:?}", inbound.frame);
            inbound.reply.send(Bytes::from("octocat"));
        }
    };
    tokio::select! {
        reply = asking.request(peer, Bytes::from("who am I?")) => println!("  the answer: {reply:?}"),
        () = answer => {}
    }
}

/// One end of a cable.
struct Cable {
    name: PeerId,
    other: PeerId,
    out: mpsc::Sender<Inbound>,
    into: Mutex<mpsc::Receiver<Inbound>>,
}

fn cable() -> Result<(Arc<Cable>, Arc<Cable>), Box<dyn Error>> {
    let (name, other) = (PeerId::from_bytes(b"here")?, PeerId::from_bytes(b"there")?);
    let (out, from_here) = mpsc::channel(16);
    let (back, from_there) = mpsc::channel(16);
    let end = |name, other, out, into| {
        Arc::new(Cable {
            name,
            other,
            out,
            into: Mutex::new(into),
        })
    };
    Ok((
        end(name, other, out, from_there),
        end(other, name, back, from_here),
    ))
}

impl Cable {
    async fn send(&self, kind: FrameKind, frame: Bytes) -> Result<Bytes, TransportError> {
        println!(
            "  {} bytes on the cable: {}…",
            frame.len(),
            hex::encode(&frame[..40])
        );
        let (reply, replied) = Replier::new();
        let inbound = Inbound {
            from: self.name,
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
impl Transport for Cable {
    fn local_peer(&self) -> PeerId {
        self.name
    }

    fn peers(&self) -> Vec<PeerInfo> {
        vec![PeerInfo::new(self.other, Direction::Outbound)]
    }

    async fn request(&self, _to: PeerId, frame: Bytes) -> Result<Bytes, TransportError> {
        self.send(FrameKind::Request, frame).await
    }

    async fn broadcast(&self, frame: Bytes) -> Result<Delivery, TransportError> {
        let mut delivery = Delivery::default();
        match self.send(FrameKind::Broadcast, frame).await {
            Ok(_) => delivery.acked.push(self.other),
            Err(_) => delivery.failed.push(self.other),
        }
        Ok(delivery)
    }

    async fn accept(&self) -> Option<Inbound> {
        self.into.lock().await.recv().await
    }

    fn report(&self, peer: PeerId, misconduct: Misconduct) {
        println!("  the cable is told that {peer} has sent what is {misconduct:?}");
    }

    async fn close(&self) {
        self.into.lock().await.close();
    }
}
