//! Queries that are the same, and what is none.

use proptest::prelude::*;

use super::*;

fn read(body: &Value) -> Option<Query> {
    Query::read(&HeaderMap::new(), body.to_string().into())
}

fn query(document: &str) -> Option<Query> {
    read(&serde_json::json!({ "query": document }))
}

#[test]
fn white_space_commas_and_comments_make_no_difference() {
    let plain =
        query("query Q($a: Int, $b: Int) { repository(a: $a, b: $b) { id name } }").unwrap();
    for same in [
        "query Q($a:Int $b:Int){repository(a:$a b:$b){id name}}",
        "# what it is for\nquery Q($a: Int, $b: Int) {\n  repository(a: $a, b: $b) { id, name }\n}\n",
    ] {
        assert_eq!(query(same).unwrap().parts(), plain.parts(), "{same}");
    }
    for other in [
        "query Q($a:Int $b:Int){repository(a:$a b:$b){id}}",
        "query R($a:Int $b:Int){repository(a:$a b:$b){id name}}",
    ] {
        assert_ne!(query(other).unwrap().parts(), plain.parts(), "{other}");
    }
    let text = |text| query(&format!("{{ a(b: \"{text}\") }}")).unwrap();
    assert_ne!(text("x  y").parts(), text("x y").parts());
    assert_ne!(text("# x").parts(), text("").parts());
}

#[test]
fn operation_name_variables_and_features_tell_queries_apart() {
    let of = |name: Value, variables: Value| {
        let document = "query A { a } query B { b }";
        let body = serde_json::json!({
            "query": document, "operationName": name, "variables": variables,
        });
        read(&body).unwrap()
    };
    let a = of(
        "A".into(),
        serde_json::json!({ "x": { "p": 1, "q": [2] }, "y": null }),
    );
    let reordered = br#"{"variables":{"y":null,"x":{"q":[2],"p":1}},"operationName":"A","query":"query A{a}query B{b}"}"#;
    let reordered = Query::read(&HeaderMap::new(), Bytes::from_static(reordered)).unwrap();
    assert_eq!(reordered.parts(), a.parts());
    assert_ne!(
        of("B".into(), serde_json::json!({ "x": { "p": 1, "q": [2] } })).parts(),
        a.parts()
    );
    assert_eq!(
        of(Value::Null, Value::Null).parts(),
        of("".into(), serde_json::json!({})).parts()
    );
    let mut headers = HeaderMap::new();
    headers.insert(FEATURES, HeaderValue::from_static("merge_queue"));
    let featured = Query::read(&headers, a.body.clone()).unwrap();
    assert_ne!(featured.parts(), a.parts());
    // Of two lines, what they mean together is not known here.
    headers.append(FEATURES, HeaderValue::from_static("issue_types"));
    assert!(Query::read(&headers, a.body.clone()).is_none());
}

#[test]
fn only_documents_of_queries_are_queries() {
    for document in [
        "{ viewer { login } }",
        "query { viewer { ...F } } fragment F on User { login }",
    ] {
        assert!(query(document).is_some(), "{document}");
    }
    for document in [
        "mutation { addStar(input: {}) { clientMutationId } }",
        "subscription { x }",
        "query A { a } mutation B { b }",
        "fragment F on User { login }",
        "type T { x: Int }",
        "{ viewer { login }",
        "",
    ] {
        assert!(query(document).is_none(), "{document}");
    }
    let nested = format!("{}a{}", "{a".repeat(500), "}".repeat(500));
    assert!(query(&nested).is_none());
    assert!(read(&serde_json::json!({ "query": "{ a }", "extensions": {} })).is_none());
    assert!(read(&serde_json::json!([{ "query": "{ a }" }])).is_none());
}

#[test]
fn an_answer_says_whether_it_is_one() {
    for (body, outcome) in [
        (r#"{"data":{"a":1}}"#, Outcome::Complete),
        (r#"{"data":{"a":1},"errors":[]}"#, Outcome::Complete),
        (
            r#"{"data":{"a":null},"errors":[{"type":"NOT_FOUND"}]}"#,
            Outcome::Errors,
        ),
        (r#"{"errors":[{"message":"no"}]}"#, Outcome::Errors),
        (r#"{"message":"Bad credentials"}"#, Outcome::Errors),
        (r#"{"errors":[{"type":"RATE_LIMITED"}]}"#, Outcome::Limited),
        (
            r#"{"errors":[{"message":"You have exceeded a secondary rate limit."}]}"#,
            Outcome::Struck,
        ),
        (
            r#"{"data":{"x":{"message":"secondary rate limit"}}}"#,
            Outcome::Complete,
        ),
        ("<html>", Outcome::Errors),
    ] {
        assert_eq!(Outcome::of(body.as_bytes()), outcome, "{body}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_left(document in ".{0,200}", name in ".{0,20}") {
        let body = serde_json::json!({ "query": document, "operationName": name });
        if let Some(query) = read(&body) {
            // What is normal is its own normal form.
            let again = normal(&query.document);
            prop_assert_eq!(again.as_ref(), Some(&query.document));
        }
    }

    #[test]
    fn a_normal_form_is_its_own(spaces in proptest::collection::vec("[ ,\n]{1,3}", 9)) {
        let words = ["query", "{", "a", "(", "b:", "1", ")", "{", "c}}"];
        let document: String = words.iter().zip(&spaces).flat_map(|(word, space)| [*word, space]).collect();
        let document = normal(&document).unwrap();
        prop_assert_eq!(&document, "query { a ( b : 1 ) { c } }");
        prop_assert_eq!(normal(&document), Some(document));
    }
}
