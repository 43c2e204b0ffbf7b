//! What a secret looks like.

use std::fmt;

/// How a generated secret starts.
pub(super) const FLEET_PREFIX: &str = "ghmesh_";

/// What a secret looks like, by GitHub's [token formats] and our own.
///
/// [token formats]: https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecretKind {
    /// Made for a fleet: `ghmesh_…`, or 64 hexadecimal digits.
    Fleet,
    /// A personal access token: `ghp_…`, `github_pat_…`, or the 40 hexadecimal digits of old.
    PersonalToken,
    /// A token of an application that acts for a user: `gho_…` (what `gh auth token` prints),
    /// `ghu_…`, `ghr_…`.
    UserToken,
    /// A token of an application's installation: `ghs_…`. Actions' `GITHUB_TOKEN` is one, and
    /// differs in each job: as a secret it makes fleets of one member.
    InstallationToken,
    /// Anything else. Somebody may have thought it up, so it is stretched.
    Passphrase,
}

impl SecretKind {
    /// Whether `text` starts as tokens and generated secrets do, complete or not.
    pub(crate) fn has_known_prefix(text: &str) -> bool {
        text.starts_with(FLEET_PREFIX) || TOKENS.iter().any(|(prefix, _)| text.starts_with(prefix))
    }

    /// What `text`, without white space around it, looks like.
    pub(super) fn of(text: &str) -> Self {
        if is_hex(text, 64)
            || text
                .strip_prefix(FLEET_PREFIX)
                .is_some_and(|t| is_hex(t, 64))
        {
            return Self::Fleet;
        }
        if is_hex(text, 40) {
            return Self::PersonalToken;
        }
        TOKENS
            .iter()
            .find(|(prefix, _)| text.strip_prefix(prefix).is_some_and(is_token_body))
            .map_or(Self::Passphrase, |(_, kind)| *kind)
    }
}

impl fmt::Display for SecretKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fleet => "fleet secret",
            Self::PersonalToken => "personal access token",
            Self::UserToken => "user token",
            Self::InstallationToken => "installation token",
            Self::Passphrase => "passphrase",
        })
    }
}

const TOKENS: [(&str, SecretKind); 6] = [
    ("ghp_", SecretKind::PersonalToken),
    ("github_pat_", SecretKind::PersonalToken),
    ("gho_", SecretKind::UserToken),
    ("ghu_", SecretKind::UserToken),
    ("ghr_", SecretKind::UserToken),
    ("ghs_", SecretKind::InstallationToken),
];

/// The random part of a token: 36 characters at least. Since 2026 installation tokens contain a
/// JWT, hence the dots, underscores and hyphens and the open end ([announcement]).
///
/// [announcement]: https://github.blog/changelog/2026-04-24-notice-about-upcoming-new-format-for-github-app-installation-tokens/
fn is_token_body(body: &str) -> bool {
    body.len() >= 36
        && body
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
