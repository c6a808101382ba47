//! Tables, records and charts.

use insta::assert_snapshot;

use super::*;
use crate::report::table::draw;

const NARROW: Look = Look {
    width: Some(40),
    ..PIPED
};

fn hostile() -> Rows {
    let names = [("id", oid::INT4), ("name", 25), ("note\x1b[1m", 25)];
    rows(
        &names,
        &[
            &[Some("1"), Some("日本語"), Some("two\nlines")],
            &[Some("12345"), None, Some("\x1b]0;title\x07\x1b[31mred\r")],
            &[None, Some("null"), Some("")],
        ],
    )
}

#[test]
fn hostile_values_are_shown_and_not_obeyed() {
    assert_snapshot!(text(&draw(&hostile(), Show::Table, 20, PIPED)), @r#"
       id  name    note\u{1b}[1m
        1  日本語  two↵lines
    12345  null    \u{1b}]0;title\u{7}\u{1b}[31mred\r
     null  "null"
    "#);
    assert_snapshot!(text(&draw(&hostile(), Show::Record, 20, PIPED)), @r#"
    id             1
    name           日本語
    note\u{1b}[1m  two
                   lines

    id             12345
    name           null
    note\u{1b}[1m  \u{1b}]0;title\u{7}\u{1b}[31mred\r

    id             null
    name           "null"
    note\u{1b}[1m
    "#);
}

#[test]
fn text_gives_way_to_numbers_and_the_last_columns_to_the_first() {
    let long = "a long text that has no room here";
    let names = [
        ("id", oid::INT8),
        ("first", 25),
        ("second", 25),
        ("n", oid::NUMERIC),
    ];
    let wide = rows(
        &names,
        &[&[Some("1234567890"), Some(long), Some("short"), Some("12.50")]],
    );
    assert_snapshot!(text(&draw(&wide, Show::Table, 20, NARROW)), @r"
            id  first          second      n
    1234567890  a long text …  short   12.50
    ");
    let names: Vec<(String, u32)> = (0..40).map(|n| (format!("column{n}"), 25)).collect();
    let names: Vec<(&str, u32)> = names
        .iter()
        .map(|(name, oid)| (name.as_str(), *oid))
        .collect();
    let very_wide = rows(&names, &[&[Some(long); 40]]);
    assert_snapshot!(text(&draw(&very_wide, Show::Table, 20, NARROW)), @r"
    column0    column1    column2   column3
    a long t…  a long t…  a long …  a long …
    … and 36 more columns: column4, column5…
    ");
    let piped = text(&draw(&very_wide, Show::Table, 20, PIPED));
    assert_eq!(piped.matches(long).count(), 40);
}

#[test]
fn rows_past_those_shown_are_counted() {
    let mut many = rows(
        &[("n", oid::INT4)],
        &[&[Some("1")], &[Some("2")], &[Some("3")]],
    );
    many.count = 1003;
    assert_snapshot!(text(&draw(&many, Show::Table, 2, PIPED)), @r"
    n
    1
    2
    … and 1001 more rows
    ");
}

#[test]
fn nothing_is_drawn_of_nothing() {
    let no_columns = Rows {
        columns: Vec::new(),
        rows: vec![Vec::new()],
        count: 1,
    };
    let no_rows = rows(&[("id", oid::INT4)], &[]);
    for show in [Show::Table, Show::Record, Show::Chart, Show::None] {
        assert!(draw(&no_columns, show, 20, PIPED).is_empty());
        assert!(draw(&no_rows, show, 20, PIPED).is_empty());
    }
}

#[test]
fn charts_have_bars() {
    let names = [("table", 25), ("size", oid::INT8)];
    let data: [&[Option<&str>]; 5] = [
        &[Some("users"), Some("1000")],
        &[Some("companies"), Some("333")],
        &[None, Some("1")],
        &[Some("none"), Some("0")],
        &[Some("unknown"), None],
    ];
    let sizes = rows(&names, &data);
    assert_snapshot!(text(&draw(&sizes, Show::Chart, 20, NARROW)), @r"
    users      1000  ███████████████████████
    companies   333  ███████▋
    null          1  ▏
    none          0
    unknown    null
    ");
    let ascii = Look {
        unicode: false,
        ..NARROW
    };
    assert_snapshot!(text(&draw(&sizes, Show::Chart, 20, ascii)), @r"
    users      1000  #######################
    companies   333  #######
    null          1  #
    none          0
    unknown    null
    ");
}
