//! Answers that come back as they were stored, and values that hold none.

use super::*;

fn answer(headers: &[(&str, &str)], body: &'static str) -> Stored {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, value.parse().unwrap());
    }
    Stored::new(StatusCode::OK, map, body.into())
}

#[test]
fn an_answer_comes_back_as_it_was_stored() {
    let mut stored = answer(&[("etag", "\"x\""), ("vary", "a"), ("vary", "b")], "body");
    let bytes = HeaderValue::from_bytes(b"caf\xe9").unwrap();
    stored.headers.insert("x-bytes", bytes);
    let value = stored.encode().unwrap();
    assert_eq!(Stored::decode(&value), Ok(stored));
}

#[test]
fn what_belongs_to_one_exchange_is_not_stored() {
    let stored = answer(
        &[
            ("x-ratelimit-remaining", "5"),
            ("content-length", "4"),
            ("date", "today"),
        ],
        "body",
    );
    let names: Vec<_> = stored.headers.keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["date"]);
}

#[test]
fn a_304_renews_the_headers_that_it_brings_and_no_others() {
    let stored = answer(
        &[
            ("etag", "\"old\""),
            ("content-type", "text/x"),
            ("link", "l"),
            ("date", "1"),
        ],
        "body",
    );
    let brought = answer(
        &[
            ("etag", "\"new\""),
            ("content-type", "text/y"),
            ("date", "2"),
        ],
        "",
    );
    let renewed = stored.revalidated(Scope::PUBLIC, &brought.headers);
    let expected = answer(
        &[
            ("etag", "\"new\""),
            ("content-type", "text/x"),
            ("link", "l"),
            ("date", "2"),
        ],
        "body",
    );
    assert_eq!(renewed, expected);
}

#[test]
fn another_principal_is_not_shown_what_speaks_of_the_first_ones_credential() {
    let (ours, theirs) = (Scope::from_digest([1; 16]), Scope::from_digest([2; 16]));
    let headers = [("x-oauth-scopes", "repo"), ("link", "l")];
    let stored = answer(&headers, "body").given_to(ours);
    assert_eq!(stored.clone().seen_by(ours), stored);
    let brought = answer(&[("x-oauth-scopes", "gist")], "");
    let renewed = stored.clone().revalidated(theirs, &brought.headers);
    assert_eq!(renewed.headers["x-oauth-scopes"], "gist");
    let renewed = stored.revalidated(theirs, &HeaderMap::new());
    let names: Vec<_> = renewed.headers.keys().map(HeaderName::as_str).collect();
    assert_eq!((names, renewed.shown_to), (vec!["link"], theirs));
}

#[test]
fn what_does_not_hold_an_answer_is_refused_at_every_length() {
    let value = answer(&[("etag", "\"x\"")], "").encode().unwrap();
    for len in 0..value.len() {
        assert_eq!(
            Stored::decode(&value.slice(..len)),
            Err(NotAnAnswer),
            "{len}"
        );
    }
    let mut other_version = value.to_vec();
    other_version[0] += 1;
    assert_eq!(Stored::decode(&other_version.into()), Err(NotAnAnswer));
}

#[test]
fn what_no_answer_has_is_refused_though_a_peer_sent_it() {
    let value = |status, headers| {
        let head = postcard::to_stdvec(&Head {
            status,
            shown_to: Scope::PUBLIC,
            headers,
        })
        .unwrap();
        let len = u32::try_from(head.len()).unwrap();
        Bytes::from([&[VERSION][..], &len.to_le_bytes(), &head].concat())
    };
    let decode = |status, headers| Stored::decode(&value(status, headers));
    assert!(decode(200, vec![("a", b"b")]).is_ok());
    assert_eq!(decode(101, Vec::new()), Err(NotAnAnswer));
    assert_eq!(decode(200, vec![("no name", b"")]), Err(NotAnAnswer));
    assert_eq!(decode(200, vec![("a", b"x\r\ny")]), Err(NotAnAnswer));
    assert_eq!(decode(200, vec![("a", b""); 40_000]), Err(NotAnAnswer));
    assert_eq!(decode(200, vec![("a", b""); 400_000]), Err(NotAnAnswer));
    let smuggled = decode(200, vec![("content-length", b"9"), ("set-cookie", b"a=b")]);
    assert!(smuggled.unwrap().headers.is_empty());
}
