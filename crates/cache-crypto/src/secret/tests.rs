//! What counts as which kind of secret.

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

#[cfg(unix)]
#[test]
fn a_file_is_read_as_a_secret_is_and_what_is_wrong_with_it_said_without_it() {
    // tempfile makes files for their owner alone.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, format!("{FLEET}\n")).unwrap();
    assert_eq!(Secret::read(file.path()).unwrap().expose(), FLEET);

    for (content, reason) in [
        ("", SecretError::Empty),
        ("shortish", SecretError::TooShort(8)),
    ] {
        std::fs::write(&file, content).unwrap();
        let refused = Secret::read(file.path()).unwrap_err();
        let SecretFileError::NoSecret { path, source } = &refused else {
            panic!("{refused:?}");
        };
        assert_eq!((path.as_path(), *source), (file.path(), reason));
        assert!(!format!("{refused} {refused:?}").contains("shortish"));
    }
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let refused = Secret::read(file.path()).unwrap_err();
    assert!(refused.to_string().contains("chmod 600"), "{refused}");
}
