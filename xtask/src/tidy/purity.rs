//! cache-core without sockets, HTTP, TLS or GitHub, however far down.

use super::Finding;

#[cfg(test)]
mod tests;

/// What cache-core must not reach. Each name stands for the packages that begin with it and a
/// hyphen, too.
const FORBIDDEN: &[&str] = &[
    "h2",
    "http",
    "hyper",
    "libp2p",
    "native-tls",
    "octocrab",
    "openssl",
    "quinn",
    "reqwest",
    "ring",
    "rustls",
    "aws-lc",
];

/// Checks the lines of `cargo tree --prefix depth`, such as `2http v1.3.1`.
pub(super) fn check(tree: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    for line in tree.lines() {
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let (depth, package) = line.split_at(digits);
        let (Ok(depth), Some(name)) = (depth.parse(), package.split(' ').next()) else {
            continue;
        };
        path.truncate(depth);
        // What a forbidden package brings along goes when it goes.
        let goes = path.iter().copied().any(is_forbidden);
        path.push(name);
        if is_forbidden(name) && !goes {
            findings.push(Finding::wrong(
                "crates/cache-core/Cargo.toml",
                1,
                format!(
                    "cache-core reaches {name} ({}); what needs it belongs in another crate",
                    path.join(" > ")
                ),
            ));
        }
    }
    if path.is_empty() {
        findings.push(Finding::wrong(
            "crates/cache-core/Cargo.toml",
            1,
            "cargo tree showed nothing of cache-core; mend this check",
        ));
    }
    findings
}

fn is_forbidden(name: &str) -> bool {
    FORBIDDEN.iter().any(|forbidden| {
        name.strip_prefix(forbidden)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}
