//! Row changes of every kind.

use insta::assert_snapshot;

use super::*;
use crate::report::changes::draw;

fn drawn(tables: Vec<TableChange>, most: usize) -> String {
    text(&draw(&Changes::new(tables), most, PIPED))
}

#[test]
fn new_and_gone_rows_show_all_their_values() {
    let new = [
        change("id", None, Some("7")),
        change("name", None, Some("Acme \x1b[2J GmbH")),
        change("note", None, None),
        ColumnChange {
            volatile: true,
            ..change("at", None, Some("10:00"))
        },
    ];
    let gone = [
        change("id", Some("8"), None),
        change("name", Some(""), None),
    ];
    let changes = vec![table(
        "companies",
        vec![
            row(&["7"], Deed::Inserted, &new),
            row(&["8"], Deed::Deleted, &gone),
        ],
    )];
    assert_snapshot!(drawn(changes, 20), @r#"
    companies  + 7  name Acme \u{1b}[2J GmbH   note null   at 10:00 (differs from run to run)
               - 8  name ""
    "#);
}

#[test]
fn what_is_the_same_indirect_or_not_shown_is_said() {
    let same = row(&["1"], Deed::Updated, &[]);
    let other = row(
        &["2"],
        Deed::Updated,
        &[change("n", Some("1"), Some("null"))],
    );
    let log = TableChange {
        inserted: 3,
        indirect: true,
        ..table("audit_log", Vec::new())
    };
    let uncaptured = TableChange {
        deleted: 900,
        ..table("events", Vec::new())
    };
    let changes = vec![table("users", vec![same, other]), log, uncaptured];
    assert_snapshot!(drawn(changes, 20), @r#"
    users      2  n  1 → "null"
               1 row stays the same
    audit_log  3 inserted (by a trigger or cascade)
    events     900 deleted
    "#);
}

#[test]
fn rows_are_shown_whole_or_counted() {
    let own_mail = |n: usize| {
        let key = n.to_string();
        let own = change("email", Some(&key), Some("x"));
        row(
            &[&key],
            Deed::Updated,
            &[change("active", Some("f"), Some("t")), own],
        )
    };
    let changes = vec![table("users", (1..=9).map(own_mail).collect())];
    assert_snapshot!(drawn(changes, 4), @r"
    users  1, 2, 3  active  f → t
                 1  email   1 → x
                 2  email   2 → x
                 3  email   3 → x
           … and 6 more rows, 9 updated
    ");
}

#[test]
fn many_keys_are_shortened_and_composite_ones_bracketed() {
    let active = [change("active", Some("f"), Some("t"))];
    let keys: Vec<String> = (1..=1000).map(|n| n.to_string()).collect();
    let many = keys
        .iter()
        .map(|key| row(&[key], Deed::Updated, &active))
        .collect();
    let pair = row(&["1", "de"], Deed::Updated, &active);
    let keyless = row(&[], Deed::Updated, &active);
    let changes = vec![
        table("users", many),
        table("texts", vec![pair]),
        table("log", vec![keyless]),
    ];
    assert_snapshot!(drawn(changes, 20), @r"
    users  1, 2, 3, 4, 5, 6, … 994 more  active  f → t
    texts                   (1, de)  active  f → t
    log                       1 row  active  f → t
    ");
}

#[test]
fn long_values_are_cut_where_they_do_not_differ() {
    let base = "x".repeat(100);
    let (before, after) = (format!("{base} before"), format!("{base} after"));
    let at = |n| ColumnChange {
        volatile: true,
        ..change("at", Some("10:00"), Some(n))
    };
    let long = change("text", Some(&before), Some(&after));
    let new = change("doc", None, Some(&base));
    let changes = vec![table(
        "texts",
        vec![
            row(&["1"], Deed::Updated, &[long, new, at("11:00")]),
            row(&["2"], Deed::Updated, &[at("12:00")]),
        ],
    )];
    assert_snapshot!(drawn(changes, 20), @r"
    texts     1  text  …xxxxxxx before → …xxxxxxx after
                 doc   null → xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
           1, 2  at    differs from row to row and from run to run
    ");
}
