//! What a route has to say, before it is made into an HTTP answer.

use http::StatusCode;
use serde_json::{Value, json};

/// Something that was found or made.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    /// Seconds since 1970. Lists have none.
    pub(super) last_modified: Option<u64>,
    /// The `Link` header of a list that has more pages.
    pub(super) link: Option<String>,
    /// Where something new is.
    pub(super) location: Option<String>,
}

impl Resource {
    pub(super) fn new(body: Value) -> Self {
        Self {
            status: StatusCode::OK,
            body,
            last_modified: None,
            link: None,
            location: None,
        }
    }

    /// One thing, which was last changed at this second.
    pub(super) fn changed_at(body: Value, last_modified: u64) -> Self {
        Self {
            last_modified: Some(last_modified),
            ..Self::new(body)
        }
    }

    /// One page of a list.
    pub(super) fn page(body: Value, link: Option<String>) -> Self {
        Self {
            link,
            ..Self::new(body)
        }
    }

    /// Something that was made just now.
    pub(super) fn created(body: Value, location: String) -> Self {
        Self {
            status: StatusCode::CREATED,
            location: Some(location),
            ..Self::new(body)
        }
    }
}

/// An error, in GitHub's words.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    message: String,
    errors: Option<Value>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            errors: None,
        }
    }

    /// What is not there, and what this caller may not know to be there.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    pub(super) fn requires_authentication() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Requires authentication")
    }

    pub(super) fn must_have_admin_rights() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Must have admin rights to Repository.",
        )
    }

    /// A field of the request's body is missing or makes no sense.
    pub(super) fn invalid_issue(code: &str, field: &str) -> Self {
        Self {
            errors: Some(json!([{ "resource": "Issue", "code": code, "field": field }])),
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed")
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut body = json!({
            "message": self.message,
            "documentation_url": "https://docs.github.com/rest",
            "status": self.status.as_str(),
        });
        if let Some(errors) = &self.errors {
            body["errors"] = errors.clone();
        }
        body
    }
}
