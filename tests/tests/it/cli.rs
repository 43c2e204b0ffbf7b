//! What the command line says to those who use it wrongly, and to those who start in bad weather.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use e2e::client::Ask;
use e2e::process::{Node, SECRET, ghmesh, output};
use http::StatusCode;

use crate::{TOKEN, github};

/// What `ghmesh` says about arguments that it refuses with exit code 2.
async fn refused(args: &[&str]) -> String {
    let output = output(args).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty());
    said
}

/// The same, of a refusal that is one line.
async fn refused_in_a_line(args: &[&str]) -> String {
    let said = refused(args).await;
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[tokio::test]
async fn a_wrong_flag_is_refused_with_a_hint() {
    assert!(
        refused(&["serve", "--lisen", "x"])
            .await
            .contains("--listen")
    );
    assert!(
        refused(&["serve", "--default-ttl", "soon"])
            .await
            .contains("--default-ttl")
    );
    assert!(
        refused(&["serve", "--bootstrap", "10.0.0.1:9100"])
            .await
            .contains("--bootstrap")
    );
    assert!(refused(&["frobnicate"]).await.contains("ghmesh"));
}

#[tokio::test]
async fn a_port_in_use_is_named_with_the_remedy() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let said = refused_in_a_line(&["serve", "--p2p", "false", "--listen", &address]).await;
    assert!(said.contains(&address) && said.contains("in use"), "{said}");
}

#[tokio::test]
async fn an_upstream_that_is_no_url_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "serve",
        "--p2p",
        "false",
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        "github.com",
    ];
    let data_dir = ["--data-dir", dir.path().to_str().unwrap()];
    let said = refused(&[&args[..], &data_dir].concat()).await;
    let last = said.lines().last().unwrap();
    assert!(
        last.contains("--upstream") && last.contains("https://api.github.com"),
        "{said}"
    );
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_named_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let data_dir = file.join("below");
    let data_dir = data_dir.to_str().unwrap();
    let args = [
        "serve",
        "--p2p",
        "false",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        data_dir,
    ];
    let said = refused_in_a_line(&args).await;
    assert!(
        said.contains(data_dir) && said.contains("--listen-unix"),
        "{said}"
    );
}

#[tokio::test]
async fn sharing_without_a_secret_is_refused_and_by_default_left_off() {
    let home = tempfile::tempdir().unwrap();
    let ask = |args: &[&str]| {
        let mut command = ghmesh(args);
        command.env("HOME", home.path());
        command
    };
    let demanded = ask(&["serve", "--p2p", "true"]).output().await.unwrap();
    let said = String::from_utf8(demanded.stderr).unwrap();
    assert_eq!(demanded.status.code(), Some(2));
    assert!(said.contains("ghmesh secret new"), "{said}");

    let github = github().await;
    let node = Node::start(github.url(), &[]).await;
    assert_eq!(node.field("p2p"), "off");
    assert!(!node.ready.contains("peer="));
    assert_eq!(
        node.send(Ask::get("/user").token(TOKEN)).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_secret_that_others_may_read_is_refused_with_the_command_to_run() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, SECRET).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let path = file.to_str().unwrap();
    let said = refused_in_a_line(&["serve", "--secret-file", path]).await;
    assert!(said.contains("chmod 600") && said.contains(path), "{said}");
    assert!(!said.contains(SECRET));
}

/// What somebody may give in the wrong place, each with a part that tells it.
const MISPLACED: [(&str, &str); 4] = [
    ("ghp_q9Xk2LmZ7tRw4VbN8sYd1PfG6hJc3A5eUo0i", "LmZ7tRw"),
    (SECRET, "4e5f6071"),
    ("correct horse battery staple", "battery"),
    ("http://octocat:hunter2@127.0.0.1", "hunter2"),
];

#[tokio::test]
async fn a_secret_in_the_wrong_place_is_refused_and_not_repeated() {
    for (secret, part) in MISPLACED {
        assert!(secret.contains(part));
        let equals = format!("--inject-token={secret}");
        for args in [
            &[secret][..],
            &["secret", secret],
            &["serve", secret],
            &["serve", &equals],
            &["serve", "--inject-token", secret],
            &["serve", "--default-ttl", secret],
            &["serve", "--log-format", secret],
            &["serve", "--bootstrap", secret],
            &["serve", "--config", secret],
            &["serve", "--token-file", secret],
            &["serve", "--secret-file", secret],
            &["serve", "--p2p", "false", "--upstream", secret],
            &["demo", "--runners", secret],
            &["stats", "--node", secret],
            &["peers", "--node", secret],
        ] {
            let said = refused(args).await;
            assert!(!said.contains(part), "{said}");
        }
        for (variable, command) in [
            ("GHMESH_INJECT_TOKEN", "serve"),
            ("CACHE_BOOTSTRAP_PEERS", "serve"),
            ("GHMESH_NODE", "stats"),
        ] {
            let mut command = ghmesh(&[command]);
            let output = command.env(variable, secret).output().await.unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains(variable) && !said.contains(part), "{said}");
        }
    }
    let said = refused(&["serve", &format!("--{}", MISPLACED[0].0)]).await;
    assert!(!said.contains(MISPLACED[0].1), "{said}");
}

#[tokio::test]
async fn a_jobs_own_token_from_gh_is_warned_of() {
    let bin = tempfile::tempdir().unwrap();
    let gh = bin.path().join("gh");
    let token = format!("ghs_{}", "x".repeat(36));
    std::fs::write(&gh, format!("#!/bin/sh\necho {token}\n")).unwrap();
    std::fs::set_permissions(&gh, std::fs::Permissions::from_mode(0o700)).unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let github = github().await;
    let env = [
        ("PATH", bin.path().to_str().unwrap()),
        ("GITHUB_ACTIONS", "true"),
    ];
    let flags = ["--p2p-listen", "/ip4/127.0.0.1/tcp/0"];
    let dir = tempfile::tempdir().unwrap();
    let stderr = log.reopen().unwrap().into();
    let node = Node::start_logging(dir, github.url(), &flags, &env, stderr).await;
    assert_ne!(node.field("p2p"), "off");
    let said = std::fs::read_to_string(log.path()).unwrap();
    assert!(said.contains("this fleet will have one member"), "{said}");
    assert!(!said.contains(&token), "{said}");
}

#[tokio::test]
async fn a_busy_port_for_peers_gives_way_to_the_next() {
    let github = github().await;
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    let listen = format!("/ip4/127.0.0.1/tcp/{port}");
    let env = [("CACHE_P2P_SHARED_SECRET", SECRET)];
    let node = Node::start_with(github.url(), &["--p2p-listen", &listen], &env).await;
    assert!(
        !node.field("p2p").starts_with(&format!("{listen}/")),
        "{}",
        node.ready
    );
}

#[tokio::test]
async fn the_socket_is_for_its_owner_alone_and_taken_over_from_a_dead_node() {
    let github = github().await;
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("gh.sock");
    let flags = ["--p2p", "false", "--listen-unix", socket.to_str().unwrap()];
    let node = Node::start(github.url(), &flags).await;
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let taken = ["serve", "--listen", "127.0.0.1:0"];
    let said = refused_in_a_line(&[&taken[..], &flags].concat()).await;
    assert!(said.contains("another node"), "{said}");

    node.signal("KILL").await;
    node.end().await;
    assert!(socket.exists());
    let node = Node::start(github.url(), &flags).await;
    let answer = Ask::get("/user")
        .token(TOKEN)
        .send_unix(&node.socket())
        .await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_file_where_the_socket_should_be_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("precious.txt");
    std::fs::write(&file, "precious").unwrap();
    let args = [
        "serve",
        "--p2p",
        "false",
        "--listen",
        "127.0.0.1:0",
        "--listen-unix",
    ];
    let said = refused_in_a_line(&[&args[..], &[file.to_str().unwrap()]].concat()).await;
    assert!(said.contains("no socket"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
}

#[tokio::test]
async fn stats_and_peers_show_a_running_node_and_say_how_to_start_one() {
    let github = github().await;
    let node = Node::start(github.url(), &["--p2p", "false"]).await;
    node.send(Ask::get("/user").token(TOKEN)).await;
    let table = output(&["stats", "--node", node.http()]).await;
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(
        table.contains("misses") && table.contains("core"),
        "{table}"
    );
    let json = output(&["stats", "--json", "--node", node.http()]).await;
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["misses"], 1);
    let peers = output(&["peers", "--node", node.http()]).await;
    let peers = String::from_utf8(peers.stdout).unwrap();
    assert!(peers.contains("sharing is off"), "{peers}");

    let said = refused_in_a_line(&["stats", "--node", "ftp://x"]).await;
    assert!(
        said.contains("--node") && said.contains("http://127.0.0.1:8417"),
        "{said}"
    );
    let nobody = output(&["stats", "--node", "127.0.0.1:1"]).await;
    let said = String::from_utf8(nobody.stderr).unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    assert!(said.contains("ghmesh serve"), "{said}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_output_that_cannot_be_written_is_said_in_a_line() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let secret = ghmesh(&["secret", "new"]).stdout(full).spawn().unwrap();
    let output = secret.wait_with_output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[tokio::test]
async fn a_fresh_secret_is_a_secret() {
    let [a, b] = [
        output(&["secret", "new"]).await,
        output(&["secret", "new"]).await,
    ];
    assert_ne!(a.stdout, b.stdout);
    let text = String::from_utf8(a.stdout).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert!(cache_crypto::Secret::parse(&text).is_ok());
}
