//! Which GraphQL requests are queries that may be answered from the cache, and which of them ask
//! the same.

use apollo_parser::cst::{Definition, OperationDefinition};
use apollo_parser::{Lexer, Parser, TokenKind};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::base_url::BaseUrl;
use crate::policy;
use crate::question;

/// Where GraphQL is, below the API's own path.
pub(crate) const PATH: &str = "/graphql";

/// The header by which clients switch on features that change answers.
pub(crate) const FEATURES: HeaderName = HeaderName::from_static("graphql-features");

/// The longest request that is looked into, in bytes; longer ones are passed on unread. What `gh`
/// sends has some ten thousand.
pub(crate) const MAX_REQUEST: usize = 256 * 1024;

/// Bounds on a document, far above what GitHub
/// [accepts](https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api#node-limit).
const MAX_TOKENS: usize = 64 * 1024;
const MAX_DEPTH: usize = 128;

/// A request that holds nothing but queries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// The document's tokens, a space between each two.
    document: String,
    /// Which of its queries is asked.
    operation: Option<String>,
    /// As JSON, the keys in order.
    variables: String,
    pub(crate) features: Option<HeaderValue>,
    /// The request as the client sent it.
    pub(crate) body: Bytes,
}

/// The [request](https://graphql.github.io/graphql-over-http/draft/#sec-Request-Parameters). What
/// has more in it asks for something that is not known here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Parameters {
    query: String,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
}

/// What an answer to a query says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What was asked for.
    Complete,
    /// That something went wrong, beside what was asked for or in its place.
    Errors,
    /// That the limit is used up.
    Limited,
    /// That too much was asked at a time.
    Struck,
}

/// Whether a request may turn out to be a query, once its body has been read.
pub(crate) fn may_be_query<B>(request: &Request<B>, base: &BaseUrl) -> bool {
    let headers = request.headers();
    request.method() == Method::POST
        && question::is_at(request.uri(), base)
        && base.api_path(request.uri().path()) == PATH
        && request.uri().query().is_none()
        && !headers.keys().any(question::changes_the_answer)
        && !headers.contains_key(header::CONTENT_ENCODING)
}

impl Query {
    /// The query in this request; `None` where it holds anything else, or more.
    pub(crate) fn read(headers: &HeaderMap, body: Bytes) -> Option<Self> {
        let parameters: Parameters = serde_json::from_slice(&body).ok()?;
        let variables = parameters.variables.filter(|map| !map.is_empty());
        let mut features = headers.get_all(FEATURES).iter();
        let (features, None) = (features.next().cloned(), features.next()) else {
            return None;
        };
        Some(Self {
            document: normal(&parameters.query)?,
            operation: parameters.operation_name.filter(|name| !name.is_empty()),
            variables: variables.map(sorted).unwrap_or_default(),
            features,
            body,
        })
    }

    /// What tells it from other queries.
    pub(crate) fn parts(&self) -> [&[u8]; 4] {
        let features = self.features.as_ref().map(HeaderValue::as_bytes);
        [
            self.document.as_bytes(),
            self.operation.as_deref().unwrap_or_default().as_bytes(),
            self.variables.as_bytes(),
            features.unwrap_or_default(),
        ]
    }
}

impl Outcome {
    /// What this body says.
    pub(crate) fn of(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            errors: Option<Vec<Failure>>,
            #[serde(default)]
            message: Option<String>,
            data: Option<IgnoredAny>,
        }
        #[derive(Deserialize)]
        struct Failure {
            #[serde(default, rename = "type")]
            kind: Option<String>,
            #[serde(default)]
            message: Option<String>,
        }
        let Ok(answer) = serde_json::from_slice::<Answer>(body) else {
            return Self::Errors;
        };
        let errors = answer.errors.as_deref().unwrap_or_default();
        let messages = errors.iter().map(|error| &error.message);
        let mut messages = messages.chain([&answer.message]).flatten();
        if messages.any(|message| policy::tells_of_a_limit(message)) {
            return Self::Struck;
        }
        match answer.errors.as_deref() {
            None | Some([]) if answer.data.is_some() => Self::Complete,
            Some(errors)
                if errors
                    .iter()
                    .any(|error| error.kind.as_deref() == Some("RATE_LIMITED")) =>
            {
                Self::Limited
            }
            _ => Self::Errors,
        }
    }
}

/// A document without what makes no difference: white space, commas and comments. `None` where it
/// does not parse, or holds anything but queries and fragments.
fn normal(document: &str) -> Option<String> {
    let tree = Parser::new(document)
        .recursion_limit(MAX_DEPTH)
        .token_limit(MAX_TOKENS)
        .parse();
    if tree.errors().len() > 0 {
        return None;
    }
    let mut has_query = false;
    for definition in tree.document().definitions() {
        match definition {
            Definition::OperationDefinition(operation) if is_query(&operation) => has_query = true,
            Definition::FragmentDefinition(_) => {}
            _ => return None,
        }
    }
    if !has_query {
        return None;
    }
    let (tokens, _) = Lexer::new(document).with_limit(MAX_TOKENS).lex();
    let is_meant = |kind| {
        !matches!(
            kind,
            TokenKind::Whitespace | TokenKind::Comma | TokenKind::Comment | TokenKind::Eof
        )
    };
    let tokens = tokens.iter().filter(|token| is_meant(token.kind()));
    let texts: Vec<&str> = tokens.map(apollo_parser::Token::data).collect();
    Some(texts.join(" "))
}

/// A query says so, or says nothing.
fn is_query(operation: &OperationDefinition) -> bool {
    let kind = operation.operation_type();
    kind.is_none_or(|kind| kind.query_token().is_some())
}

/// JSON with the keys of all its objects in order.
fn sorted(map: Map<String, Value>) -> String {
    fn sort(value: Value) -> Value {
        match value {
            Value::Object(map) => {
                let mut pairs: Vec<_> = map.into_iter().collect();
                pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
                pairs
                    .into_iter()
                    .map(|(key, value)| (key, sort(value)))
                    .collect()
            }
            Value::Array(values) => values.into_iter().map(sort).collect(),
            other => other,
        }
    }
    sort(Value::Object(map)).to_string()
}

#[cfg(test)]
mod tests;
