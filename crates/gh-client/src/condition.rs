//! Clients that have an answer already, and want to know whether it is still right.

use headers::{ETag, HeaderMapExt, IfModifiedSince, IfNoneMatch, LastModified};
use http::{HeaderMap, StatusCode};

use crate::stored::Stored;

/// A client's own conditional request: [RFC 9110, section 13](https://www.rfc-editor.org/rfc/rfc9110#section-13).
#[derive(Clone)]
pub(crate) struct Condition {
    if_none_match: Option<IfNoneMatch>,
    if_modified_since: Option<IfModifiedSince>,
}

impl Condition {
    /// The condition in these headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self {
            if_none_match: headers.typed_get(),
            if_modified_since: headers.typed_get(),
        }
    }

    /// Makes a request conditional in the same way.
    pub(crate) fn put_on(&self, headers: &mut HeaderMap) {
        if let Some(if_none_match) = &self.if_none_match {
            headers.typed_insert(if_none_match.clone());
        } else if let Some(if_modified_since) = self.if_modified_since {
            headers.typed_insert(if_modified_since);
        }
    }

    /// Whether the client has this very answer.
    pub(crate) fn is_met_by(&self, stored: &Stored) -> bool {
        if stored.status != StatusCode::OK {
            return false;
        }
        // The tag decides where there is one: section 13.1.3.
        if let Some(if_none_match) = &self.if_none_match {
            let etag = stored.headers.typed_get::<ETag>();
            return etag.is_some_and(|etag| !if_none_match.precondition_passes(&etag));
        }
        let modified = stored.headers.typed_get::<LastModified>();
        match (&self.if_modified_since, modified) {
            (Some(since), Some(modified)) => !since.is_modified(modified.into()),
            _ => false,
        }
    }
}
