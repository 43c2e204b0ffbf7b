//! The JSON of `/-/stats`, and what the transport counts, as Prometheus reads it: the text of
//! [OpenMetrics](https://prometheus.io/docs/specs/om/open_metrics_spec/), names prefixed `ghmesh_`.

use std::fmt;
use std::time::Duration;

use cache_net::Metrics;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::report::NodeStats;

#[cfg(test)]
mod tests;

/// What the text is, for its `Content-Type`.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The text. There is nothing of a transport where sharing is off.
pub(crate) fn text(stats: NodeStats, network: Option<Metrics>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("ghmesh");
    registry.register_collector(Box::new(Lookups(stats)));
    if let Some(network) = network {
        registry.register_collector(Box::new(Network(network)));
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Lookups(NodeStats);

#[derive(Debug)]
struct Network(Metrics);

impl Collector for Lookups {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stats = &self.0;
        let to = &mut encoder;
        counters(
            to,
            "lookups",
            "Lookups, by what came of them",
            "result",
            &[
                ("hit", stats.counters.hits),
                ("peer_hit", stats.counters.peer_hits),
                ("miss", stats.counters.misses),
                ("revalidated", stats.counters.revalidated),
                ("stale", stats.counters.stale_served),
                ("coalesced", stats.counters.coalesced),
                ("bypassed", stats.counters.bypassed),
            ],
        )?;
        counter(
            to,
            "api_calls",
            "Calls to GitHub that count against a limit",
            stats.counters.api_calls_made,
        )?;
        counter(
            to,
            "api_calls_saved",
            "Calls to GitHub that were not needed",
            stats.counters.api_calls_saved,
        )?;
        counters(
            to,
            "entries_dropped",
            "Entries that were dropped, by why",
            "why",
            &[
                ("expired", stats.counters.expirations),
                ("evicted", stats.counters.evictions),
            ],
        )?;
        counters(
            to,
            "pushed",
            "Pushes to peers, by what came of them",
            "result",
            &[
                ("acked", stats.counters.broadcast.acked),
                ("failed", stats.counters.broadcast.failed),
            ],
        )?;
        counters(
            to,
            "received",
            "Entries from peers, by what became of them",
            "result",
            &[
                ("accepted", stats.received.opened.accepted),
                ("ignored", stats.received.opened.ignored),
                ("rejected", stats.received.opened.rejected),
            ],
        )?;
        let unopened = &stats.received.unopened;
        counters(
            to,
            "unopened",
            "Frames from peers that did not open, by why",
            "why",
            &[
                ("malformed", unopened.malformed),
                ("other_version", unopened.other_version),
                ("other_secret", unopened.other_secret),
                ("forged", unopened.forged),
            ],
        )?;
        gauge(
            to,
            "entries",
            "Entries that are held",
            None,
            stats.counters.entries,
        )?;
        let bytes = Some(&Unit::Bytes);
        let help = "Memory that the entries occupy";
        gauge(to, "memory", help, bytes, stats.counters.bytes)?;
        if let Some(disk) = &stats.disk {
            let help = "Disk that the entries occupy, in memory or not";
            gauge(to, "disk", help, bytes, disk.bytes)?;
            let help = "Whether the last write to the disk failed";
            gauge(to, "disk_failing", help, None, u64::from(disk.failing))?;
        }
        let help = "How long the node has run";
        gauge(
            to,
            "uptime",
            help,
            Some(&Unit::Seconds),
            stats.uptime_seconds,
        )?;
        rate_limits(to, stats)
    }
}

/// What is left of each limit of GitHub's.
fn rate_limits(to: &mut DescriptorEncoder<'_>, stats: &NodeStats) -> fmt::Result {
    let help = "Calls that GitHub still allows in this window";
    let mut family = to.encode_descriptor("rate_limit_remaining", help, None, MetricType::Gauge)?;
    for limit in &stats.rate_limits {
        let labels = [
            ("principal", limit.principal.as_str()),
            ("resource", limit.resource.as_str()),
        ];
        let one = family.encode_family(&labels)?;
        ConstGauge::new(limit.remaining).encode(one)?;
    }
    Ok(())
}

impl Collector for Network {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Metrics {
            peers,
            apart,
            dials,
            connections,
            requests,
            latency,
            deliveries,
            gossip,
            refused,
            bytes,
            ..
        } = &self.0;
        let to = &mut encoder;
        gauge(to, "peers", "Peers that are connected", None, *peers)?;
        gauge(
            to,
            "members_apart",
            "Members that are known and not connected",
            None,
            *apart,
        )?;
        counters(
            to,
            "dials",
            "Connections that were tried, by what came of them",
            "result",
            &[
                ("connected", dials.succeeded),
                ("other_secret", dials.other_secret),
                ("failed", dials.failed),
                ("refused", dials.refused),
            ],
        )?;
        counter(
            to,
            "connections_inbound",
            "Connections that others have made",
            connections.inbound,
        )?;
        counter(
            to,
            "connections_closed",
            "Connections that have ended",
            connections.closed,
        )?;
        counters(
            to,
            "peer_requests",
            "Requests to peers, by what came of them",
            "result",
            &[
                ("answered", requests.answered),
                ("unreachable", requests.unreachable),
                ("timed_out", requests.timed_out),
                ("busy", requests.busy),
                ("declined", requests.declined),
                ("not_sent", requests.not_sent),
            ],
        )?;
        latencies(to, latency)?;
        counters(
            to,
            "deliveries",
            "Broadcasts to one peer directly, by what came of them",
            "result",
            &[("acked", deliveries.acked), ("failed", deliveries.failed)],
        )?;
        counters(
            to,
            "gossip",
            "Frames that are published, by what was done with them",
            "event",
            &[
                ("published", gossip.published),
                ("not_published", gossip.not_published),
                ("received", gossip.received),
                ("passed_on", gossip.passed_on),
            ],
        )?;
        counters(
            to,
            "refused",
            "What was refused so that others are served, by why",
            "why",
            &[
                ("too_many", refused.too_many),
                ("no_room", refused.no_room),
                ("connections", refused.connections),
                ("shunned", refused.shunned),
            ],
        )?;
        counters(
            to,
            "frame_bytes",
            "Bytes of frames and answers",
            "direction",
            &[("sent", bytes.sent), ("received", bytes.received)],
        )
    }
}

/// Exemplars have labels; there are none.
type NoLabels = [(&'static str, &'static str); 0];

/// How long answered requests took.
fn latencies(to: &mut DescriptorEncoder<'_>, latency: &cache_net::Latency) -> fmt::Result {
    let bucket = |(bound, count): &(Duration, u64)| {
        let bound = match *bound {
            Duration::MAX => f64::INFINITY,
            bound => bound.as_secs_f64(),
        };
        (bound, *count)
    };
    let buckets: Vec<_> = latency.buckets.iter().map(bucket).collect();
    let count = buckets.iter().map(|(_, count)| count).sum();
    let name = "peer_request_duration";
    let help = "How long requests took that were answered";
    let unit = Some(&Unit::Seconds);
    let mut metric = to.encode_descriptor(name, help, unit, MetricType::Histogram)?;
    let sum = latency.sum.as_secs_f64();
    metric.encode_histogram::<NoLabels>(sum, count, &buckets, None)
}

fn counter(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = to.encode_descriptor(name, help, None, MetricType::Counter)?;
    ConstCounter::new(value).encode(metric)
}

fn counters(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    values: &[(&str, u64)],
) -> fmt::Result {
    let mut family: MetricEncoder<'_> =
        to.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (value, count) in values {
        let labels = [(label, *value)];
        ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn gauge(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: u64,
) -> fmt::Result {
    let metric = to.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    ConstGauge::new(value).encode(metric)
}
