//! Neither token nor secret nor body is seen where a person looks: in the log at its most talkative,
//! on disk, and in what the node says of itself.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use e2e::client::Ask;
use e2e::process::{Node, SECRET};
use gh_client::testing::{Canned, Token};
use http::StatusCode;

use crate::{TOKEN, github};

const PREVIOUS: &str = "ghmesh_ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";
const FOREIGN: &str = "ghmesh_1f2e3d4c5b6a79880716253443526170f1e2d3c4b5a697887060504030201000";

/// The token that a node adds to requests without one.
const INJECTED: &str = "gho_zyxwvutsrqponmlkjihgfedcba9876543210";

const ISSUE: &str = "/repos/octo-org/octo-repo-001/issues/1";
const BODY: &str = "seen by nobody who may not read the issue";
const COMMENT: &str = "said to nobody but the issue's readers";

/// A node that logs all that there is to log.
struct Loud {
    node: Node,
    log: tempfile::NamedTempFile,
}

impl Loud {
    async fn start(upstream: &str, flags: &[&str], env: &[(&str, &str)]) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let stderr = Stdio::from(File::create(log.path()).unwrap());
        let flags = [&["-vv", "--p2p-listen", "/ip4/127.0.0.1/tcp/0"], flags].concat();
        let dir = tempfile::tempdir().unwrap();
        let node = Node::start_logging(dir, upstream, &flags, env, stderr).await;
        Self { node, log }
    }

    /// Ends it; gives everything that it has logged and kept.
    async fn end(self) -> Vec<u8> {
        let dir = self.node.end_by("TERM").await;
        let mut seen = fs::read(self.log.path()).unwrap();
        // Where nothing is logged, nothing is shown.
        assert!(contains(&seen, "TRACE") && contains(&seen, "DEBUG"));
        let logged = seen.len();
        read_all(dir.path(), &mut seen);
        assert!(seen.len() > logged, "nothing was kept");
        seen
    }
}

/// Reads all files in a directory and below it.
fn read_all(dir: &Path, into: &mut Vec<u8>) {
    for file in fs::read_dir(dir).unwrap() {
        let file = file.unwrap();
        let kind = file.file_type().unwrap();
        if kind.is_dir() {
            read_all(&file.path(), into);
        } else if kind.is_file() {
            into.extend(fs::read(file.path()).unwrap());
        }
    }
}

#[tokio::test]
async fn a_node_that_logs_everything_shows_neither_tokens_nor_secrets_nor_bodies() {
    let github = github().await;
    github.add_token(Token::new(INJECTED).login("hubot"));
    let issue = serde_json::json!({ "number": 1, "title": "?", "body": BODY });
    github.serve(ISSUE, Canned::new(200).json(&issue));

    let first = Loud::start(
        github.url(),
        &["--inject-token"],
        &[
            ("CACHE_P2P_SHARED_SECRET", SECRET),
            ("CACHE_P2P_PREVIOUS_SECRET", PREVIOUS),
            ("GH_TOKEN", INJECTED),
        ],
    )
    .await;
    let address = first.node.field("p2p").to_owned();
    let files = tempfile::tempdir().unwrap();
    let secret = private_file(files.path(), "secret", SECRET);
    let second = Loud::start(
        github.url(),
        &["--bootstrap", &address, "--secret-file", &secret],
        &[],
    )
    .await;
    let foreign = [("CACHE_P2P_SHARED_SECRET", FOREIGN)];
    let stranger = Loud::start(github.url(), &["--bootstrap", &address], &foreign).await;
    second.node.until("connected_peers", 1).await;

    let answer = first.node.send(Ask::get(ISSUE).token(TOKEN)).await;
    assert!(contains(&answer.body, BODY));
    // Whose token is added, and who comes with a name and a token.
    let basic = "Basic b2N0b2NhdDpnaHBfMDEyMzQ1Njc4OWFiY2RlZmdoaWpBQkNERUZHSElKMDEyMzQ1";
    for ask in [
        Ask::get("/user"),
        Ask::get("/user").header("authorization", basic),
    ] {
        first.node.send(ask).await;
    }
    let comments = format!("{ISSUE}/comments");
    let said = first.node.send(Ask::post(&comments, COMMENT).token(TOKEN));
    assert_ne!(said.await.status, StatusCode::FORBIDDEN);
    // What the first has pushed, the second can open, and the other way round.
    first.node.until("disk.entries", 3).await;
    let answer = second.node.send(Ask::get(ISSUE).token(TOKEN)).await;
    assert!(contains(&answer.body, BODY));

    let stats = first.node.stats().await.to_string();
    let mut seen = stats.into_bytes();
    for node in [first, second, stranger] {
        seen.extend(node.end().await);
    }
    for secret in [
        SECRET,
        PREVIOUS,
        FOREIGN,
        TOKEN,
        INJECTED,
        BODY,
        COMMENT,
        &basic[6..],
    ] {
        // A part of it is too much, and so are its bytes as numbers.
        let part = &secret[secret.len() / 2..];
        let numbers = format!("{:?}", &part.as_bytes()[..8]);
        for shown in [part, numbers.trim_matches(['[', ']'])] {
            assert!(!contains(&seen, shown), "{shown:?} is shown");
        }
    }
}

/// A file that nobody but its owner may read.
fn private_file(dir: &Path, name: &str, content: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}
