//! A cache of your own function's results: one call for all who ask at once, and no waiting for
//! those who are content with an older answer.
//!
//! ```sh
//! cargo run -p cache-core --example function_results
//! ```

use std::error::Error;
use std::time::Duration;

use cache_core::{Answer, BoxError, Cache, Fetched, Freshness, Key, Lifetime};
use tokio::time::sleep;

/// What takes long: here, counting primes.
async fn primes_below(limit: u32) -> Result<Fetched, BoxError> {
    println!("    … counting the primes below {limit}");
    let count = tokio::task::spawn_blocking(move || {
        let is_prime = |n: &u32| {
            (2..)
                .take_while(|d| d * d <= *n)
                .all(|d| !n.is_multiple_of(d))
        };
        (2..limit).filter(is_prime).count()
    });
    let lifetime = Lifetime::fresh_for(Duration::from_secs(1)) // short, to see it end
        .and_stale_for(Duration::from_secs(60));
    Ok(Fetched::New(count.await?.to_string().into(), lifetime))
}

async fn ask(cache: &Cache, limit: u32, freshness: Freshness) -> Result<(), Box<dyn Error>> {
    let key = Key::public(["primes", &limit.to_string()]);
    let answer = cache
        .get_or_fetch(key, freshness, move |_stale| primes_below(limit))
        .await?;
    if let Answer::Entry { entry, source, age } = answer {
        let count = String::from_utf8_lossy(entry.value());
        println!("{count} primes below {limit} ({source:?}, {age:.0?} old)");
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cache = Cache::builder().max_bytes(1 << 20).build();

    println!("Three callers at once make one call:");
    let one = || ask(&cache, 100_000, Freshness::AS_STORED);
    tokio::try_join!(one(), one(), one())?;

    println!("\nThe next is a hit:");
    one().await?;

    sleep(Duration::from_secs(2)).await;
    println!("\nIt is stale now. Who tolerates that has it at once, and renews it for the others:");
    let tolerant = Freshness::AS_STORED.or_stale_while_revalidating(Duration::from_secs(10));
    ask(&cache, 100_000, tolerant).await?;
    one().await?;

    println!("\n{:#?}", cache.stats());
    Ok(())
}
