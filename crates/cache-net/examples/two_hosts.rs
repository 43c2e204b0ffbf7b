//! Two hosts of one fleet: one asks, the other answers.
//!
//! ```sh
//! cargo run -p cache-net --example two_hosts
//! ```

use std::error::Error;

use bytes::Bytes;
use cache_core::Transport;
use cache_net::{Config, Membership, P2p};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let member = || {
        let mut config = Config::new(Membership::new([7; 32]));
        config.listen.push("/ip4/127.0.0.1/tcp/0".parse()?);
        Ok::<_, Box<dyn Error>>(config)
    };
    let first = P2p::start(member()?).await?;
    let mut config = member()?;
    config.bootstrap = first.listen_addrs();
    let second = P2p::start(config).await?;
    while second.peers().is_empty() {
        tokio::task::yield_now().await;
    }

    let answering = async {
        if let Some(inbound) = first.accept().await {
            println!("{} asks {:?}", inbound.from, inbound.frame);
            inbound.reply.send(Bytes::from_static(b"Reykjavik"));
        }
    };
    let question = Bytes::from_static(b"What is the capital of Iceland?");
    let (answer, ()) = tokio::join!(second.request(first.local_peer(), question), answering);
    println!("{} answers {:?}", first.local_peer(), answer?);
    second.close().await;
    first.close().await;
    Ok(())
}
