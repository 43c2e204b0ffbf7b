//! `ghmesh demo` keeps its promise.

use std::path::Path;
use std::time::Duration;

use e2e::eventually;
use e2e::process::ghmesh;
use serde_json::Value;
use tokio::process::Command;
use tokio::time;

use crate::MACHINE;

#[tokio::test]
async fn five_runners_make_a_hundred_calls_where_six_hundred_were_asked_for() {
    let _alone = MACHINE.lock().await;
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
    assert_eq!(report["same_instant"]["requests"], 500);
    assert_eq!(report["same_instant"]["upstream_calls"], 100);
    assert_eq!(report["late_joiner"]["peer_hits"], 100);
    assert_eq!(report["late_joiner"]["upstream_calls"], 0);
    assert_eq!(report["upstream_off"]["requests"], 1200);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_interrupted_demo_takes_its_runners_down_with_it() {
    let _alone = MACHINE.lock().await;
    let mut demo = ghmesh(&["demo"]).spawn().unwrap();
    let id = demo.id().unwrap();
    let mut runners = Vec::new();
    eventually("the runners have started", async || {
        runners = children(id);
        runners.len() == 5
    })
    .await;
    let sent = Command::new("kill")
        .args(["-s", "TERM", &id.to_string()])
        .status()
        .await;
    assert!(sent.unwrap().success());
    assert_eq!(demo.wait().await.unwrap().code(), Some(1));
    for runner in runners {
        let process = format!("/proc/{runner}");
        eventually("the runners have ended", async || {
            !Path::new(&process).exists()
        })
        .await;
    }
}

/// The processes that a process has started.
#[cfg(target_os = "linux")]
fn children(id: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task"))
        .into_iter()
        .flatten();
    let lists = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("children")));
    let ids: Vec<String> = lists.map(Result::unwrap_or_default).collect();
    ids.iter()
        .flat_map(|list| list.split_whitespace())
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn any_number_of_runners_makes_as_many_calls_as_there_are_questions() {
    let _alone = MACHINE.lock().await;
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
