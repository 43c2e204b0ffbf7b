//! GitHub's own hosts beside the API: where its redirects lead, and who may therefore be asked
//! without being an open proxy.

/// Hosts from which GitHub's clients download, by their
/// [list](https://docs.github.com/en/actions/reference/runners/self-hosted-runners#accessible-domains-by-function).
const HOSTS: [&str; 5] = [
    "github.com",
    "codeload.github.com",
    "github-cloud.s3.amazonaws.com",
    "tuf-repo.github.com",
    "tmaproduction.blob.core.windows.net",
];

/// Domains that are GitHub's with all that is below them: release assets, raw files, logs.
const DOMAINS: [&str; 1] = [".githubusercontent.com"];

/// Where artifacts and logs of runs are: `productionresultssa0` to `19`, as storage accounts go.
const RESULTS: (&str, &str) = ("productionresultssa", ".blob.core.windows.net");

/// The API's own host for uploads to github.com.
pub(crate) const UPLOADS: &str = "uploads.github.com";

/// The API's own host.
pub(crate) const API: &str = "api.github.com";

/// Whether downloads from this host are GitHub's.
pub(crate) fn is_githubs(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let is_below = |domain: &&str| host.ends_with(*domain) && host.len() > domain.len();
    let (before, after) = RESULTS;
    let account = host
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after));
    HOSTS.contains(&&*host)
        || DOMAINS.iter().any(is_below)
        || account.is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
