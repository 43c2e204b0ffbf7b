//! The original's scenario by its Rust interface: five runners as values, their frames sealed, on a
//! network in memory and on libp2p.

use std::sync::Arc;
use std::time::Duration;

use cache_core::testing::MemoryNetwork;
use cache_core::{Cache, Transport};
use cache_crypto::{Keyring, Sealed, Secret};
use cache_net::{Config, P2p};
use e2e::eventually;
use e2e::process::SECRET;
use gh_client::testing::StandIn;
use gh_client::{Client, GitHub, PrincipalKey, Token};

use crate::{TOKEN, github};

/// A runner: its cache, and GitHub by way of it.
struct Runner {
    cache: Cache,
    client: Client,
    github: GitHub,
}

impl Runner {
    fn new(upstream: &StandIn, transport: impl Transport) -> Self {
        let keyring = Arc::new(Keyring::new(&Secret::parse(SECRET).unwrap()).unwrap());
        let principals = PrincipalKey::new(*keyring.principals().as_bytes());
        let cache = Cache::builder()
            .transport(Sealed::new(transport, keyring))
            .build();
        let client = Client::builder(principals)
            .upstream(upstream.url())
            .build(cache.clone())
            .unwrap();
        let github = client.github(Some(&Token::new(TOKEN).unwrap()));
        Self {
            cache,
            client,
            github,
        }
    }

    /// The seed's operations, one of each.
    async fn ask_everything(&self) -> Vec<String> {
        let github = &self.github;
        let repos = github.list_repos("octo-org", 100).await.unwrap();
        let repo = github.get_repo("octo-org", "octo-repo-000").await.unwrap();
        let runs = github
            .list_workflow_runs("octo-org", "octo-repo-000", 50)
            .await
            .unwrap();
        let run = runs.first().expect("the stand-in has runs").id;
        let run = github
            .get_workflow_run("octo-org", "octo-repo-000", run)
            .await
            .unwrap();
        let failed = github
            .list_failed_runs("octo-org", "octo-repo-000", 10)
            .await
            .unwrap();
        let runners = github
            .list_runners("octo-org", "octo-repo-000", 10)
            .await
            .unwrap();
        assert_eq!(repos.len(), 100);
        let mut told = vec![repo.name, run.name, format!("{} runners", runners.len())];
        told.extend(repos.into_iter().map(|repo| repo.name));
        told.extend(failed.into_iter().map(|run| run.id.to_string()));
        told
    }
}

/// How many calls one runner's round of questions comes to.
const QUESTIONS: u64 = 6;

async fn five_runners_make_one_runners_calls(upstream: &StandIn, runners: &[Runner]) {
    let told = runners[0].ask_everything().await;
    let others = runners.len() as u64 - 1;
    eventually("the peers are told", async || {
        runners[0].cache.stats().broadcast.acked == QUESTIONS * others
    })
    .await;
    for runner in &runners[1..] {
        assert_eq!(runner.ask_everything().await, told);
    }
    assert_eq!(runners[0].ask_everything().await, told);

    assert_eq!(upstream.calls().total(), QUESTIONS);
    let stats = runners[0].cache.stats();
    assert_eq!((stats.hits, stats.misses), (QUESTIONS, QUESTIONS));
    assert_eq!(runners[0].client.stats().api_calls_made, QUESTIONS);
    for runner in &runners[1..] {
        let stats = runner.cache.stats();
        assert_eq!((stats.peer_hits, stats.misses), (QUESTIONS, 0));
        assert_eq!(runner.client.stats().api_calls_made, 0);
    }
}

#[tokio::test]
async fn five_runners_on_a_network_in_memory_make_one_runners_calls() {
    let upstream = github().await;
    let network =
        MemoryNetwork::new(5).with_latency(Duration::from_millis(1)..=Duration::from_millis(5));
    let runners: Vec<Runner> = (1..=5)
        .map(|number| Runner::new(&upstream, network.join(&format!("runner {number}"))))
        .collect();
    five_runners_make_one_runners_calls(&upstream, &runners).await;
}

#[tokio::test]
async fn five_runners_over_libp2p_make_one_runners_calls() {
    let upstream = github().await;
    let keyring = Keyring::new(&Secret::parse(SECRET).unwrap()).unwrap();
    let mut runners = Vec::new();
    let mut addresses = Vec::new();
    for _ in 0..5 {
        let mut config = Config::new(*keyring.membership().as_bytes());
        config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
        config.bootstrap.clone_from(&addresses);
        let network = P2p::start(config).await.unwrap();
        addresses.extend(network.listen_addrs());
        runners.push(Runner::new(&upstream, network));
    }
    eventually("all are connected", async || {
        runners.iter().all(|runner| runner.cache.peers().len() == 4)
    })
    .await;
    five_runners_make_one_runners_calls(&upstream, &runners).await;
}
