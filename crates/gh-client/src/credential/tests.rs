//! Which credentials are the same, and what can be seen of them.

use super::*;

fn credential(value: &str) -> Credential {
    let request = Request::get("/x").header(header::AUTHORIZATION, value);
    Credential::of(&request.body(()).unwrap()).unwrap()
}

/// The credential of the hour that an installation has.
fn installations(id: u64, value: &str) -> Credential {
    let request = Request::get("/x")
        .header(header::AUTHORIZATION, value)
        .extension(Holder::installation(id));
    Credential::of(&request.body(()).unwrap()).unwrap()
}

fn scope(key: u8, value: &str) -> Scope {
    PrincipalKey::new([key; 32]).principal(Some(&credential(value)))
}

#[test]
fn a_token_is_one_principal_however_it_is_sent() {
    let expected = scope(1, "Bearer ghp_x");
    for form in [
        "token ghp_x",
        "Token ghp_x",
        "bearer ghp_x",
        "BEARER  ghp_x",
    ] {
        assert_eq!(scope(1, form), expected, "{form}");
        assert_eq!(credential(form).value, "Bearer ghp_x");
    }
}

#[test]
fn another_credential_scheme_or_key_is_another_principal() {
    let expected = scope(1, "Bearer ghp_x");
    assert_ne!(scope(1, "Bearer ghp_y"), expected);
    assert_ne!(scope(1, "Basic ghp_x"), expected);
    assert_ne!(scope(2, "Bearer ghp_x"), expected);
}

#[test]
fn an_installation_is_one_principal_whatever_its_token_of_the_hour() {
    let key = PrincipalKey::new([1; 32]);
    let principal = |id, value| key.principal(Some(&installations(id, value)));
    let expected = principal(7, "Bearer ghs_x");
    assert_eq!(principal(7, "Bearer ghs_y"), expected);
    assert_ne!(principal(8, "Bearer ghs_x"), expected);
    assert_ne!(scope(1, "Bearer ghs_x"), expected);
    // Nor can anybody send what makes them one.
    assert_ne!(scope(1, "installation 7"), expected);
    let mut request = Request::new(());
    installations(7, "Bearer ghs_x").put_on(&mut request);
    assert_eq!(
        Credential::of(&request),
        Some(installations(7, "Bearer ghs_x"))
    );
    request.headers_mut().clear();
    assert_eq!(Credential::of(&request), None);
}

#[test]
fn who_sends_no_credential_sees_what_is_public() {
    assert_eq!(Credential::of(&Request::new(())), None);
    assert_eq!(PrincipalKey::new([1; 32]).principal(None), Scope::PUBLIC);
}

#[test]
fn a_credential_and_its_key_cannot_be_seen() {
    let credential = credential("token ghp_secret");
    assert!(credential.value.is_sensitive());
    let shown = format!(
        "{credential:?} {:?}",
        PrincipalKey::new(*b"a key that nobody should see, 32")
    );
    assert!(
        !shown.contains("secret") && !shown.contains("nobody"),
        "{shown}"
    );
}
