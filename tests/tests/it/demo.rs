//! `ghmesh demo` keeps its promise.

use std::time::Duration;

use e2e::process::ghmesh;
use serde_json::Value;
use tokio::time;

#[tokio::test]
async fn five_runners_make_a_hundred_calls_where_six_hundred_were_asked_for() {
    let demo = ghmesh(&["demo", "--json"]).output();
    let demo = time::timeout(Duration::from_secs(120), demo).await;
    let output = demo.expect("it ends").unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{report:#}");
    for (number, value) in [
        ("requests", 600),
        ("local_hits", 100),
        ("peer_hits", 400),
        ("misses", 100),
        ("upstream_calls", 100),
        ("calls_saved", 500),
    ] {
        assert_eq!(report[number], value, "{number}");
    }
    assert_eq!(report["runners"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn any_number_of_runners_makes_as_many_calls_as_there_are_questions() {
    let demo = ghmesh(&["demo", "--runners", "2"]).output();
    let demo = time::timeout(Duration::from_secs(120), demo).await;
    let output = demo.expect("it ends").unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{table}");
    assert!(
        table.contains("100 calls to GitHub where 300 were asked for"),
        "{table}"
    );
}
