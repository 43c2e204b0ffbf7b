//! A change of secrets while the fleet is at work.

use std::sync::Arc;

use bytes::Bytes;
use cache_core::testing::{MemoryNetwork, MemoryTransport};
use cache_core::{PeerId, Transport};
use cache_crypto::{Keyring, Sealed, Secret};
use tokio::task::JoinHandle;

const NAMES: [&str; 4] = ["one", "two", "three", "four"];

/// The secret that a node seals with, and another one that it opens.
type Secrets = (&'static str, Option<&'static str>);

const OLD: &str = "a1";
const NEW: &str = "b2";

/// Four members of one network, each with secrets of its own.
struct Fleet {
    network: MemoryNetwork,
    nodes: Vec<Node>,
}

struct Node {
    id: PeerId,
    transport: Arc<Sealed<MemoryTransport>>,
    /// Answers every frame that opens with the frame itself.
    echo: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.echo.abort();
    }
}

impl Fleet {
    fn with(secrets: Secrets) -> Self {
        let network = MemoryNetwork::new(1);
        let nodes = NAMES.map(|name| Node::start(&network, name, secrets));
        Self {
            network,
            nodes: nodes.into(),
        }
    }

    /// Starts one node again, with other secrets.
    fn restart(&mut self, node: usize, secrets: Secrets) {
        self.nodes[node] = Node::start(&self.network, NAMES[node], secrets);
    }

    /// Whom each node reaches: by broadcast, and by a request whose reply it can open. One line a
    /// node, one mark for each other node.
    async fn reach(&self) -> [String; 4] {
        let mut lines = Vec::new();
        for from in &self.nodes {
            let told = from.transport.broadcast(Bytes::from("news")).await.unwrap();
            let mut line = String::new();
            for to in self.nodes.iter().filter(|to| to.id != from.id) {
                let asked = from.transport.request(to.id, Bytes::from("question"));
                let answered = asked.await.is_ok_and(|reply| reply == "question");
                line.push(match (told.acked.contains(&to.id), answered) {
                    (true, true) => '+',
                    (true, false) => 't',
                    (false, true) => 'a',
                    (false, false) => '-',
                });
            }
            lines.push(line);
        }
        lines.try_into().unwrap()
    }
}

impl Node {
    fn start(network: &MemoryNetwork, name: &str, (current, previous): Secrets) -> Self {
        let secret = |byte: &str| Secret::parse(&byte.repeat(32)).unwrap();
        let mut keyring = Keyring::new(&secret(current)).unwrap();
        if let Some(previous) = previous {
            keyring = keyring.with_previous(&secret(previous));
        }
        let transport = Arc::new(Sealed::new(network.join(name), Arc::new(keyring)));
        let accepting = Arc::clone(&transport);
        let echo = tokio::spawn(async move {
            while let Some(inbound) = accepting.accept().await {
                inbound.reply.send(inbound.frame);
            }
        });
        Self {
            id: transport.local_peer(),
            transport,
            echo,
        }
    }
}

const ALL: [&str; 4] = ["+++"; 4];

#[tokio::test(start_paused = true)]
async fn a_change_in_three_rounds_parts_nobody_from_anybody() {
    let mut fleet = Fleet::with((OLD, None));
    assert_eq!(fleet.reach().await, ALL);
    for round in [(OLD, Some(NEW)), (NEW, Some(OLD)), (NEW, None)] {
        for node in 0..NAMES.len() {
            fleet.restart(node, round);
            assert_eq!(fleet.reach().await, ALL, "{round:?}, node {node}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_change_of_two_rounds_the_new_half_hears_all_and_the_old_half_misses_the_new() {
    let mut fleet = Fleet::with((OLD, None));
    for node in [2, 3] {
        fleet.restart(node, (NEW, Some(OLD)));
    }
    // The old half tells all, and is answered by its own half only. The new half tells itself.
    assert_eq!(fleet.reach().await, ["+tt", "+tt", "--+", "--+"]);
    for node in [0, 1] {
        fleet.restart(node, (NEW, Some(OLD)));
    }
    assert_eq!(fleet.reach().await, ALL);
    for node in 0..NAMES.len() {
        fleet.restart(node, (NEW, None));
        assert_eq!(fleet.reach().await, ALL, "node {node}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_holds_the_old_secret_alone_is_out_once_the_last_node_has_dropped_it() {
    let mut fleet = Fleet::with((NEW, Some(OLD)));
    fleet.restart(0, (OLD, None));
    assert_eq!(fleet.reach().await, ["ttt", "-++", "-++", "-++"]);
    for node in 1..NAMES.len() {
        fleet.restart(node, (NEW, None));
    }
    assert_eq!(fleet.reach().await, ["---", "-++", "-++", "-++"]);
}
