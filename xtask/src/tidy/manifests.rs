//! Manifests that are ready for publishing, and under the workspace's lints.

use toml::{Table, Value};

use super::Finding;
use super::checkout::{File, Member};

#[cfg(test)]
mod tests;

/// What a publishable crate takes from the workspace, so that it is said once.
const INHERITED: &[&str] = &["license", "repository", "rust-version"];

pub(super) fn check(members: &[Member]) -> Vec<Finding> {
    members
        .iter()
        .flat_map(|member| of_manifest(&member.manifest))
        .collect()
}

fn of_manifest(file: &File) -> Vec<Finding> {
    let manifest: Table = match file.text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![Finding::wrong(&file.path, 1, error.to_string())],
    };
    let package = manifest.get("package").and_then(Value::as_table);
    let at_package = file.line_starting("[package]");
    let mut findings = Vec::new();

    if !manifest.get("lints").is_some_and(is_inherited) {
        findings.push(Finding::wrong(
            &file.path,
            1,
            "the workspace's lints do not apply here; add `[lints] workspace = true`",
        ));
    }
    let Some(package) = package.filter(|package| is_publishable(package)) else {
        return findings;
    };
    if !package.get("description").is_some_and(Value::is_str) {
        findings.push(Finding::wrong(
            &file.path,
            at_package,
            "a crate that is published needs a `description`",
        ));
    }
    for field in INHERITED {
        if !package.get(*field).is_some_and(is_inherited) {
            findings.push(Finding::wrong(
                &file.path,
                at_package,
                format!("add `{field}.workspace = true`; the workspace says it once for all"),
            ));
        }
    }
    findings
}

fn is_publishable(package: &Table) -> bool {
    match package.get("publish") {
        Some(Value::Boolean(publish)) => *publish,
        Some(Value::Array(registries)) => !registries.is_empty(),
        _ => true,
    }
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}
