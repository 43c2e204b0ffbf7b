//! Files too long, too silent, or named for nothing.

use super::{LONG, TOO_LONG, check};
use crate::tidy::Weight;
use crate::tidy::checkout::File;

fn file(path: &str, text: impl Into<String>) -> File {
    File {
        path: path.to_owned(),
        text: text.into(),
    }
}

fn of_lines(lines: usize) -> File {
    file("src/a.rs", "//! Lines.\n".repeat(lines))
}

#[test]
fn a_short_module_that_says_what_it_is_for_passes() {
    assert_eq!(check(&[of_lines(LONG)]), []);
}

#[test]
fn a_long_file_is_noted() {
    for lines in [LONG + 1, TOO_LONG] {
        let found = check(&[of_lines(lines)]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].weight, Weight::Note);
    }
}

#[test]
fn a_file_that_is_too_long_fails() {
    let found = check(&[of_lines(TOO_LONG + 1)]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].weight, Weight::Wrong);
}

#[test]
fn a_module_without_its_first_line_fails() {
    for text in ["", "use std::fmt;\n//! Late.", "// Not a doc comment."] {
        assert_eq!(check(&[file("src/a.rs", text)]).len(), 1);
    }
}

#[test]
fn names_that_say_nothing_fail_for_files_and_folders() {
    for path in ["src/utils.rs", "src/a/mod.rs", "tests/common/nodes.rs"] {
        assert_eq!(check(&[file(path, "//! Something.")]).len(), 1, "{path}");
    }
}

#[test]
fn other_files_are_left_alone() {
    assert_eq!(check(&[file("docs/types.md", "# Types")]), []);
}
