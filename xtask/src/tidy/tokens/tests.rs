//! Code that must fail, and text that only looks like it.

use super::check;
use crate::tidy::checkout::File;

const NONE: [usize; 0] = [];

/// The lines that are found wrong.
fn lines(code: &str) -> Vec<usize> {
    let file = File {
        path: "src/a.rs".to_owned(),
        text: code.to_owned(),
    };
    check(&[file]).into_iter().map(|found| found.line).collect()
}

#[test]
fn a_silenced_lint_fails_wherever_it_stands() {
    assert_eq!(lines("#![allow(dead_code)]"), [1]);
    assert_eq!(
        lines("fn f() {\n    #[allow(unused)]\n    let x = 1;\n}"),
        [2]
    );
    assert_eq!(lines("#[cfg_attr(test, allow(dead_code))] struct S;"), [1]);
}

#[test]
fn an_expectation_needs_a_reason() {
    assert_eq!(lines("#[expect(dead_code)] fn f() {}"), [1]);
    assert_eq!(
        lines("#[expect(dead_code, reason = \"r\")] fn f() {}"),
        NONE
    );
}

#[test]
fn a_skipped_test_fails() {
    assert_eq!(lines("#[test]\n#[ignore]\nfn f() {}"), [2]);
    assert_eq!(lines("#[test]\n#[ignore = \"slow\"]\nfn f() {}"), [2]);
    assert_eq!(lines("#[cfg_attr(miri, ignore)] fn f() {}"), [1]);
}

#[test]
fn unfinished_code_fails() {
    assert_eq!(lines("fn f() { todo!() }"), [1]);
    assert_eq!(lines("fn f() {\n g(|| unimplemented!(\"x\"))\n}"), [2]);
    assert_eq!(lines("fn f() { dbg!(1); }"), [1]);
}

#[test]
fn a_queue_without_a_bound_fails() {
    assert_eq!(
        lines("fn f() { tokio::sync::mpsc::unbounded_channel(); }"),
        [1]
    );
    assert_eq!(lines("fn f() { let q = mpsc::channel(); }"), [1]);
    assert_eq!(
        lines("fn f() { let q = mpsc::channel::<Vec<(u8, u8)>>(); }"),
        [1]
    );
    assert_eq!(
        lines("fn f() { futures::channel::mpsc::unbounded(); }"),
        [1]
    );
    assert_eq!(lines("struct S {\n    q: UnboundedSender<u8>,\n}"), [2]);
}

#[test]
fn a_bounded_queue_and_a_oneshot_pass() {
    assert_eq!(
        lines("fn f() { mpsc::channel::<Vec<u8>>(8); oneshot::channel(); }"),
        NONE
    );
}

#[test]
fn comments_and_strings_may_name_what_code_may_not_do() {
    assert_eq!(
        lines("//! No `todo!()`, no #[allow(dead_code)].\n/* dbg!(1) */"),
        NONE
    );
    assert_eq!(
        lines(r##"const S: &str = "todo!() #[ignore]"; const R: &str = r#"dbg!("x")"#;"##),
        NONE
    );
}

#[test]
fn what_is_not_rust_fails() {
    assert_eq!(lines("fn f( {").len(), 1);
}
