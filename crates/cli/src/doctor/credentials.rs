//! The token and the secret.

use cache_crypto::{Secret, SecretKind};
use gh_client::Token;
use http::StatusCode;

use super::check::Check;
use super::upstream::Answer;
use crate::config::{self, ConfigError, Secrets, Sharing};
use crate::env::Env;
use crate::settings::Settings;

const NEW_SECRET: &str = "make one with `ghmesh secret new`, and give it to each node as \
                          CACHE_P2P_SHARED_SECRET or by --secret-file";

/// What kind of token there is, and whether upstream takes it.
pub(crate) fn token(token: &Result<Option<Token>, ConfigError>, asked: Option<&Answer>) -> Check {
    let token = match token {
        Ok(Some(token)) => token,
        Ok(None) => {
            return Check::warn(
                "token",
                "none: upstream's limits are those of clients that bring none",
                "give one as GH_TOKEN or by --token-file, unless all clients bring their own",
            );
        }
        Err(error) => {
            return Check::fail(
                "token",
                error,
                "give a token as GH_TOKEN or by --token-file",
            );
        }
    };
    // A secret's kind is that of the token, which can be one.
    let kind = Secret::parse(token.expose()).map(|token| token.kind());
    let kind = match kind {
        Ok(
            kind @ (SecretKind::PersonalToken
            | SecretKind::UserToken
            | SecretKind::InstallationToken),
        ) => kind.to_string(),
        _ => "token of no known kind".to_owned(),
    };
    match asked {
        Some(answer) if answer.status == StatusCode::UNAUTHORIZED => Check::fail(
            "token",
            format_args!("{kind}, which upstream refuses (401)"),
            "make a new one: it has expired, was revoked, or is another server's",
        ),
        Some(_) => Check::pass("token", kind),
        None => Check::pass(
            "token",
            format_args!("{kind}, which upstream was not shown"),
        ),
    }
}

/// What secret the fleet shares, and what it makes possible. Sharing is off where it is of no use.
pub(crate) async fn secret(
    settings: &Settings,
    env: &Env,
    token: Option<&Token>,
) -> (Check, Sharing) {
    if settings.p2p == Some(false) {
        let check = Check::warn(
            "secret",
            "not looked for: sharing is off, as configured",
            "leave out --p2p (CACHE_ENABLE_P2P)",
        );
        return (check, Sharing::Off);
    }
    // A node without a secret runs alone, unless it is told to share: so the reason is told here.
    let settings = Settings {
        p2p: Some(true),
        ..settings.clone()
    };
    match config::sharing(&settings, env, token).await {
        Ok(Sharing::On { secrets, net }) => {
            let check = known_secret(&secrets, env.is_actions());
            (check, Sharing::On { secrets, net })
        }
        Ok(Sharing::Off) | Err(ConfigError::NoSecret) => {
            let check = Check::fail("secret", "none: this node shares with nobody", NEW_SECRET);
            (check, Sharing::Off)
        }
        Err(error) => {
            let remedy = format!("correct that, or {NEW_SECRET}");
            (Check::fail("secret", error, remedy), Sharing::Off)
        }
    }
}

fn known_secret(secrets: &Secrets, is_actions: bool) -> Check {
    let current = &secrets.current;
    let kind = current.kind();
    let mut found = format!("{kind} with the fingerprint {current}");
    if let Some(previous) = &secrets.previous {
        found = format!("{found}, and the previous one {previous}");
    }
    match kind {
        SecretKind::InstallationToken if is_actions => Check::fail(
            "secret",
            format_args!("{found}: this job's own GITHUB_TOKEN, which no other job has"),
            NEW_SECRET,
        ),
        SecretKind::InstallationToken => Check::warn(
            "secret",
            format_args!("{found}: it changes within the hour"),
            NEW_SECRET,
        ),
        SecretKind::Passphrase => Check::warn(
            "secret",
            format_args!("{found}: somebody may guess it"),
            NEW_SECRET,
        ),
        _ => Check::pass("secret", found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Status;

    fn of(secret: &str, is_actions: bool) -> Check {
        let secrets = Secrets {
            current: Secret::parse(secret).unwrap(),
            previous: None,
        };
        known_secret(&secrets, is_actions)
    }

    #[test]
    fn a_jobs_own_token_makes_no_fleet() {
        let token = "ghs_0123456789abcdefghijABCDEFGHIJ012345";
        assert_eq!(of(token, true).status(), Status::Fail);
        assert_eq!(of(token, false).status(), Status::Warn);
        assert!(!format!("{:?}", of(token, true)).contains(token));
    }

    #[test]
    fn a_secret_is_known_by_its_fingerprint() {
        let secret = Secret::generate().unwrap();
        let check = of(secret.expose(), true);
        assert_eq!(check.status(), Status::Pass);
        let found = format!("fleet secret with the fingerprint {secret}");
        assert_eq!(check.found(), found);
    }
}
