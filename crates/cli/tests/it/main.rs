//! What the binary says about itself. What it does is tested with whole nodes, in `tests/`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::{Command, Output};

fn ghmesh(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ghmesh"));
    command.args(args).env_clear().output().unwrap()
}

fn stdout(args: &[&str]) -> String {
    let output = ghmesh(args);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_help_teaches_the_first_steps() {
    let help = stdout(&["--help"]);
    for line in [
        "ghmesh demo",
        "ghmesh secret new",
        "ghmesh serve --bootstrap",
    ] {
        assert!(help.contains(line), "{line}: {help}");
    }
}

#[test]
fn the_help_of_serve_names_the_variable_and_the_default_of_each_setting() {
    let help = stdout(&["serve", "--help"]);
    let words: Vec<&str> = help.split_whitespace().collect();
    let help = words.join(" ");
    for told in [
        "[env: CACHE_BOOTSTRAP_PEERS]",
        "[env: CACHE_DEFAULT_TTL] [default: 300]",
        "[env: GHMESH_LISTEN] [default: 127.0.0.1:8417]",
        "CACHE_P2P_SHARED_SECRET",
    ] {
        assert!(help.contains(told), "{told}: {help}");
    }
}

#[test]
fn it_knows_its_version() {
    assert_eq!(
        stdout(&["--version"]),
        concat!("ghmesh ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn without_a_command_it_shows_its_help_and_fails() {
    let output = ghmesh(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("Usage: ghmesh")
    );
}
