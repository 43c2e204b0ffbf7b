//! What counts as set.

use super::*;

#[test]
fn an_empty_variable_is_none() {
    let env = Env::from([("EMPTY", ""), ("SET", "x")]);
    assert!(env.get("EMPTY").unwrap().is_none());
    assert!(env.get("NOWHERE").unwrap().is_none());
    assert_eq!(env.get("SET").unwrap().as_deref().unwrap(), "x");
}

#[cfg(unix)]
#[test]
fn what_is_not_text_is_refused_by_name_and_not_shown() {
    let value = std::os::unix::ffi::OsStringExt::from_vec(b"ghp_visible\xff".to_vec());
    let env = Env::Made([("GH_TOKEN".into(), value)].into());
    let error = env.token().unwrap_err();
    assert_eq!(error.to_string(), "GH_TOKEN is not UTF-8");
    assert!(!format!("{error:?}").contains("visible"));
}
