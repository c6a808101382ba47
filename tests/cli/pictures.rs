//! `show`, and each kind of graph.

use insta::assert_snapshot;

use crate::test::{READS, Test};

#[test]
fn a_page_shows_what_a_runbook_takes_does_and_touches() {
    assert_snapshot!(Test::new().args(["show", "user-cannot-login"]).stdout(0));
    assert_snapshot!(
        Test::new()
            .runbook("reads", READS)
            .args(["show", "reads"])
            .stdout(0)
    );
}

#[test]
fn a_page_in_another_locale_is_ascii() {
    let test = Test::new().var("LANG", "C").runbook("reads", READS);
    let page = test.args(["show", "reads"]).stdout(0);
    assert!(page.is_ascii(), "{page}");
}

#[test]
fn every_graph_is_drawn() {
    for format in ["text", "mermaid", "dot", "svg"] {
        let args = ["show", "user-cannot-login", "--graph", format];
        insta::with_settings!({ snapshot_suffix => format }, {
            assert_snapshot!("graph", Test::new().args(args).stdout(0));
        });
    }
}
