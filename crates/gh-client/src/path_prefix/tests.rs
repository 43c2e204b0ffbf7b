//! What can be made void together.

use http::header::{HeaderMap, LINK};

use super::*;

fn places(text: &str, numbers: &Numbers) -> Vec<String> {
    let base = BaseUrl::parse("https://ghe.example/api/v3").unwrap();
    let places = PathPrefix::parse(text).unwrap().places(&base, numbers);
    places.iter().map(Path::to_string).collect()
}

#[test]
fn a_repository_is_also_where_its_number_leads() {
    let numbers = Numbers::new();
    assert_eq!(
        places("/repos/o/R", &numbers),
        ["/repos/o/r", "/repositories"],
        "it may have any number"
    );
    let mut headers = HeaderMap::new();
    let link = "<https://ghe.example/api/v3/repositories/17/issues?page=2>; rel=\"next\"";
    headers.insert(LINK, link.parse().unwrap());
    numbers.learn("/repos/o/r/issues", &headers);
    assert_eq!(
        places("/api/v3/repos/o/r/issues/", &numbers),
        ["/repos/o/r/issues", "/repositories/17/issues"]
    );
    assert_eq!(
        places("/repos/o", &numbers),
        ["/repos/o", "/repositories"],
        "all repositories of an owner"
    );
    assert_eq!(places("/user/repos", &numbers), ["/user/repos"]);
}

#[test]
fn what_is_no_path_or_names_everything_is_refused_with_the_remedy() {
    for (text, remedy) in [
        ("", "write it like /repos/OWNER/REPO"),
        ("repos/o/r", "write it like /repos/OWNER/REPO"),
        ("https://api.github.com/repos/o/r", "write it like"),
        ("/repos//r", "write it like"),
        ("/repos/o/r?page=2", "covers all queries"),
        ("/", "name a part"),
    ] {
        let refused = PathPrefix::parse(text).unwrap_err().to_string();
        assert!(refused.contains(remedy), "{text:?}: {refused}");
    }
}
