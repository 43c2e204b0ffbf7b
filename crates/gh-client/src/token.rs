//! A token, kept out of sight.

use std::fmt;

use http::header::HeaderValue;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A token for GitHub's API.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Token(String);

/// The text cannot be a token: it is empty, or has characters that a header cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token is one word of visible ASCII characters")]
pub struct InvalidToken;

impl Token {
    /// The token in `text`, white space around it aside.
    pub fn new(text: &str) -> Result<Self, InvalidToken> {
        let token = text.trim();
        let visible = token.bytes().all(|byte| byte.is_ascii_graphic());
        if token.is_empty() || !visible {
            return Err(InvalidToken);
        }
        Ok(Self(token.to_owned()))
    }

    /// The token itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The token as the value of an `Authorization` header.
    pub fn to_header(&self) -> HeaderValue {
        // Visible ASCII is what `new` lets through and what a header takes.
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.0))
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
