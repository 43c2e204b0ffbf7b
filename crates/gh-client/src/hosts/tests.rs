//! Whose hosts are whose.

use super::*;

#[test]
fn githubs_downloads_are_githubs() {
    for host in [
        "objects.githubusercontent.com",
        "release-assets.githubusercontent.com",
        "RAW.githubusercontent.com",
        "results-receiver.actions.githubusercontent.com",
        "codeload.github.com",
        "github.com",
        "productionresultssa7.blob.core.windows.net",
        "productionresultssa19.blob.core.windows.net",
    ] {
        assert!(is_githubs(host), "{host}");
    }
}

#[test]
fn nobody_elses_are() {
    for host in [
        "evil.example",
        "githubusercontent.com.evil.example",
        "evilgithubusercontent.com",
        ".githubusercontent.com",
        "github.com.evil.example",
        "gist.evil-github.com",
        "evil.blob.core.windows.net",
        "productionresultssa.blob.core.windows.net",
        "productionresultssa7.evil.blob.core.windows.net",
        "productionresultssax.blob.core.windows.net",
        "127.0.0.1",
        "169.254.169.254",
        "",
    ] {
        assert!(!is_githubs(host), "{host}");
    }
}
