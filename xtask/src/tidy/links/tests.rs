//! Links in fabricated repositories.

use super::check;
use crate::tidy::checkout::File;

fn file(path: &str, text: &str) -> File {
    File {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

/// How many links of `text`, in docs/page.md, lead nowhere.
fn broken(text: &str) -> usize {
    let files = [
        file("docs/page.md", text),
        file(
            "README.md",
            "# Using it with `gh`, and curl\n## Again\n## Again\n",
        ),
        file("crates/cli/src/main.rs", "//! Main."),
    ];
    check(&files).len()
}

#[test]
fn links_to_files_folders_headings_and_elsewhere_pass() {
    assert_eq!(
        broken("[a](../README.md) [b](/crates/cli) [c](../crates/cli/src/main.rs)"),
        0
    );
    assert_eq!(
        broken("[a](../README.md#using-it-with-gh-and-curl) [b](/README.md#again-1)"),
        0
    );
    assert_eq!(
        broken("# Here\n[a](#here) [b](https://example.org/x) <mailto:a@example.org>"),
        0
    );
}

#[test]
fn a_link_to_a_missing_file_fails_at_its_line() {
    let found = check(&[file("README.md", "Text.\n\nSee [it](docs/gone.md).\n")]);
    let [finding] = &found[..] else {
        panic!("one link is broken")
    };
    assert_eq!((finding.path.as_str(), finding.line), ("README.md", 3));
}

#[test]
fn a_link_by_reference_and_an_image_are_links_too() {
    assert_eq!(broken("[it][ref]\n\n[ref]: gone.md\n"), 1);
    assert_eq!(broken("![picture](gone.svg)"), 1);
}

#[test]
fn a_link_to_a_missing_heading_fails() {
    assert_eq!(
        broken("[a](../README.md#gone) [b](#gone) [c](../README.md#again-2)"),
        3
    );
}

#[test]
fn a_link_out_of_the_repository_fails() {
    assert_eq!(broken("[issues](../../issues)"), 1);
}

#[test]
fn what_stands_in_code_is_no_link() {
    assert_eq!(broken("`[a](gone.md)`\n\n```text\n[b](gone.md)\n```\n"), 0);
}
