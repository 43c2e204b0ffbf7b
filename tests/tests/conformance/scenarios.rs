//! What the clients do.

use gh_client::testing::{Canned, Fault, StandIn};

use crate::clients::Client;
use crate::github::TOKEN;

/// Something that a client does.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) client: Client,
    pub(crate) name: &'static str,
    /// The arguments of each call of the client, as one would type them.
    pub(crate) steps: &'static [&'static str],
    pub(crate) again: Again,
    /// Whether the client ends with an error, as it should.
    pub(crate) fails: bool,
    /// What is done to the stand-in first.
    pub(crate) prepare: fn(&StandIn),
}

/// What it costs to do the same again, through the same node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// Nothing; there may be 304s.
    Nothing,
    /// What it has cost before, for this reason.
    TheSame(&'static str),
    /// Nothing: the node refuses in GitHub's stead, which it says in words of its own. What the
    /// client makes of that is the same.
    Refused,
    /// It cannot be done again: the recording has no more answers.
    Impossible,
}

use Again::{Impossible, Nothing, Refused, TheSame};
use Client::{Curl, Gh, Octokit, PyGithub, Recorded};

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    [gh_api(), gh(), curl(), octokit(), recorded(), pygithub()].concat()
}

const fn of(client: Client, name: &'static str, steps: &'static [&'static str]) -> Scenario {
    Scenario {
        client,
        name,
        steps,
        again: Nothing,
        fails: false,
        prepare: |_| {},
    }
}

impl Scenario {
    fn costing(self, again: Again) -> Self {
        Self { again, ..self }
    }

    fn failing(self) -> Self {
        Self {
            fails: true,
            ..self
        }
    }

    fn after(self, prepare: fn(&StandIn)) -> Self {
        Self { prepare, ..self }
    }
}

fn gh_api() -> Vec<Scenario> {
    vec![
        of(
            Gh,
            "api",
            &["api user", "api repos/{owner}/{repo} --jq .id"],
        ),
        of(
            Gh,
            "api, a page",
            &["api -X GET orgs/octo-org/repos -F per_page=2"],
        ),
        of(
            Gh,
            "api --paginate",
            &["api --paginate orgs/octo-org/repos?per_page=40"],
        ),
        of(Gh, "api --cache", &["api --cache 1h user"]),
        of(
            Gh,
            "api graphql",
            &["api graphql -F owner={owner} -F name={repo} -f query='
            query($owner: String!, $name: String!) {
              repository(owner: $owner, name: $name) { issues(first: 3) { nodes { title } } }
            }'"],
        ),
        of(
            Gh,
            "api graphql --paginate",
            &["api graphql --paginate -f query='
            query($endCursor: String) { repository(owner: \"octocat\", name: \"hello-world\") {
              issues(first: 5, after: $endCursor) {
                nodes { number } pageInfo { hasNextPage endCursor }
              }
            } }'"],
        ),
        of(Gh, "api, not there", &["api repos/octocat/no-such-repo"])
            .failing()
            .costing(TheSame("404")),
        of(
            Gh,
            "api, a write",
            &["api repos/{owner}/{repo}/issues -f title='From gh'"],
        )
        .costing(TheSame("a write")),
    ]
}

/// The repository is the one that `GH_REPO` says. All fields that are asked for were there in 2023.
fn gh() -> Vec<Scenario> {
    vec![
        of(
            Gh,
            "repo view",
            &[
                "repo view octocat/hello-world",
                "repo view octocat/hello-world --json name,owner,isPrivate,defaultBranchRef",
            ],
        ),
        of(
            Gh,
            "repo list",
            &[
                "repo list octo-org --limit 40",
                "repo list octo-org --json nameWithOwner,isPrivate",
            ],
        ),
        of(
            Gh,
            "issue list",
            &[
                "issue list",
                "issue list --state all --json number,title,state,author,labels",
            ],
        ),
        of(
            Gh,
            "issue view",
            &[
                "issue view 1",
                "issue view 1 --json number,title,body,state,comments",
            ],
        ),
        of(
            Gh,
            "pr list",
            &["pr list", "pr list --json number,title,headRefName,isDraft"],
        ),
        of(
            Gh,
            "pr view",
            &[
                "pr view 13",
                "pr view 13 --json number,mergeable,files,commits,reviews,statusCheckRollup",
            ],
        ),
        // Without fields it shows for how long runs that are not over have been at it.
        of(
            Gh,
            "run list",
            &["run list --json databaseId,status,conclusion,workflowName"],
        ),
        of(
            Gh,
            "run view",
            &[
                "run view 7744133306",
                "run view 7744133306 --json databaseId,conclusion,jobs",
            ],
        ),
        of(Gh, "release list", &["release list"]),
        // One that is named is asked for in two ways at once, and what comes first counts.
        of(
            Gh,
            "release view",
            &[
                "release view",
                "release view --json tagName,name,body,assets,publishedAt",
            ],
        ),
    ]
}

fn curl() -> Vec<Scenario> {
    vec![
        of(Curl, "GET", &["{repo}"]),
        // GitHub indents JSON for who says to be curl, and tells the length of that.
        of(Curl, "HEAD", &["--head --user-agent me {repo}"]),
        of(
            Curl,
            "conditional",
            &[
                "--etag-save etag {repo}",
                "--etag-compare etag {repo}",
                "--header 'If-None-Match: W/\"another\"' {repo}",
                "--header 'If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT' {repo}",
            ],
        ),
        of(Curl, "--compressed", &["--compressed {repo}"]),
        of(
            Curl,
            "--location, a renamed repository",
            &["--location {repo}-before"],
        )
        .after(|github| {
            let to = format!("{}/repos/octocat/hello-world", github.url());
            let renamed = Canned::new(301).header("location", &to);
            github.serve("/repos/octocat/hello-world-before", renamed);
        }),
        of(
            Curl,
            "a media type of its own",
            &["--header 'Accept: application/vnd.github.full+json' {repo}/issues/1"],
        ),
        of(Curl, "--range", &["--range 0-9 {repo}/zipball"])
            .costing(TheSame("a range"))
            .after(|github| {
                let part = Canned::new(206).header("content-range", "bytes 0-9/100");
                github.serve(
                    "/repos/octocat/hello-world/zipball",
                    part.body("0123456789"),
                );
            }),
        of(
            Curl,
            "POST",
            &["--json '{\"title\":\"From curl\"}' {repo}/issues"],
        )
        .costing(TheSame("a write")),
        of(
            Curl,
            "POST that makes no sense",
            &["--json '{}' {repo}/issues"],
        )
        .costing(TheSame("a write")),
        of(Curl, "a wrong token", &["--oauth2-bearer wrong {repo}"]).costing(TheSame("401")),
        of(Curl, "/rate_limit", &["{url}/rate_limit"]).costing(TheSame("never kept")),
        of(
            Curl,
            "OPTIONS, DELETE",
            &["--request OPTIONS {repo}", "--request DELETE {repo}"],
        )
        .costing(TheSame("not a read")),
    ]
}

fn octokit() -> Vec<Scenario> {
    vec![
        of(Octokit, "get", &["get"]),
        of(Octokit, "paginate", &["paginate"]),
        of(Octokit, "graphql", &["graphql"]),
        of(Octokit, "graphql, an error", &["graphql_error"])
            .failing()
            .costing(TheSame("an error")),
        of(Octokit, "conditional", &["conditional"]).failing(),
        of(Octokit, "a media type", &["raw"]),
        of(Octokit, "not there", &["missing"])
            .failing()
            .costing(TheSame("404")),
        of(Octokit, "writes", &["write"]).costing(TheSame("a write")),
        of(Octokit, "throttling, at the limit", &["limited"])
            .costing(Refused)
            .after(|github| assert!(github.exhaust(TOKEN), "it is a token")),
        of(Octokit, "throttling, too fast", &["limited"])
            .costing(Refused)
            .after(|github| github.fault("/repos/*", Fault::secondary_limit(60))),
    ]
}

fn recorded() -> Vec<Scenario> {
    let reads = [
        "get-organization",
        "get-repository",
        "get-root",
        "paginate-issues",
        "search-issues",
    ];
    let writes = [
        "add-and-remove-repository-collaborator",
        "add-labels-to-issue",
        "branch-protection",
        "create-file",
        "create-status",
        "errors",
        "labels",
        "lock-issue",
        "markdown",
        "project-cards",
    ];
    let recorded = |name| of(Recorded, name, &["recorded"]);
    // What is written has no answer a second time.
    let once = writes.map(|name| recorded(name).costing(Impossible));
    reads.map(recorded).into_iter().chain(once).collect()
}

fn pygithub() -> Vec<Scenario> {
    vec![
        of(PyGithub, "a user", &["user"]),
        of(PyGithub, "a repository", &["repository"]),
        of(PyGithub, "pages", &["pages"]),
        of(PyGithub, "conditional", &["conditional"]),
        of(PyGithub, "writes", &["write"]).costing(TheSame("a write")),
        of(PyGithub, "not there", &["missing"])
            .failing()
            .costing(TheSame("404")),
    ]
}
