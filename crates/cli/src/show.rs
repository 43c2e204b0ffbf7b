//! `ghmesh stats` and `ghmesh peers`: what a running node tells, as a table.

mod fleet;

use cache_core::{Clock, MeshTime, SystemClock};
use comfy_table::{CellAlignment, Table, presets};

use crate::args::{ShowArgs, StatsArgs};
use crate::env::Env;
use crate::node_client::NodeClient;
use crate::out;
use crate::report::{NodeStats, Peer};

/// Prints a node's counters.
pub(crate) async fn stats(args: &StatsArgs) -> anyhow::Result<()> {
    let StatsArgs { show, fleet } = args;
    let node = NodeClient::resolve(show.node.as_deref(), &Env::Process)?;
    let path = if *fleet {
        "/-/stats?fleet=1"
    } else {
        "/-/stats"
    };
    let stats: NodeStats = node.get(path).await?;
    if show.json {
        return out::json(&stats);
    }
    if *fleet {
        return fleet::print(&stats);
    }
    out::line(lines(&stats_table(&stats)))?;
    if stats.rate_limits.is_empty() {
        return Ok(());
    }
    let limits = rate_limits_table(&stats, SystemClock.now());
    out::line(format_args!("\n{}", lines(&limits)))
}

/// Prints a node's peers.
pub(crate) async fn peers(args: &ShowArgs) -> anyhow::Result<()> {
    let node = NodeClient::resolve(args.node.as_deref(), &Env::Process)?;
    let peers: Vec<Peer> = node.get("/-/peers").await?;
    if args.json {
        return out::json(&peers);
    }
    let stats: NodeStats = node.get("/-/stats").await?;
    if peers.is_empty() {
        out::line(why_no_peers(&stats))?;
        return what_fails(&stats);
    }
    let mut table = table(
        ["peer", "latency", "age", "direction", "source", "address"],
        &[1, 2],
    );
    for peer in &peers {
        table.add_row([
            peer.peer_id.clone(),
            peer.latency_ms
                .map_or_else(|| "–".to_owned(), |ms| format!("{ms:.1} ms")),
            duration(peer.age_seconds),
            peer.direction.clone(),
            peer.source.clone().unwrap_or_default(),
            peer.addresses.join("\n"),
        ]);
    }
    out::line(lines(&table))?;
    what_fails(&stats)
}

/// Prints each way to find peers that has failed.
fn what_fails(stats: &NodeStats) -> anyhow::Result<()> {
    for one in &stats.bootstrap {
        if let Some(problem) = &one.problem {
            out::line(format_args!("  {}: {problem}", one.address))?;
        }
    }
    let discovery = &stats.discovery;
    if let Some(problem) = &discovery.mdns_problem {
        out::line(format_args!("  mdns: {problem}"))?;
    }
    for one in discovery.found.iter().filter(|one| one.failing > 0) {
        let (source, failing, peers) = (&one.source, one.failing, one.peers);
        out::line(format_args!(
            "  {source}: {failing} of {peers} cannot be reached"
        ))?;
    }
    Ok(())
}

/// A table as text, without the spaces at the ends of its lines.
pub(crate) fn lines(table: &Table) -> String {
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n")
}

/// A table without lines, some of its columns flush right.
pub(crate) fn table<const N: usize>(header: [&str; N], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 3));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn why_no_peers(stats: &NodeStats) -> &'static str {
    match (&stats.peer_id, stats.bootstrap_peers_configured) {
        (None, _) => {
            "No peers: sharing is off. Give the node a secret (`ghmesh secret new`) as \
             CACHE_P2P_SHARED_SECRET."
        }
        (Some(_), 0) => {
            "No peers yet: this node waits to be found. Give another node one of its addresses \
             (`ghmesh stats --json`, listen_addrs) as --bootstrap."
        }
        (Some(_), _) => {
            "No peers yet. Its log says why the bootstrap peers cannot be reached; a peer with \
             another secret never connects."
        }
    }
}

fn stats_table(stats: &NodeStats) -> Table {
    let mut table = table(["counter", "value", ""], &[1]);
    let counters = &stats.counters;
    let broadcast = &counters.broadcast;
    let received = &stats.received.opened;
    let unopened = stats.received.unopened;
    let what_did_not_open = unopened.in_words();
    for (name, value, meaning) in [
        (
            "requests",
            counters.requests.to_string(),
            "all lookups, and what is never cached",
        ),
        (
            "local hits",
            counters.hits.to_string(),
            "answered from what this node fetched",
        ),
        (
            "peer hits",
            counters.peer_hits.to_string(),
            "answered from what a peer fetched",
        ),
        ("misses", counters.misses.to_string(), "fetched from GitHub"),
        (
            "hit rate",
            percent(counters.hit_rate),
            "hits of hits and misses",
        ),
        (
            "revalidated",
            counters.revalidated.to_string(),
            "confirmed by GitHub with a free 304",
        ),
        (
            "stale served",
            counters.stale_served.to_string(),
            "answered although GitHub could not",
        ),
        (
            "coalesced",
            counters.coalesced.to_string(),
            "answered by a call already under way",
        ),
        (
            "bypassed",
            counters.bypassed.to_string(),
            "never cached, passed on",
        ),
        (
            "calls made",
            counters.api_calls_made.to_string(),
            "that count against a limit",
        ),
        ("calls saved", counters.api_calls_saved.to_string(), ""),
        ("entries", counters.entries.to_string(), ""),
        (
            "memory",
            bytesize::ByteSize::b(counters.bytes).to_string(),
            "that the entries occupy",
        ),
        (
            "disk",
            stats.disk.map_or_else(
                || "off".to_owned(),
                |disk| bytesize::ByteSize::b(disk.bytes).to_string(),
            ),
            match stats.disk {
                Some(disk) if disk.failing => "failing; the log says why",
                _ => "that the entries occupy, in memory or not",
            },
        ),
        (
            "expired",
            counters.expirations.to_string(),
            "dropped because their time was over",
        ),
        (
            "evicted",
            counters.evictions.to_string(),
            "dropped to make room",
        ),
        ("peers", stats.connected_peers.to_string(), "connected now"),
        (
            "pushed",
            format!("{} of {}", broadcast.acked, broadcast.sent),
            "confirmed by the peers",
        ),
        (
            "received",
            format!(
                "{} + {} + {}",
                received.accepted, received.ignored, received.rejected
            ),
            "accepted, already known, refused",
        ),
        (
            "not opened",
            unopened.total().to_string(),
            &what_did_not_open,
        ),
        ("uptime", duration(stats.uptime_seconds), ""),
    ] {
        table.add_row([name.to_owned(), value, meaning.to_owned()]);
    }
    table
}

fn rate_limits_table(stats: &NodeStats, now: MeshTime) -> Table {
    let header = ["principal", "resource", "remaining", "limit", "resets in"];
    let mut table = table(header, &[2, 3, 4]);
    for limit in &stats.rate_limits {
        table.add_row([
            limit.principal.clone(),
            limit.resource.clone(),
            limit.remaining.to_string(),
            limit.limit.to_string(),
            duration(limit.reset.saturating_sub(now.as_millis() / 1000)),
        ]);
    }
    table
}

/// A share, 0 to 1, for people.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}
