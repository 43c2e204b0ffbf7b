//! The counters as Prometheus reads them.

use super::*;

fn stats() -> NodeStats {
    let stats = serde_json::json!({
        "requests": 3, "hits": 2, "peer_hits": 0, "misses": 1, "hit_rate": 0.667,
        "revalidated": 0, "stale_served": 0, "coalesced": 0, "bypassed": 0,
        "api_calls_made": 1, "api_calls_saved": 2, "expirations": 0, "evictions": 0,
        "entries": 1, "bytes": 700, "disk": null, "connected_peers": 1,
        "bootstrap_peers_configured": 0, "peer_id": null, "listen_addrs": [],
        "broadcast": {"sent": 1, "acked": 1, "failed": 0},
        "received": {"accepted": 0, "ignored": 0, "rejected": 0},
        "rate_limits": [{
            "principal": "p\"1", "resource": "core", "limit": 5000, "remaining": 4999,
            "used": 1, "reset": 9
        }],
        "uptime_seconds": 60, "version": "0.0.0"
    });
    serde_json::from_value(stats).unwrap()
}

#[test]
fn every_sample_is_named_as_ghmeshs_own_and_the_text_has_an_end() {
    let text = text(stats(), Some(Metrics::default())).unwrap();

    let samples = text.lines().filter(|line| !line.starts_with('#'));
    assert!(samples.clone().count() > 40);
    for sample in samples {
        assert!(sample.starts_with("ghmesh_"), "{sample}");
        let (_, value) = sample.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{sample}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn what_is_counted_is_told() {
    let text = text(stats(), None).unwrap();

    for sample in [
        r#"ghmesh_lookups_total{result="hit"} 2"#,
        r#"ghmesh_lookups_total{result="miss"} 1"#,
        "ghmesh_api_calls_saved_total 2",
        "ghmesh_memory_bytes 700",
        r#"ghmesh_rate_limit_remaining{principal="p\"1",resource="core"} 4999"#,
    ] {
        assert!(text.lines().any(|line| line == sample), "{text}");
    }
    assert!(!text.contains("ghmesh_peers"));
}

#[test]
fn latencies_add_up_from_bucket_to_bucket() {
    let mut network = Metrics::default();
    network.latency.buckets = vec![
        (Duration::from_millis(1), 2),
        (Duration::from_millis(5), 3),
        (Duration::MAX, 1),
    ];
    network.latency.sum = Duration::from_millis(20);

    let text = text(stats(), Some(network)).unwrap();

    for sample in [
        r#"ghmesh_peer_request_duration_seconds_bucket{le="0.001"} 2"#,
        r#"ghmesh_peer_request_duration_seconds_bucket{le="0.005"} 5"#,
        r#"ghmesh_peer_request_duration_seconds_bucket{le="+Inf"} 6"#,
        "ghmesh_peer_request_duration_seconds_count 6",
        "ghmesh_peer_request_duration_seconds_sum 0.02",
    ] {
        assert!(text.lines().any(|line| line == sample), "{text}");
    }
}
