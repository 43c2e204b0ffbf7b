//! What counts as which kind of secret, and what files are refused.

use std::error::Error;
use std::fs;

use super::*;

const FLEET: &str = "ghmesh_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn kind(text: &str) -> SecretKind {
    Secret::parse(text).unwrap().kind()
}

#[test]
fn random_forms_are_recognised() {
    let body = "x".repeat(36);
    assert_eq!(kind(FLEET), SecretKind::Fleet);
    assert_eq!(kind(&FLEET["ghmesh_".len()..]), SecretKind::Fleet);
    assert_eq!(kind(&"0a".repeat(20)), SecretKind::PersonalToken);
    assert_eq!(kind(&format!("ghp_{body}")), SecretKind::PersonalToken);
    assert_eq!(
        kind(&format!("github_pat_{body}_{body}")),
        SecretKind::PersonalToken
    );
    for prefix in ["gho_", "ghu_", "ghr_"] {
        assert_eq!(kind(&format!("{prefix}{body}")), SecretKind::UserToken);
    }
    assert_eq!(kind(&format!("ghs_{body}")), SecretKind::InstallationToken);
}

#[test]
fn installation_tokens_may_contain_a_jwt() {
    let part = "aZ0-_".repeat(40);
    let token = format!("ghs_123456_{part}.{part}.{part}");
    assert_eq!(kind(&token), SecretKind::InstallationToken);
}

#[test]
fn what_only_begins_like_a_token_is_a_passphrase() {
    assert_eq!(kind("ghp_tooshorttobeone"), SecretKind::Passphrase);
}

#[test]
fn white_space_around_a_secret_does_not_count() {
    let bare = Secret::parse(FLEET).unwrap();
    let padded = Secret::parse(&format!("  {FLEET}\r\n")).unwrap();
    assert_eq!(padded.fingerprint(), bare.fingerprint());
    assert_eq!(padded.expose(), FLEET);
}

#[test]
fn weak_secrets_are_refused_with_the_remedy() {
    for (text, expected) in [
        (" \n", SecretError::Empty),
        ("fifteen letters", SecretError::TooShort(15)),
        ("ää", SecretError::TooShort(2)),
    ] {
        let refused = Secret::parse(text).unwrap_err();
        assert_eq!(refused, expected);
        assert!(refused.to_string().contains("`ghmesh secret new`"));
    }
    let endless = "a".repeat(Secret::MAX_BYTES + 1);
    assert_eq!(Secret::parse(&endless).unwrap_err(), SecretError::TooLong);
}

#[test]
fn generated_secrets_parse_and_differ() {
    let (one, other) = (Secret::generate().unwrap(), Secret::generate().unwrap());
    assert_eq!(kind(one.expose()), SecretKind::Fleet);
    assert_ne!(one.expose(), other.expose());
}

#[test]
fn debug_shows_the_fingerprint_and_not_the_secret() {
    let secret = Secret::parse(FLEET).unwrap();
    assert_eq!(format!("{secret:?}"), "Secret(Fleet, 8004fa7d5a89)");
    assert_eq!(secret.to_string(), "8004fa7d5a89");
    assert_eq!(
        format!("{:?}", secret.fingerprint()),
        "Fingerprint(8004fa7d5a89)"
    );
}

/// The error and all that caused it, as a user reads it.
fn explain(error: &SecretFileError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(unix)]
mod files {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn read(content: &[u8], mode: u32) -> (String, Result<Secret, SecretFileError>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.secret");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let secret = Secret::read(&path);
        (path.display().to_string(), secret)
    }

    #[test]
    fn a_file_of_its_owner_is_read() {
        let (_, secret) = read(format!("{FLEET}\n").as_bytes(), 0o600);
        assert_eq!(secret.unwrap().expose(), FLEET);
    }

    #[test]
    fn a_file_that_is_open_to_others_is_refused_with_the_command_that_closes_it() {
        for mode in [0o640, 0o604, 0o622] {
            let (path, secret) = read(FLEET.as_bytes(), mode);
            let refused = explain(&secret.unwrap_err());
            assert!(refused.contains(&format!("chmod 600 {path}")), "{refused}");
            assert!(!refused.contains(FLEET), "{refused}");
        }
    }

    #[test]
    fn a_file_without_a_secret_is_named_and_its_content_is_not_shown() {
        let endless = "endless".repeat(Secret::MAX_BYTES);
        for (content, reason) in [
            (&b""[..], "empty"),
            (b"shortish", "8 characters"),
            (b"not text \xff\xfe at all", "UTF-8"),
            (endless.as_bytes(), "more than 4096 bytes"),
        ] {
            let (path, secret) = read(content, 0o600);
            let refused = explain(&secret.unwrap_err());
            assert!(refused.contains(&path), "{refused}");
            assert!(refused.contains(reason), "{refused}");
            for shown in ["shortish", "not text", "endless"] {
                assert!(!refused.contains(shown), "{refused}");
            }
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let refused = explain(&Secret::read("/nowhere/fleet.secret").unwrap_err());
        assert!(refused.contains("/nowhere/fleet.secret"), "{refused}");
        assert!(refused.contains("No such file"), "{refused}");
    }
}
