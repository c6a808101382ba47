//! The parts of a page: texts, tables, lists and failures.

use serde::Serialize;

use crate::engine::change::{Changes, ColumnChange, Deed, TableChange};
use crate::engine::conflict::Conflict;
use crate::engine::event::Assertion;
use crate::engine::failure::Failure;
use crate::report::changes::group::{Group, groups, unchanged};
use crate::report::changes::{INDIRECT, VOLATILE, deeds};
use crate::report::database::{Audited, sentence};
use crate::report::line::legible;
use crate::report::table::is_number;
use crate::report::{amount, undo};
use crate::runbook::data::Rows;
use crate::step::query::Show;

/// How many lines of changes a table has.
const MOST_LINES: usize = 1000;

/// How many keys of rows that changed alike are named.
const MOST_KEYS: usize = 100;

/// A part of a page.
#[derive(Debug, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(in crate::report) enum Block {
    /// A paragraph.
    Text { text: String },
    /// What a person was asked.
    Question { text: String },
    /// What to do next.
    Help { text: String },
    /// The output of a program.
    Output { text: String },
    /// Rows.
    Table(Table),
    /// Things that are so, or not.
    List { items: Vec<Entry> },
    /// Why something failed.
    Failure {
        message: String,
        notes: Vec<String>,
        help: Vec<String>,
    },
}

/// Rows under their headings.
#[derive(Debug, Serialize)]
pub(in crate::report) struct Table {
    /// What stands above them; nothing of most.
    pub(in crate::report) caption: String,
    pub(in crate::report) heads: Vec<Head>,
    pub(in crate::report) rows: Vec<Vec<Cell>>,
    /// What is left out; nothing where all is there.
    pub(in crate::report) more: String,
}

/// A heading.
#[derive(Debug, Serialize)]
pub(in crate::report) struct Head {
    pub(in crate::report) name: String,
    pub(in crate::report) number: bool,
}

impl Head {
    fn text(name: &str) -> Self {
        Self {
            name: legible(name),
            number: false,
        }
    }
}

/// A cell: a text that stands for NULL looks another way than one that reads `null`.
#[derive(Debug, Default, Serialize)]
pub(in crate::report) struct Cell {
    pub(in crate::report) text: String,
    pub(in crate::report) null: bool,
}

impl Cell {
    fn text(text: &str) -> Self {
        Self {
            text: legible(text),
            null: false,
        }
    }

    fn value(value: Option<&str>) -> Self {
        match value {
            None => Self {
                text: "null".to_owned(),
                null: true,
            },
            Some("null") => Self::text("\"null\""),
            Some(text) => Self::text(text),
        }
    }

    /// An empty text stands in quotes, else it would not be seen.
    fn seen(value: Option<&str>) -> Self {
        match value {
            Some("") => Self::text("\"\""),
            value => Self::value(value),
        }
    }
}

/// A thing that is so, or not.
#[derive(Debug, Serialize)]
pub(in crate::report) struct Entry {
    pub(in crate::report) good: bool,
    pub(in crate::report) text: String,
    pub(in crate::report) help: String,
}

impl Block {
    /// Makes a paragraph.
    pub(super) fn text(text: &str) -> Self {
        Self::Text {
            text: legible(text.trim_end()),
        }
    }

    /// Makes what to do next.
    pub(super) fn help(text: &str) -> Self {
        Self::Help {
            text: legible(text.trim_end()),
        }
    }

    /// Makes the output of a program; nothing where there is none.
    pub(super) fn output(text: &str) -> Option<Self> {
        let text = legible(text.trim_end());
        (!text.is_empty()).then_some(Self::Output { text })
    }

    /// Makes a failure.
    pub(super) fn failure(failure: &Failure) -> Self {
        let message = match &failure.sqlstate {
            Some(code) => format!("{} (SQLSTATE {code})", failure.message),
            None => failure.message.clone(),
        };
        let all = |texts: &[String]| texts.iter().map(|text| legible(text)).collect();
        Self::Failure {
            message: legible(&message),
            notes: all(&failure.notes),
            help: all(&failure.help),
        }
    }

    /// Makes the assertions of a check.
    pub(super) fn assertions(items: &[Assertion]) -> Option<Self> {
        let entry = |item: &Assertion| {
            let help = item.otherwise.as_deref().filter(|_| !item.passed);
            Entry {
                good: item.passed,
                text: legible(&item.name),
                help: legible(help.unwrap_or_default().trim_end()),
            }
        };
        let group = |group: &Audited<'_>| Entry {
            good: group.is_good(),
            text: legible(&sentence(group)),
            help: legible(group.remedy().unwrap_or_default().trim_end()),
        };
        let own = items.iter().filter(|item| item.group.is_none());
        let groups = Audited::all(items);
        let items: Vec<Entry> = own.map(entry).chain(groups.iter().map(group)).collect();
        (!items.is_empty()).then_some(Self::List { items })
    }
}

/// Makes a table of rows; of rows that are shown as records, one that is as tall as they are wide.
pub(super) fn rows(rows: &Rows, show: Show) -> Option<Block> {
    if rows.columns.is_empty() || rows.rows.is_empty() || show == Show::None {
        return None;
    }
    let cells = |row: &Vec<Option<String>>| -> Vec<Cell> {
        let cells = row.iter().map(|cell| Cell::value(cell.as_deref()));
        cells.collect()
    };
    let (heads, shown) = if show == Show::Record && rows.rows.len() == 1 {
        let names = rows.columns.iter().map(|column| Cell::text(&column.name));
        let values = rows.rows.iter().flat_map(cells);
        let pairs = names.zip(values).map(|(name, value)| vec![name, value]);
        (
            vec![Head::text("column"), Head::text("value")],
            pairs.collect(),
        )
    } else {
        let heads = rows.columns.iter().map(|column| Head {
            name: legible(&column.name),
            number: is_number(column.oid),
        });
        (heads.collect(), rows.rows.iter().map(cells).collect())
    };
    let left = rows.count.saturating_sub(amount::long(rows.rows.len()));
    Some(Block::Table(Table {
        caption: String::new(),
        heads,
        rows: shown,
        more: more(left),
    }))
}

fn more(left: u64) -> String {
    match left {
        0 => String::new(),
        left => format!(
            "… and {left} more {}",
            if left == 1 { "row" } else { "rows" }
        ),
    }
}

/// Makes a table of every table that changed.
pub(super) fn changes(changes: &Changes) -> Vec<Block> {
    let tables = changes
        .tables
        .iter()
        .map(|table| Block::Table(changed(table)));
    let unseen = changes.unseen.iter().map(|text| Block::text(text));
    tables.chain(unseen).collect()
}

fn changed(table: &TableChange) -> Table {
    let (groups, shown) = groups(table, MOST_LINES);
    let same = table.rows.iter().filter(|row| unchanged(row)).count();
    let known = amount::long(shown) + amount::long(same);
    let indirect = if table.indirect { INDIRECT } else { "" };
    let key = match table.key.as_slice() {
        [] => "row".to_owned(),
        [only] => only.clone(),
        several => format!("({})", several.join(", ")),
    };
    let heads = [key.as_str(), "", "column", "before", "after"];
    Table {
        caption: legible(&format!("{}: {}{indirect}", table.table, deeds(table))),
        heads: heads.map(Head::text).into(),
        rows: groups
            .iter()
            .flat_map(|group| lines(group, &table.key))
            .collect(),
        more: more(table.count().saturating_sub(known)),
    }
}

/// Returns the lines of rows that changed alike: one a column.
fn lines(group: &Group, key: &[String]) -> Vec<Vec<Cell>> {
    let Some(first) = group.rows.first() else {
        return Vec::new();
    };
    let deed = match first.deed {
        Deed::Inserted => "inserted",
        Deed::Updated => "updated",
        Deed::Deleted => "deleted",
    };
    let columns: Vec<&ColumnChange> = match group.change {
        Some(change) => vec![change],
        None => first
            .columns
            .iter()
            .filter(|column| !key.contains(&column.column))
            .collect(),
    };
    let keys = keys(group);
    if columns.is_empty() {
        let blank = || Cell::default();
        return vec![vec![
            Cell::text(&keys),
            Cell::text(deed),
            blank(),
            blank(),
            blank(),
        ]];
    }
    let line = |column: &ColumnChange| {
        let note = if column.volatile { VOLATILE } else { "" };
        let name = Cell::text(&format!("{}{note}", column.column));
        let (before, after) = match first.deed {
            Deed::Inserted => (Cell::default(), Cell::seen(column.after.as_deref())),
            Deed::Deleted => (Cell::seen(column.before.as_deref()), Cell::default()),
            Deed::Updated if group.mixed => (
                Cell::text("differs from row to row"),
                Cell::text("differs from row to row"),
            ),
            Deed::Updated => (
                Cell::seen(column.before.as_deref()),
                Cell::seen(column.after.as_deref()),
            ),
        };
        vec![Cell::text(&keys), Cell::text(deed), name, before, after]
    };
    columns.into_iter().map(line).collect()
}

/// Returns "1, 2, 3".
fn keys(group: &Group) -> String {
    let key = |key: &[String]| match key {
        [only] => only.clone(),
        several => format!("({})", several.join(", ")),
    };
    if group.rows.first().is_none_or(|row| row.key.is_empty()) {
        return amount::rows(amount::long(group.rows.len()));
    }
    let shown = group.rows.iter().take(MOST_KEYS);
    let mut keys: Vec<String> = shown.map(|row| key(&row.key)).collect();
    if group.rows.len() > MOST_KEYS {
        keys.push(format!("… {} more", group.rows.len() - MOST_KEYS));
    }
    keys.join(", ")
}

/// Makes a table of every row with a conflict.
pub(super) fn conflicts(conflicts: &[Conflict]) -> Vec<Block> {
    let table = |conflict: &Conflict| {
        let columns = undo::columns(conflict);
        let cells = |row: &Vec<Option<String>>| {
            let cells = row.iter().map(|cell| Cell::value(cell.as_deref()));
            cells.collect()
        };
        Block::Table(Table {
            caption: legible(&format!(
                "Conflict: {} {}",
                undo::row(conflict),
                undo::happened(conflict)
            )),
            heads: columns
                .columns
                .iter()
                .map(|column| Head::text(&column.name))
                .collect(),
            rows: columns.rows.iter().map(cells).collect(),
            more: String::new(),
        })
    };
    conflicts.iter().map(table).collect()
}
