//! Who is asking: the tokens that the stand-in knows.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// A token that the stand-in accepts.
///
/// Its prefix says what kind of token it is, as on GitHub: answers to classic ones (`ghp_`,
/// `gho_`) list their scopes, and an installation's (`ghs_`, what Actions' `GITHUB_TOKEN` is) has
/// no user behind it, so `GET /user` is refused.
///
/// GitHub counts all the tokens of one user together. Here each token has a limit of its own, so
/// that a test can tell who was charged.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub(super) text: String,
    pub(super) login: String,
    pub(super) limit: u32,
    /// The installation whose token it is, and until when, in seconds since 1970.
    of_installation: Option<(String, u64)>,
}

impl Token {
    /// A token of the user `octocat`, good for 5000 calls an hour.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            login: "octocat".to_owned(),
            limit: 5000,
            of_installation: None,
        }
    }

    /// The `nth` token of an App's installation, which ends at this second.
    pub(super) fn of_installation(id: u64, nth: u64, end: u64) -> Self {
        Self {
            of_installation: Some((format!("installation {id}"), end)),
            ..Self::new(format!("ghs_{id}_{nth}")).login("octo-app[bot]")
        }
    }

    /// Whom GitHub counts and lets see what it is: the token, or the installation that has it.
    pub(super) fn holder(&self) -> &str {
        let installation = self.of_installation.as_ref();
        installation.map_or(&self.text, |(name, _)| name)
    }

    fn is_good_at(&self, now: u64) -> bool {
        let installation = self.of_installation.as_ref();
        installation.is_none_or(|(_, end)| now < *end)
    }

    /// The user whose token it is. Who owns a repository, or is an admin of the organisation that
    /// does, sees other `permissions` in it than everybody else.
    #[must_use]
    pub fn login(mut self, login: impl Into<String>) -> Self {
        self.login = login.into();
        self
    }

    /// How many calls an hour it is good for.
    #[must_use]
    pub fn limit(mut self, calls: u32) -> Self {
        self.limit = calls;
        self
    }

    pub(super) fn is_installation(&self) -> bool {
        self.text.starts_with("ghs_")
    }

    /// The value of `X-OAuth-Scopes`, which GitHub sends for classic tokens only.
    pub(super) fn scopes(&self) -> Option<&'static str> {
        let classic = self.text.starts_with("ghp_") || self.text.starts_with("gho_");
        classic.then_some("gist, read:org, repo, workflow")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Somebody may point a client with a real token at the stand-in.
        f.debug_struct("Token")
            .field("login", &self.login)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// Who sent a request.
#[derive(Clone, Debug)]
pub(super) enum Caller {
    Anonymous,
    Known(Arc<Token>),
    /// An App itself, by its id.
    App(String),
}

impl Caller {
    pub(super) fn token(&self) -> Option<&Token> {
        match self {
            Self::Anonymous | Self::App(_) => None,
            Self::Known(token) => Some(token),
        }
    }

    pub(super) fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }
}

/// The request carries a credential that the stand-in does not know.
#[derive(Debug)]
pub(super) struct BadCredentials;

/// All tokens that are known, by their text.
#[derive(Debug, Default)]
pub(super) struct Tokens(BTreeMap<String, Arc<Token>>);

impl Tokens {
    pub(super) fn add(&mut self, token: Token) {
        self.0.insert(token.text.clone(), Arc::new(token));
    }

    pub(super) fn revoke(&mut self, text: &str) -> bool {
        self.0.remove(text).is_some()
    }

    pub(super) fn get(&self, text: &str) -> Option<&Token> {
        self.0.get(text).map(Arc::as_ref)
    }

    pub(super) fn identify(&self, headers: &HeaderMap, now: u64) -> Result<Caller, BadCredentials> {
        let Some(authorization) = headers.get(AUTHORIZATION) else {
            return Ok(Caller::Anonymous);
        };
        let authorization = authorization.to_str().map_err(|_| BadCredentials)?;
        let (scheme, credential) = authorization.split_once(' ').ok_or(BadCredentials)?;
        let known = match scheme.to_ascii_lowercase().as_str() {
            "token" | "bearer" => self.0.get(credential.trim()),
            "basic" => self.basic(credential.trim()),
            _ => None,
        };
        let known = known.filter(|token| token.is_good_at(now));
        known.cloned().map(Caller::Known).ok_or(BadCredentials)
    }

    /// The token is the password, or the user name with a password that does not matter.
    fn basic(&self, credential: &str) -> Option<&Arc<Token>> {
        let pair = String::from_utf8(STANDARD.decode(credential).ok()?).ok()?;
        let (user, password) = pair.split_once(':')?;
        self.0.get(password).or_else(|| self.0.get(user))
    }
}
