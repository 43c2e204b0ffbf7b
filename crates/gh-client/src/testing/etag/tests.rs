//! Tags by the formula, and how they compare.

use http::{HeaderMap, HeaderValue};

use super::{etag, http_date, not_modified};

const BODY: &[u8] = br#"{"login":"octocat"}"#;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|&(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
        .collect()
}

// The expected hashes are what `printf '%s' TEXT | sha256sum` prints.

#[test]
fn without_headers_the_tag_is_the_hash_of_the_body() {
    assert_eq!(
        etag(&HeaderMap::new(), BODY),
        "40b370df3be1b04336f2e5f96a19b5a7cf1b4309ab3614a72ca4ba0d7c133c1c"
    );
}

#[test]
fn each_header_that_was_sent_goes_before_the_body_with_a_colon() {
    let accept = headers(&[("accept", "application/vnd.github+json")]);
    assert_eq!(
        etag(&accept, BODY),
        "94f3164e6cbeb3ddde34142c48850211b41b95322e49110d37504351d6babacf"
    );

    let all = headers(&[
        ("cookie", "c=1"),
        ("authorization", "token ghp_a"),
        ("accept", "*/*"),
        ("user-agent", "not hashed"),
    ]);
    assert_eq!(
        etag(&all, BODY),
        "244bf6457c02275bea57bf5bb1323611142b1c7c688275014502d97bc17795bb"
    );
}

#[test]
fn two_tokens_get_two_tags_for_one_body() {
    let of = |authorization| {
        let sent = headers(&[("accept", "*/*"), ("authorization", authorization)]);
        etag(&sent, BODY)
    };
    assert_eq!(
        of("Bearer ghp_a"),
        "24cfc0fc0c171d7ae2aac201bff63b593a5e654ae5badce5d7d0d627f7fd59ce"
    );
    assert_ne!(of("Bearer ghp_a"), of("Bearer ghp_b"));
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
