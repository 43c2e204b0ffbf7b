//! Which crate may know which.

use super::Finding;
use super::checkout::Member;

#[cfg(test)]
mod tests;

/// Each crate, and those that it may depend on, in whatever way: a test that knows more than its
/// crate is an arrow as well. A crate may name itself, to switch a feature on for its own tests.
const ARROWS: &[(&str, &[&str])] = &[
    ("cache-core", &[]),
    ("cache-crypto", &["cache-core"]),
    ("cache-net", &["cache-core"]),
    ("gh-client", &["cache-core"]),
    (
        "ghmesh",
        &["cache-core", "cache-crypto", "cache-net", "gh-client"],
    ),
    (
        "e2e",
        &[
            "cache-core",
            "cache-crypto",
            "cache-net",
            "gh-client",
            "ghmesh",
        ],
    ),
    ("sim", &["cache-core"]),
    ("xtask", &[]),
];

pub(super) fn check(members: &[Member]) -> Vec<Finding> {
    members.iter().flat_map(|from| of(from, members)).collect()
}

fn of(from: &Member, members: &[Member]) -> Vec<Finding> {
    let manifest = &from.manifest;
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == from.name) else {
        return vec![Finding::wrong(
            &manifest.path,
            manifest.line_starting("name"),
            format!(
                "nothing says what {} may depend on; give it a line in xtask/src/tidy/arrows.rs",
                from.name
            ),
        )];
    };
    from.dependencies
        .iter()
        .filter(|to| members.iter().any(|member| member.name == **to))
        .filter(|to| **to != from.name && !allowed.contains(&to.as_str()))
        .map(|to| {
            Finding::wrong(
                &manifest.path,
                manifest.line_starting(to),
                format!(
                    "{} must not know {to}; put the two together in crates/cli, or the seam \
                     between them in cache-core",
                    from.name
                ),
            )
        })
        .collect()
}
