//! Which targets run, and how.

use super::*;

fn args(targets: &[&str]) -> Args {
    Args {
        targets: words(targets),
        seconds: 600,
        keep: false,
    }
}

#[test]
fn all_targets_run_where_none_is_named() {
    assert_eq!(args(&[]).chosen("open\nwire").unwrap(), ["open", "wire"]);
    assert_eq!(args(&["wire"]).chosen("open\nwire").unwrap(), ["wire"]);
}

#[test]
fn a_target_that_is_not_there_is_told_with_those_that_are() {
    let error = args(&["shut"]).chosen("open\nwire").unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"there is no target "shut", but open, wire"#
    );
}

#[test]
fn a_run_ends_in_time_and_leaves_the_kept_corpus_alone() {
    assert_eq!(
        args(&[]).to_run("open").join(" "),
        "run --release open target/corpus/open corpus/open -- -max_total_time=600 -print_final_stats=1 \
         -malloc_limit_mb=64"
    );
    assert_eq!(
        to_merge("open").join(" "),
        "run --release open corpus/open target/corpus/open -- -set_cover_merge=1"
    );
}
