//! Queries, as `gh` asks them.

use gh_client::testing::{StandIn, Token};
use serde_json::{Value, json};

use super::{Answer, OCTOCAT, request, send};

async fn ask(github: &StandIn, body: &'static str) -> Answer {
    let request = request(github, "POST", "/graphql", &[OCTOCAT], body);
    send(request).await.unwrap()
}

async fn data(github: &StandIn, body: &'static str) -> Value {
    let answer = ask(github, body).await.json();
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"].clone()
}

#[tokio::test]
async fn a_query_is_answered_with_what_it_selects_and_in_its_names() {
    let github = StandIn::start().await.unwrap();
    let query = json!({
        "query": "query Q($n: Int = 2) { viewer { login } \
                  r: repository(owner: \"octocat\", name: \"hello-world\") { \
                    ...names issue(number: $n) { number ... on Issue { title } } \
                    second: issue(number: 2) { number } } } \
                  fragment names on Repository { nameWithOwner owner { login ... on User { id } } }",
        "variables": { "n": 3 },
    });
    let query = query.to_string().leak();
    let data = data(&github, query).await;
    assert_eq!(data["viewer"], json!({ "login": "octocat" }));
    assert_eq!(data["r"]["nameWithOwner"], "octocat/hello-world");
    assert!(data["r"]["owner"]["id"].is_string());
    assert_eq!(data["r"]["issue"]["number"], 3);
    assert_eq!(data["r"]["second"], json!({ "number": 2 }));
    assert!(data["r"]["issue"]["title"].is_string());
    assert!(data["r"]["issue"].get("body").is_none());
}

#[tokio::test]
async fn a_connection_comes_in_pages_and_by_state() {
    let github = StandIn::start().await.unwrap();
    let first = json!({
        "query": "{ repository(owner: \"octocat\", name: \"hello-world\") { \
                  issues(first: 5, states: [OPEN]) { totalCount nodes { number } \
                  pageInfo { hasNextPage endCursor } } } }",
    });
    let first = data(&github, first.to_string().leak()).await;
    let page = &first["repository"]["issues"];
    assert_eq!(page["totalCount"], 8);
    let numbers = |page: &Value| -> Vec<u64> {
        let nodes = page["nodes"].as_array().unwrap().iter();
        nodes.map(|node| node["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(page), [11, 10, 8, 7, 5]);
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let cursor = page["pageInfo"]["endCursor"].as_str().unwrap();
    let second = json!({
        "query": "query($after: String) { repository(owner: \"octocat\", name: \"hello-world\") { \
                  issues(first: 5, states: OPEN, after: $after) { nodes { number } } } }",
        "variables": { "after": cursor },
    });
    let second = data(&github, second.to_string().leak()).await;
    assert_eq!(numbers(&second["repository"]["issues"]), [4, 2, 1]);
}

#[tokio::test]
async fn owners_have_their_repositories_and_everything_has_an_id() {
    let github = StandIn::start().await.unwrap();
    github.add_private("octo-org/octo-repo-000", &[]);
    let owner = json!({
        "query": "{ repositoryOwner(login: \"octo-org\") { login \
                  repositories(first: 1) { totalCount nodes { nameWithOwner \
                  issue(number: 2) { id } } } } \
                  nobody: repositoryOwner(login: \"nobody\") { login } }",
    });
    let answer = data(&github, owner.to_string().leak()).await;
    assert_eq!(answer["nobody"], Value::Null);
    let repositories = &answer["repositoryOwner"]["repositories"];
    assert_eq!(repositories["totalCount"], 99);
    let first = &repositories["nodes"][0];
    assert_eq!(first["nameWithOwner"], "octo-org/octo-repo-001");

    let id = first["issue"]["id"].as_str().unwrap();
    let node = json!({
        "query": "query($id: ID!) { node(id: $id) { ... on Issue { number } } }",
        "variables": { "id": id },
    });
    let answer = data(&github, node.to_string().leak()).await;
    assert_eq!(answer["node"], json!({ "number": 2 }));
}

#[tokio::test]
async fn what_is_wrong_with_a_query_is_said_in_the_body() {
    let github = StandIn::start().await.unwrap();
    github.add_token(Token::new("ghp_other").login("mona"));
    github.add_private("octocat/secret", &["ghp_other"]);
    for (query, data, kind, message) in [
        (
            r#"{"query":"{ repository(owner: \"octocat\", name: \"secret\") { name } }"}"#,
            Some(json!({ "repository": null })),
            json!("NOT_FOUND"),
            "Could not resolve to a Repository with the name 'octocat/secret'.",
        ),
        (
            r#"{"query":"{ viewer { shoeSize } }"}"#,
            None,
            Value::Null,
            "Field 'shoeSize' doesn't exist on type 'User'",
        ),
    ] {
        let answer = ask(&github, query).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json().get("data").cloned(), data);
        assert_eq!(answer.json()["errors"][0]["type"], kind);
        assert_eq!(answer.json()["errors"][0]["message"], message);
    }
}

#[tokio::test]
async fn graphql_has_a_limit_and_headers_of_its_own() {
    let github = StandIn::start().await.unwrap();
    github.add_token(Token::new(StandIn::TOKEN).limit(1));
    let query = r#"{"query":"{ viewer { login } }"}"#;
    let answer = ask(&github, query).await;
    assert_eq!(answer.header("x-ratelimit-resource"), "graphql");
    assert_eq!(answer.header("x-ratelimit-remaining"), "0");
    assert_eq!(answer.header("cache-control"), "no-cache");
    assert_eq!(
        answer.header("x-github-media-type"),
        "github.v4; format=json"
    );
    assert!(!answer.headers.contains_key("etag"));

    let refused = ask(&github, query).await;
    assert_eq!(refused.status, 200);
    assert_eq!(refused.json()["errors"][0]["type"], "RATE_LIMITED");
    // REST's calls are counted by themselves.
    assert_eq!(super::get(&github, "/user").await.status, 200);

    let request = request(&github, "POST", "/graphql", &[], query);
    assert_eq!(send(request).await.unwrap().status, 401);
}
