//! What is taken for a secret, and what is shown all the same.

use super::*;

const TOKEN: &str = "ghp_q9Xk2LmZ7tRw4VbN8sYd1PfG6hJc3A5eUo0i";
const FLEET: &str = "ghmesh_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

#[test]
fn what_may_be_a_secret_is_not_shown() {
    for text in [
        TOKEN,
        FLEET,
        &FLEET["ghmesh_".len()..],
        &format!("--{TOKEN}"),
        &format!("token={TOKEN}"),
        &format!("/ip4/10.0.0.1/tcp/9100,{TOKEN}"),
        &format!("https://github.example/api?{TOKEN}"),
        "k2LmZ7tRw4VbN8sYd1PfG6hJc3A5eUo0iq9Xk2LmZ7tRw4=",
        "http://octocat:hunter2@127.0.0.1:8417",
        "octocat:hunter2@127.0.0.1",
        "correct horse battery staple",
        "correct horse: battery staple",
        "correct-horse-battery-staple",
    ] {
        assert!(looks_secret(text), "{text}");
    }
}

#[test]
fn what_is_merely_mistyped_is_shown() {
    for text in [
        "x",
        "soon",
        "10.0.0.1:9100",
        "10.0.0.1:9100, 10.0.0.2:9100",
        "runner-1.fleet.example.com",
        "/dns4/runner-1/tcp/9100/p2p/12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo",
        "http://127.0.0.1",
        "info,libp2p=error",
        "/home/octocat/.config/ghmesh_secret",
        "--previous-secret-files",
    ] {
        assert!(!looks_secret(text), "{text}");
    }
}

#[test]
fn each_secret_of_a_message_is_replaced_and_nothing_else_of_it() {
    let said = format!("{TOKEN}: no \"{FLEET}\" at ftp://a:{TOKEN}@b.example/c, nor --{TOKEN}.");
    assert_eq!(
        without_secrets(&said),
        format!(
            "{NOT_SHOWN}: no \"{NOT_SHOWN}\" at ftp://{NOT_SHOWN}@b.example/c, nor {NOT_SHOWN}"
        )
    );
    let plain = "cannot listen on /ip4/0.0.0.0/tcp/9100: in use — give another";
    assert_eq!(without_secrets(plain), plain);
}
