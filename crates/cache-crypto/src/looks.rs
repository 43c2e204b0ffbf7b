//! Whether a text may be a secret that somebody has given in the wrong place.
//!
//! A refusal that repeats what it refuses ends in a terminal's history or in the log of a job. So
//! what looks like a secret is not repeated. Taking too much for one costs a reader a value that he
//! has typed himself; taking too little costs the secret.

use std::borrow::Cow;

use crate::secret::{Secret, SecretKind};

#[cfg(test)]
mod tests;

/// What is shown in the place of a text that [looks like a secret](looks_secret).
pub const NOT_SHOWN: &str = "(not shown: it looks like a secret)";

/// Whether a value that was refused may be a secret, or have one in it: a token, something random, a
/// passphrase, or a URL with a password.
///
/// Addresses, lists of settings and names of files are shown, unless a part of them looks like a
/// token or random.
///
/// ```
/// use cache_crypto::looks_secret;
///
/// assert!(looks_secret("ghp_q9Xk2LmZ7tRw4VbN8sYd1PfG6hJc3A5eUo0i"));
/// assert!(looks_secret("http://octocat:hunter2@127.0.0.1:8417"));
/// assert!(looks_secret("correct horse battery staple"));
/// assert!(!looks_secret("/ip4/192.0.2.1/tcp/9100"));
/// ```
pub fn looks_secret(text: &str) -> bool {
    let is_phrase = || {
        // What is no secret, and long, has these in each of its parts.
        let is_bare = |part: &str| !part.contains(['/', ':', ',', '=', '.']);
        is_long(text) && !text.starts_with('-') && text.split_whitespace().any(is_bare)
    };
    text.contains('@') || has_secret_part(text) || is_phrase()
}

/// The text with [`NOT_SHOWN`] in the place of each token, each generated secret and each
/// `user:password@` of a URL in it: for messages of which it is not known what they repeat.
///
/// ```
/// use cache_crypto::without_secrets;
///
/// let said = without_secrets("cannot dial http://a:b@c/?ghp_q9Xk2LmZ7tRw4VbN8sYd1PfG6hJc3A5eUo0i");
/// let hidden = "(not shown: it looks like a secret)";
/// assert_eq!(said, format!("cannot dial http://{hidden}@c/?{hidden}"));
/// ```
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, secret)) = first_secret(rest) {
        shown.push_str(&rest[..before]);
        shown.push_str(NOT_SHOWN);
        rest = &rest[before + secret..];
    }
    if shown.is_empty() {
        return Cow::Borrowed(text);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Whether there is a token, or something random, between the slashes, commas and so on of `text`.
pub(crate) fn has_secret_part(text: &str) -> bool {
    let mut before = "";
    text.split(|c: char| c.is_whitespace() || "/,:;=?&'\"()<>[]".contains(c))
        .any(|part| {
            // The id of a peer, which everybody may see, looks random.
            let is_peer = before == "p2p";
            before = part;
            !is_peer && (is_token(part) || is_random(part))
        })
}

/// Whether a secret may be so short.
pub(crate) fn is_long(text: &str) -> bool {
    text.chars().count() >= Secret::MIN_CHARS
}

/// Where the first secret of `text` begins, and its length.
fn first_secret(text: &str) -> Option<(usize, usize)> {
    let userinfo = text.find("://").and_then(|scheme| {
        let start = scheme + "://".len();
        let authority = text[start..]
            .split(['/', '?', '#', ' ', '"', '\''])
            .next()?;
        Some((start, authority.rfind('@')?))
    });
    let is_in_word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let mut words = text.split(|c| !is_in_word(c));
    let token = words.find(|word| is_token(word)).map(|word| {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        (start, word.len())
    });
    userinfo.into_iter().chain(token).min()
}

/// Whether it begins as tokens and generated secrets do, and is as long as a secret; or has no
/// prefix, and the digits of one.
fn is_token(part: &str) -> bool {
    let part = part.trim_start_matches('-');
    is_long(part) && SecretKind::has_known_prefix(part)
        || matches!(part.len(), 40 | 64) && is_hex(part)
}

/// Whether it is long and has digits, and letters of both cases or of hexadecimal numbers alone.
fn is_random(part: &str) -> bool {
    const MIN_LEN: usize = 20;

    let has = |is: fn(&u8) -> bool| part.bytes().any(|byte| is(&byte));
    part.len() >= MIN_LEN
        && has(u8::is_ascii_digit)
        && (has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) || is_hex(part))
}

fn is_hex(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_hexdigit())
}
