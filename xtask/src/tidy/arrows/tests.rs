//! Arrows between fabricated crates.

use super::check;
use crate::tidy::checkout::{File, Member};

fn member(name: &str, dependencies: &[&str]) -> Member {
    let lines: String = dependencies
        .iter()
        .map(|name| format!("{name}.workspace = true\n"))
        .collect();
    Member {
        name: name.to_owned(),
        manifest: File {
            path: format!("crates/{name}/Cargo.toml"),
            text: format!("[package]\nname = \"{name}\"\n[dependencies]\n{lines}"),
        },
        dependencies: dependencies.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn arrows_towards_the_core_and_to_other_peoples_crates_pass() {
    let members = [
        member("cache-core", &["serde", "cache-core"]),
        member("cache-net", &["cache-core", "libp2p"]),
        member("ghmesh", &["cache-net", "cache-core"]),
        member("e2e", &["ghmesh", "cache-net"]),
        member("xtask", &["anyhow"]),
    ];
    assert_eq!(check(&members), []);
}

#[test]
fn an_arrow_between_the_three_in_the_middle_fails_at_its_line() {
    let members = [
        member("cache-core", &[]),
        member("cache-crypto", &["cache-core"]),
        member("cache-net", &["cache-core", "cache-crypto"]),
    ];
    let [finding] = &check(&members)[..] else {
        panic!("one arrow is wrong")
    };
    assert_eq!(finding.path, "crates/cache-net/Cargo.toml");
    assert_eq!(finding.line, 5);
    assert!(finding.what.contains("must not know cache-crypto"));
}

#[test]
fn the_core_knows_no_other_crate() {
    let members = [
        member("cache-core", &["cache-crypto"]),
        member("cache-crypto", &[]),
    ];
    assert_eq!(check(&members).len(), 1);
}

#[test]
fn nobody_depends_on_the_command_line_but_the_end_to_end_tests() {
    let members = [
        member("ghmesh", &[]),
        member("e2e", &["ghmesh"]),
        member("gh-client", &["ghmesh"]),
    ];
    let [finding] = &check(&members)[..] else {
        panic!("one arrow is wrong")
    };
    assert_eq!(finding.path, "crates/gh-client/Cargo.toml");
}

#[test]
fn a_crate_that_nobody_has_placed_fails() {
    assert_eq!(check(&[member("cache-extra", &[])]).len(), 1);
}
