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

#[test]
fn uploads_go_to_the_host_for_uploads_wherever_that_is() {
    for (base, expected) in [
        (
            "https://api.github.com",
            "https://uploads.github.com/repos/o/r?name=x",
        ),
        (
            "https://ghes.corp/api/v3",
            "https://ghes.corp/api/uploads/repos/o/r?name=x",
        ),
        (
            "http://127.0.0.1:1",
            "http://127.0.0.1:1/api/uploads/repos/o/r?name=x",
        ),
    ] {
        let base = BaseUrl::parse(base).unwrap();
        let target = "/repos/o/r?name=x".parse().unwrap();
        let located = base.locate("uploads.github.com", &target);
        let joined = base.join(base.api_path(&located.to_string())).unwrap();
        assert_eq!(joined.to_string(), expected);
    }
}

#[test]
fn a_host_is_the_api_or_one_of_githubs_own() {
    let ghes = BaseUrl::parse("https://ghes.corp/api/v3").unwrap();
    let target = "/x?y".parse().unwrap();
    assert!(ghes.reaches("ghes.corp") && ghes.reaches("api.github.com"));
    assert_eq!(ghes.locate("api.github.com", &target).to_string(), "/x?y");
    let download = "objects.githubusercontent.com";
    assert!(ghes.reaches(download) && !ghes.reaches("evil.example"));
    assert_eq!(
        ghes.locate(download, &target).to_string(),
        format!("https://{download}/x?y")
    );
    assert_eq!(ghes.locate("evil.example", &target).to_string(), "/x?y");
}

#[test]
fn one_api_is_the_same_however_its_host_is_written() {
    let written = |text| BaseUrl::parse(text).unwrap().origin();
    assert_eq!(
        written("HTTPS://API.GitHub.com:443/"),
        "https://api.github.com"
    );
    assert_eq!(written("http://LocalHost:80"), "http://localhost");
    assert_eq!(written("http://localhost:443"), "http://localhost:443");
    assert_eq!(written("http://[::1]:80"), "http://[::1]");
}

#[test]
fn an_enterprise_server_has_more_than_its_api() {
    let base = BaseUrl::parse("https://ghes.corp/api/v3").unwrap();
    let located = |host: &str, target: &'static str| {
        assert!(base.reaches(host), "{host}");
        base.locate(host, &PathAndQuery::from_static(target))
            .to_string()
    };
    for api in ["/api/v3/user", "/api/graphql", "/api/uploads/x"] {
        assert_eq!(located("ghes.corp", api), api);
    }
    let archive = "/o/r/archive/main.tar.gz";
    assert_eq!(
        located("GHES.corp", archive),
        "https://ghes.corp/o/r/archive/main.tar.gz"
    );
    assert_eq!(located("api.github.com", "/user"), "/user");
    for below in ["codeload", "media", "raw", "uploads"] {
        let host = format!("{below}.ghes.corp");
        assert_eq!(located(&host, "/x"), format!("https://{host}/x"));
    }
    for stranger in ["evil.ghes.corp", "raw.evil.corp", "rawghes.corp", "corp"] {
        assert!(!base.reaches(stranger), "{stranger}");
    }
    let plain = BaseUrl::parse("https://api.github.com").unwrap();
    assert!(!plain.reaches("raw.api.github.com"));
}
