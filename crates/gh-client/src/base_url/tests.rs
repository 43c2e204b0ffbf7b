//! Where an API may be.

use super::*;

#[test]
fn the_api_may_lie_at_the_root_or_below_a_path() {
    let joined = |base, target| {
        BaseUrl::parse(base)
            .unwrap()
            .join(target)
            .unwrap()
            .to_string()
    };
    assert_eq!(
        joined("https://api.github.com", "/user?a=b"),
        "https://api.github.com/user?a=b"
    );
    assert_eq!(
        joined("https://ghes.corp/api/v3/", "/user"),
        "https://ghes.corp/api/v3/user"
    );
    assert_eq!(
        joined("http://127.0.0.1:8080", "/"),
        "http://127.0.0.1:8080/"
    );
}

#[test]
fn a_url_that_no_api_can_be_at_is_refused_with_what_is_wrong() {
    for (url, reason) in [
        ("api.github.com", "no scheme"),
        ("ftp://api.github.com", "neither https nor http"),
        ("https://user:pw@api.github.com", "credentials"),
        ("https://api.github.com/?a=b", "query"),
        ("http://a b", "does not parse"),
    ] {
        let error = BaseUrl::parse(url).unwrap_err().to_string();
        assert!(
            error.contains(reason) && error.contains("https://api.github.com"),
            "{error}"
        );
    }
}

#[test]
fn graphql_is_beside_an_enterprise_servers_version_3() {
    let joined = |base, path| {
        let base = BaseUrl::parse(base).unwrap();
        base.join(base.api_path(path)).unwrap().to_string()
    };
    for path in ["/graphql", "/api/graphql"] {
        let ghes = joined("https://ghes.corp/api/v3", path);
        assert_eq!(ghes, "https://ghes.corp/api/graphql");
        let github = joined("https://api.github.com", path);
        assert_eq!(github, "https://api.github.com/graphql");
    }
}
