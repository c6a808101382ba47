//! Draws row changes: by table and key, before and after, rows that changed alike together.

pub(super) mod group;

use self::group::{Group, groups, unchanged};
use super::amount;
use super::line::{Line, flow};
use super::look::{Look, Mark, Tone};
use super::table::more_of;
use crate::base::words;
use crate::engine::change::{Changes, ColumnChange, Deed, TableChange};

/// How many lines of changes are shown of a table.
pub const MOST_LINES: usize = 20;

/// How many lines of changes are shown of a table where a person approves them.
const MOST_APPROVED: usize = 50;

/// How many keys of rows that changed alike are named.
const MOST_KEYS: usize = 6;

/// Longer keys and values are shortened.
const LONGEST: usize = 40;

/// Keys end at a common column, as far as they are not longer than this.
const WIDEST_KEY: usize = 24;

/// Between the parts of a line.
const GAP: usize = 2;

/// Returns "5 rows of 3 tables".
pub fn summary(changes: &Changes) -> String {
    let rows = amount::rows(changes.count());
    match changes.tables.as_slice() {
        [] => rows,
        [only] => format!("{rows} of {}", only.table),
        tables => {
            let tables = words::count(amount::long(tables.len()), "table");
            format!("{rows} of {tables}")
        }
    }
}

/// Draws how many rows of each table changed, and how.
pub fn counts(changes: &Changes, look: Look) -> Vec<Line> {
    let names = changes
        .tables
        .iter()
        .map(|table| look.line().plain(&table.table));
    let names: Vec<Line> = names.collect();
    let width = names.iter().map(Line::width).fold(0, usize::max) + GAP;
    let draw = |(name, table): (Line, &TableChange)| {
        let line = name.to(width).plain(&deeds(table));
        if table.indirect {
            line.dim(INDIRECT)
        } else {
            line
        }
    };
    names.into_iter().zip(&changes.tables).map(draw).collect()
}

/// Draws changes, at most `most` lines of a table.
pub fn draw(changes: &Changes, most: usize, look: Look) -> Vec<Line> {
    let longest = look
        .width
        .map_or(LONGEST, |width| (width / 4).clamp(12, LONGEST));
    let detail = Detail {
        lines: most,
        keys: MOST_KEYS,
        key: LONGEST,
        value: longest,
    };
    lay_out(changes, detail, look)
}

/// Draws changes as a person approves them: keys and values in full, however wide.
pub fn draw_full(changes: &Changes, look: Look) -> Vec<Line> {
    let detail = Detail {
        lines: MOST_APPROVED,
        keys: usize::MAX,
        key: usize::MAX,
        value: usize::MAX,
    };
    lay_out(changes, detail, look)
}

/// How much of changes is drawn.
#[derive(Clone, Copy)]
struct Detail {
    /// Lines of a table.
    lines: usize,
    /// Keys of rows that changed alike.
    keys: usize,
    /// Columns of a key.
    key: usize,
    /// Columns of a value.
    value: usize,
}

fn lay_out(changes: &Changes, detail: Detail, look: Look) -> Vec<Line> {
    let entries: Vec<Entry> = changes
        .tables
        .iter()
        .flat_map(|table| entries(table, detail, look))
        .collect();
    let widest = |of: &dyn Fn(&Entry) -> usize| entries.iter().map(of).fold(0, usize::max);
    let columns = Columns {
        table: widest(&|entry| entry.table.width()),
        key: widest(&|entry| entry.key.width()).min(WIDEST_KEY),
        name: widest(&Entry::name_width),
    };
    let unseen = changes
        .unseen
        .iter()
        .map(|text| look.line().mark(Mark::Warning).gap(1).plain(text));
    entries
        .iter()
        .flat_map(|entry| entry.draw(&columns, look))
        .chain(unseen)
        .collect()
}

pub(super) const INDIRECT: &str = " (by a trigger or cascade)";

/// How wide the parts of all lines are.
struct Columns {
    table: usize,
    key: usize,
    name: usize,
}

/// A line of changes before it is laid out.
struct Entry {
    table: Line,
    key: Line,
    what: What,
}

enum What {
    /// A column, and its values before and after.
    Column(Line, Line),
    /// All columns of a row that is new or gone.
    Row(Vec<Line>),
    /// Something to know about the table.
    Note(Line),
}

impl Entry {
    fn name_width(&self) -> usize {
        match &self.what {
            What::Column(name, _) => name.width(),
            What::Row(_) | What::Note(_) => 0,
        }
    }

    fn draw(&self, columns: &Columns, look: Look) -> Vec<Line> {
        let key_end = columns.table + GAP + columns.key;
        let line = look.line().then(&self.table);
        let start = match &self.what {
            What::Note(_) => line.to(columns.table + GAP),
            _ if self.key.is_empty() => line.to(key_end + GAP),
            _ => line.ending(&self.key, key_end).gap(GAP).to(key_end + GAP),
        };
        let indent = start.width();
        match &self.what {
            What::Note(note) => vec![start.then(note)],
            What::Column(name, values) => {
                vec![
                    start
                        .then(name)
                        .to(indent + columns.name + GAP)
                        .then(values),
                ]
            }
            What::Row(values) => {
                let room = look.edge().saturating_sub(indent).max(1);
                let narrow = Look {
                    width: Some(room),
                    ..look
                };
                let lines = flow(values, 3, narrow).into_iter().enumerate();
                let put = |(index, values): (usize, Line)| match index {
                    0 => start.clone().then(&values),
                    _ => values.indented(indent),
                };
                let lines: Vec<Line> = lines.map(put).collect();
                if lines.is_empty() { vec![start] } else { lines }
            }
        }
    }
}

fn entries(table: &TableChange, detail: Detail, look: Look) -> Vec<Entry> {
    let (groups, shown) = groups(table, detail.lines);
    let mut entries: Vec<Entry> = groups
        .iter()
        .enumerate()
        .map(|(index, group)| {
            let repeated = index > 0 && group.same_rows(&groups[index - 1]);
            Entry {
                table: look.line(),
                key: if repeated {
                    look.line()
                } else {
                    key(group, detail, look)
                },
                what: what(group, &table.key, detail, look),
            }
        })
        .collect();
    if let Some(note) = note(table, shown, look) {
        entries.push(Entry {
            table: look.line(),
            key: look.line(),
            what: What::Note(note),
        });
    }
    if let Some(first) = entries.first_mut() {
        first.table = look.line().plain(&table.table);
    }
    entries
}

/// Draws what the lines of a table do not say.
fn note(table: &TableChange, shown: usize, look: Look) -> Option<Line> {
    let same = table.rows.iter().filter(|row| unchanged(row)).count();
    let known = amount::long(shown) + amount::long(same);
    let more = table.count().saturating_sub(known);
    let mut parts = Vec::new();
    if more > 0 && shown > 0 {
        parts.push(more_of(&amount::rows(more), look));
    }
    if more > 0 || table.indirect {
        parts.push(look.line().dim(&deeds(table)));
    }
    if same > 0 {
        let verb = if same == 1 { "stays" } else { "stay" };
        let words = format!("{} {verb} the same", amount::rows(amount::long(same)));
        parts.push(look.line().dim(&words));
    }
    let note = parts
        .iter()
        .enumerate()
        .fold(look.line(), |line, (index, part)| {
            line.dim(if index == 0 { "" } else { ", " }).then(part)
        });
    let note = if table.indirect {
        note.toned(Tone::Warn, INDIRECT)
    } else {
        note
    };
    (!note.is_empty()).then_some(note)
}

/// Returns "2 inserted, 3 updated".
pub(super) fn deeds(table: &TableChange) -> String {
    let deeds = [
        (table.inserted, "inserted"),
        (table.updated, "updated"),
        (table.deleted, "deleted"),
    ];
    let some: Vec<String> = deeds
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, deed)| format!("{count} {deed}"))
        .collect();
    if some.is_empty() {
        "no rows".to_owned()
    } else {
        some.join(", ")
    }
}

/// Draws the keys of a group: "1, 2, 3".
fn key(group: &Group, detail: Detail, look: Look) -> Line {
    let (deed, unkeyed) = match group.rows.first() {
        Some(first) => (first.deed, first.key.is_empty()),
        None => return look.line(),
    };
    let line = match deed {
        Deed::Inserted => look.line().toned(Tone::Good, "+ "),
        Deed::Deleted => look.line().toned(Tone::Bad, "- "),
        Deed::Updated => look.line(),
    };
    if unkeyed {
        return line.dim(&amount::rows(amount::long(group.rows.len())));
    }
    let keys = group.rows.iter().take(detail.keys).enumerate();
    let line = keys.fold(line, |line, (index, row)| {
        let key = match row.key.as_slice() {
            [only] => look.line().plain(only),
            several => look.line().plain(&format!("({})", several.join(", "))),
        };
        let line = line.plain(if index == 0 { "" } else { ", " });
        line.then(&key.shortened(detail.key))
    });
    match group.rows.len().saturating_sub(detail.keys) {
        0 => line,
        more => {
            let words = format!(", {} {more} more", look.glyphs().ellipsis);
            line.dim(&words)
        }
    }
}

fn what(group: &Group, key: &[String], detail: Detail, look: Look) -> What {
    match group.change {
        Some(change) => {
            let name = look.line().plain(&change.column);
            What::Column(name, values(change, group.mixed, detail, look))
        }
        None => What::Row(
            group
                .rows
                .iter()
                .flat_map(|row| row.columns.iter().map(|column| (row.deed, column)))
                .filter(|(_, column)| !key.contains(&column.column))
                .map(|(deed, column)| pair(deed, column, detail, look))
                .collect(),
        ),
    }
}

/// Draws a column of a row that is new or gone.
fn pair(deed: Deed, column: &ColumnChange, detail: Detail, look: Look) -> Line {
    let text = match deed {
        Deed::Deleted => &column.before,
        Deed::Inserted | Deed::Updated => &column.after,
    };
    let name = look.line().dim(&column.column).gap(1);
    let line = name.then(&value(text.as_deref(), look).shortened(detail.value));
    if column.volatile {
        line.dim(VOLATILE)
    } else {
        line
    }
}

pub(super) const VOLATILE: &str = " (differs from run to run)";

/// Draws a value before and after.
fn values(change: &ColumnChange, mixed: bool, detail: Detail, look: Look) -> Line {
    if mixed {
        return look
            .line()
            .dim("differs from row to row and from run to run");
    }
    let (before, after) = (change.before.as_deref(), change.after.as_deref());
    let skipped = common(before, after, detail.value);
    let show = |text: Option<&str>| match (skipped, text) {
        (1.., Some(text)) => {
            let tail: String = text.chars().skip(skipped).collect();
            look.line().dim(look.glyphs().ellipsis).plain(&tail)
        }
        _ => value(text, look),
    };
    let short = |text: Option<&str>| show(text).shortened(detail.value);
    let line = short(before)
        .gap(1)
        .dim(look.glyphs().arrow)
        .gap(1)
        .then(&short(after));
    if change.volatile {
        line.dim(VOLATILE)
    } else {
        line
    }
}

/// Returns how many characters that both begin with are left out, so that the difference is seen.
fn common(before: Option<&str>, after: Option<&str>, longest: usize) -> usize {
    const CONTEXT: usize = 8;
    let (Some(before), Some(after)) = (before, after) else {
        return 0;
    };
    let same = before
        .chars()
        .zip(after.chars())
        .take_while(|(a, b)| a == b)
        .count();
    if same + CONTEXT > longest {
        same - CONTEXT.min(same)
    } else {
        0
    }
}

/// Draws a value that stands alone: an empty text in quotes, else it would not be seen.
fn value(text: Option<&str>, look: Look) -> Line {
    match text {
        Some("") => look.line().plain("\"\""),
        text => super::table::cell(text, look),
    }
}
