//! How tags and dates compare.

use http::{HeaderMap, HeaderValue};

use super::{http_date, not_modified};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|&(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
        .collect()
}

#[test]
fn a_tag_matches_weakly_in_a_list_and_by_a_star() {
    for condition in [
        "\"abc\"",
        "W/\"abc\"",
        "\"x\", W/\"abc\"",
        "\"x\",\"abc\"",
        "*",
    ] {
        let asked = headers(&[("if-none-match", condition)]);
        assert!(not_modified(&asked, "abc", None), "{condition}");
    }
    for condition in ["\"abd\"", "abc", "w/\"abc\"", "\"ab\", \"c\""] {
        let asked = headers(&[("if-none-match", condition)]);
        assert!(!not_modified(&asked, "abc", None), "{condition}");
    }
}

#[test]
fn a_date_counts_only_where_no_tag_was_sent() {
    let modified = 1_704_067_200;
    let date = HeaderValue::try_from(http_date(modified).to_string()).unwrap();
    let mut asked = HeaderMap::new();
    asked.insert("if-modified-since", date);

    assert!(not_modified(&asked, "abc", Some(modified)));
    assert!(!not_modified(&asked, "abc", Some(modified + 1)));
    assert!(!not_modified(&asked, "abc", None));

    asked.insert("if-none-match", HeaderValue::from_static("\"other\""));
    assert!(!not_modified(&asked, "abc", Some(modified)));
}
