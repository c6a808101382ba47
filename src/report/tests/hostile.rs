//! Whatever a database holds, it is drawn without harm.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::report::{changes, failure, table};

fn looks() -> impl Strategy<Value = Look> {
    (any::<bool>(), any::<bool>(), option::of(0..120usize)).prop_map(|(colors, unicode, width)| {
        Look {
            colors,
            unicode,
            width,
        }
    })
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a日\u{202e}\u{9b}\x1b\\[0-9;m\r\n\t\x08]{0,20}"
    ]
}

fn any_rows() -> impl Strategy<Value = Rows> {
    let column = (
        texts(),
        prop::sample::select(vec![25, oid::INT4, oid::NUMERIC]),
    );
    let columns = vec(
        column.prop_map(|(name, oid)| Column {
            name,
            kind: String::new(),
            oid,
            ..Column::default()
        }),
        0..5,
    );
    let number = any::<f64>().prop_map(|number| number.to_string());
    let cell = option::of(prop_oneof![texts(), number]);
    (columns, vec(vec(cell, 0..5), 0..5), any::<u64>()).prop_map(|(columns, rows, count)| Rows {
        columns,
        rows,
        count,
    })
}

fn any_table() -> impl Strategy<Value = TableChange> {
    let deed = prop::sample::select(vec![Deed::Inserted, Deed::Updated, Deed::Deleted]);
    let value = || option::of(texts());
    let column =
        (texts(), value(), value(), any::<bool>()).prop_map(|(column, before, after, volatile)| {
            ColumnChange {
                column,
                before,
                after,
                volatile,
            }
        });
    let row =
        (vec(texts(), 0..3), deed, vec(column, 0..4)).prop_map(|(key, deed, columns)| RowChange {
            key,
            deed,
            columns,
            own: false,
        });
    let counts = (0..9u64, 0..9u64, 0..9u64);
    (
        texts(),
        vec(texts(), 0..2),
        counts,
        vec(row, 0..8),
        any::<bool>(),
    )
        .prop_map(
            |(table, key, (inserted, updated, deleted), rows, indirect)| TableChange {
                table,
                key,
                inserted,
                updated,
                deleted,
                rows,
                indirect,
            },
        )
}

/// Returns the text without the colours that are ours.
fn without_colours(text: &str) -> String {
    let ours = [
        "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m",
    ];
    ours.iter()
        .fold(text.to_owned(), |text, code| text.replace(code, ""))
}

/// Asserts that each line is one line and obeys nothing.
fn harmless(lines: &[Line], look: Look) -> Result<(), TestCaseError> {
    for line in lines {
        let text = line.to_string();
        let text = if look.colors {
            without_colours(&text)
        } else {
            text
        };
        prop_assert!(!text.chars().any(char::is_control), "{text:?}");
        prop_assert!(!text.contains('\u{202e}'), "{text:?}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_rows_are_drawn(rows in any_rows(), look in looks(), most in 0..5usize) {
        for show in [Show::Table, Show::Record, Show::Chart] {
            harmless(&table::draw(&rows, show, most, look), look)?;
        }
    }

    #[test]
    fn tables_fit_the_terminal(mut rows in any_rows(), width in 30..120usize) {
        rows.count %= 1_000_000;
        let look = Look { width: Some(width), ..PIPED };
        for line in table::draw(&rows, Show::Table, 20, look) {
            prop_assert!(line.width() <= width, "{line}");
        }
    }

    #[test]
    fn any_changes_are_drawn(tables in vec(any_table(), 0..4), look in looks(), most in 0..5usize) {
        let found = Changes::new(tables);
        harmless(&changes::draw(&found, most, look), look)?;
        harmless(&changes::counts(&found, look), look)?;
    }

    #[test]
    fn any_failure_is_drawn(message in texts(), note in texts(), look in looks()) {
        let failure = Failure::new(FailureKind::Statement, message).note(note.clone()).help(note);
        harmless(&failure::draw(&failure, look), look)?;
    }
}
