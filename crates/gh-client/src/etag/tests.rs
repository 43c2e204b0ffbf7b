//! Tags by the formula. The expected hashes are what `printf '%s' TEXT | sha256sum` prints.

use super::*;

const BODY: &[u8] = br#"{"login":"octocat"}"#;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|&(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
        .collect()
}

#[test]
fn without_headers_the_tag_is_the_hash_of_the_body() {
    assert_eq!(
        formula(&HeaderMap::new(), BODY),
        "40b370df3be1b04336f2e5f96a19b5a7cf1b4309ab3614a72ca4ba0d7c133c1c"
    );
}

#[test]
fn each_header_that_was_sent_goes_before_the_body_with_a_colon() {
    let accept = headers(&[("accept", "application/vnd.github+json")]);
    assert_eq!(
        formula(&accept, BODY),
        "94f3164e6cbeb3ddde34142c48850211b41b95322e49110d37504351d6babacf"
    );
    let all = headers(&[
        ("cookie", "c=1"),
        ("authorization", "token ghp_a"),
        ("accept", "*/*"),
        ("user-agent", "not hashed"),
    ]);
    assert_eq!(
        formula(&all, BODY),
        "244bf6457c02275bea57bf5bb1323611142b1c7c688275014502d97bc17795bb"
    );
}

#[test]
fn two_tokens_get_two_tags_for_one_body() {
    let of = |authorization| {
        let sent = headers(&[("accept", "*/*"), ("authorization", authorization)]);
        formula(&sent, BODY)
    };
    assert_eq!(
        of("Bearer ghp_a"),
        "24cfc0fc0c171d7ae2aac201bff63b593a5e654ae5badce5d7d0d627f7fd59ce"
    );
    assert_ne!(of("Bearer ghp_a"), of("Bearer ghp_b"));
}

#[test]
fn a_304_confirms_weakly_what_was_asked_about_and_nothing_else() {
    let asked = headers(&[("if-none-match", "\"h\"")]);
    for tag in ["\"h\"", "W/\"h\""] {
        assert!(confirms(&asked, &headers(&[("etag", tag)])), "{tag}");
    }
    assert!(confirms(&asked, &HeaderMap::new()));
    assert!(!confirms(&asked, &headers(&[("etag", "\"other\"")])));
    let by_date = headers(&[("if-modified-since", "Tue, 14 Nov 2023 22:13:20 GMT")]);
    assert!(confirms(&by_date, &headers(&[("etag", "\"h\"")])));
}
