//! The same values on two nodes, over a network in memory: what one has fetched, the other has.
//!
//! ```sh
//! cargo run -p cache-core --example two_nodes
//! ```

use std::error::Error;
use std::time::Duration;

use cache_core::testing::MemoryNetwork;
use cache_core::{Answer, Cache, Event, Fetched, Freshness, Key, Lifetime};

async fn ask(name: &str, cache: &Cache) -> Result<(), Box<dyn Error>> {
    let key = Key::public(["capital", "Iceland"]);
    let answer = cache
        .get_or_fetch(key, Freshness::AS_STORED, |_stale| async {
            println!("    … asking upstream");
            let lifetime = Lifetime::fresh_for(Duration::from_secs(60));
            Ok(Fetched::New("Reykjavík".into(), lifetime))
        })
        .await?;
    if let Answer::Entry { entry, source, .. } = answer {
        println!(
            "{name}: {} ({source:?})",
            String::from_utf8_lossy(entry.value())
        );
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let network =
        MemoryNetwork::new(1).with_latency(Duration::from_millis(10)..=Duration::from_millis(30));
    let [one, two] =
        ["one", "two"].map(|name| Cache::builder().transport(network.join(name)).build());
    let mut arrivals = two.subscribe();

    ask("one", &one).await?;
    if let Some(Event::Kept { origin, .. }) = arrivals.next().await {
        assert_eq!(origin, one.local_peer());
        println!("two: it has come over the network");
    }
    ask("two", &two).await?;

    let (hits, misses) = (two.stats().peer_hits, two.stats().misses);
    println!("\ntwo has answered {hits} from its peer, and asked upstream {misses} times");
    one.close().await;
    two.close().await;
    Ok(())
}
