//! Manifests with something missing.

use super::check;
use crate::tidy::checkout::{File, Member};

const WHOLE: &str = r#"
[package]
name = "a"
description = "Something"
license.workspace = true
repository.workspace = true
rust-version.workspace = true

[lints]
workspace = true
"#;

fn found(manifest: &str) -> Vec<String> {
    let member = Member {
        name: "a".to_owned(),
        manifest: File {
            path: "crates/a/Cargo.toml".to_owned(),
            text: manifest.to_owned(),
        },
        dependencies: Vec::new(),
    };
    check(&[member])
        .into_iter()
        .map(|found| found.what)
        .collect()
}

#[test]
fn a_whole_manifest_passes() {
    assert!(found(WHOLE).is_empty());
}

#[test]
fn each_missing_field_is_named() {
    for field in ["description", "license", "repository", "rust-version"] {
        let without: String = WHOLE
            .lines()
            .filter(|line| !line.starts_with(field))
            .map(|line| format!("{line}\n"))
            .collect();
        let [what] = &found(&without)[..] else {
            panic!("one field is missing: {field}")
        };
        assert!(what.contains(field), "{what}");
    }
}

#[test]
fn a_field_that_is_not_inherited_fails() {
    let own = WHOLE.replace("license.workspace = true", "license = \"MIT\"");
    assert_eq!(found(&own).len(), 1);
}

#[test]
fn a_crate_that_is_not_published_needs_only_the_lints() {
    assert_eq!(
        found("[package]\npublish = false\n[lints]\nworkspace = true").len(),
        0
    );
    assert_eq!(found("[package]\npublish = false").len(), 1);
}
