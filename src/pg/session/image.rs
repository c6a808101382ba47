//! Rows as they were and as they are, and what of them is a change.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::table::TableFacts;
use crate::engine::change::{ColumnChange, Deed, RowChange, Tally};
use crate::runbook::data::record_fields;
use crate::sql::target::Target;

/// The values of a row, in the order of its table's columns.
pub(super) type Image = Vec<Option<String>>;

/// Rows by key, before and after.
pub(super) type Remembered = HashMap<String, (Option<String>, Option<String>)>;

/// How many keys of a statement's rows are remembered, where a trigger may change these rows again.
pub(super) const REMEMBERED: usize = 100_000;

/// What of a transaction's values is new each time.
pub(super) struct Clock<'a> {
    /// The texts of the transaction's time.
    pub(super) now: &'a [String],
    /// Whether the statement asks for the time.
    pub(super) asked: bool,
    /// Keys that the transaction's own INSERTs were given, by table.
    pub(super) generated: &'a HashSet<(String, String)>,
    /// The fix's `ignore`: columns that triggers keep.
    pub(super) ignored: &'a [String],
}

impl Clock<'_> {
    /// Returns whether the transaction itself made the row of a key.
    fn made(&self, facts: &TableFacts, key: &[String]) -> bool {
        !self.generated.is_empty()
            && key.iter().any(|part| {
                let known = (facts.name.clone(), part.clone());
                self.generated.contains(&known)
            })
    }
}

/// A row as its statement returns it.
pub(super) struct Pair<'a> {
    /// `ROW(key)::text`.
    pub(super) key: &'a str,
    pub(super) before: Option<&'a str>,
    pub(super) after: Option<&'a str>,
    /// Whether it is new where nothing is known of it before.
    pub(super) fresh: bool,
}

impl Pair<'_> {
    pub(super) fn deed(&self) -> Deed {
        match (self.before, self.after) {
            (Some(_), None) => Deed::Deleted,
            (None, Some(_)) if self.fresh => Deed::Inserted,
            _ => Deed::Updated,
        }
    }
}

/// The rows of one statement in its own table, as they stream by.
pub(super) struct Direct<'a> {
    target: &'a Target,
    facts: &'a TableFacts,
    pub(super) clock: Clock<'a>,
    pub(super) tally: Tally,
    /// Columns that differ in any updated row.
    pub(super) changed: BTreeSet<String>,
    /// Columns that a trigger sets to the time.
    pub(super) kept: BTreeSet<String>,
    /// How many updated rows there are of which is not known what they were.
    pub(super) blurred: u64,
    /// Keys that new rows were given by their defaults.
    pub(super) generated: HashSet<(String, String)>,
    /// The rows by key, where a trigger may change them again: as they were, and as the statement left them.
    pub(super) remembered: Option<Remembered>,
}

impl<'a> Direct<'a> {
    pub(super) fn new(
        target: &'a Target,
        facts: &'a TableFacts,
        clock: Clock<'a>,
        remember: bool,
    ) -> Self {
        Self {
            target,
            facts,
            clock,
            tally: Tally::empty(&facts.name, &facts.key, false),
            changed: BTreeSet::new(),
            kept: BTreeSet::new(),
            blurred: 0,
            generated: HashSet::new(),
            remembered: remember.then(HashMap::new),
        }
    }

    pub(super) fn take(&mut self, pair: &Pair) {
        if let Some(rows) = self
            .remembered
            .as_mut()
            .filter(|rows| rows.len() <= REMEMBERED)
        {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            let images = (owned(pair.before), owned(pair.after));
            rows.insert(pair.key.to_owned(), images);
        }
        let deed = pair.deed();
        if deed == Deed::Updated && pair.before.is_none() {
            self.blurred += 1;
            self.tally.blur(deed, pair.after.unwrap_or_default());
            return;
        }
        let set = Some(self.target.set_columns.as_slice());
        let columns = differences(self.facts, set, pair, &self.clock);
        let key = key_of(self.facts, pair.key);
        if deed == Deed::Updated {
            self.differ(&columns);
        }
        for column in &columns {
            let fresh = deed == Deed::Inserted && column.volatile;
            if fresh && self.facts.key.contains(&column.column) {
                let value = column.after.clone().unwrap_or_default();
                self.generated.insert((self.facts.name.clone(), value));
            }
        }
        let own = deed != Deed::Inserted && self.clock.made(self.facts, &key);
        self.tally.add(RowChange {
            key,
            deed,
            columns,
            own,
        });
    }

    /// Returns the change of a row by a trigger or a cascade.
    pub(super) fn beside(clock: &Clock, facts: &TableFacts, pair: &Pair) -> RowChange {
        let (key, deed) = (key_of(facts, pair.key), pair.deed());
        RowChange {
            columns: differences(facts, None, pair, clock),
            own: deed != Deed::Inserted && clock.made(facts, &key),
            key,
            deed,
        }
    }

    fn differ(&mut self, columns: &[ColumnChange]) {
        for column in columns {
            if !self.changed.contains(&column.column) {
                self.changed.insert(column.column.clone());
            }
            let by_itself = !self.target.set_columns.contains(&column.column)
                && is_time(&self.clock, column.after.as_deref());
            if by_itself && !self.kept.contains(&column.column) {
                self.kept.insert(column.column.clone());
            }
        }
    }
}

/// Returns the values of a key; a table without one has none.
pub(super) fn key_of(facts: &TableFacts, text: &str) -> Vec<String> {
    if facts.key.is_empty() {
        return Vec::new();
    }
    let fields = record_fields(text).unwrap_or_default();
    fields.into_iter().map(Option::unwrap_or_default).collect()
}

fn is_time(clock: &Clock, value: Option<&str>) -> bool {
    value.is_some_and(|value| clock.now.iter().any(|now| now == value))
}

/// Returns the columns that differ. `set` are the columns that the statement sets itself; nothing where a
/// trigger or a cascade did it.
pub(super) fn differences(
    facts: &TableFacts,
    set: Option<&[String]>,
    pair: &Pair,
    clock: &Clock,
) -> Vec<ColumnChange> {
    if pair.before == pair.after {
        return Vec::new();
    }
    let read = |image: Option<&str>| image.and_then(record_fields);
    let (mut before, mut after) = (read(pair.before), read(pair.after));
    let value = |image: &mut Option<Image>, index: usize| {
        image.as_mut()?.get_mut(index).and_then(Option::take)
    };
    let both = before.is_some() && after.is_some();
    let (fresh, gone) = (before.is_none(), after.is_none());
    let mut changes = Vec::new();
    for (index, column) in facts.columns.iter().enumerate() {
        let (old, new) = (value(&mut before, index), value(&mut after, index));
        if both && old == new {
            continue;
        }
        let by_clock =
            is_time(clock, new.as_deref()) || ((clock.asked || set.is_none()) && column.temporal);
        // Only what the statement leaves to the default differs by its nature; what it names is its own.
        let by_default = fresh
            && column.volatile
            && set.is_none_or(|set| !set.is_empty() && !set.contains(&column.name));
        let by_trigger = both && clock.ignored.contains(&column.name);
        let by_reference = column.reference
            && new
                .as_ref()
                .is_some_and(|new| clock.generated.iter().any(|(_, key)| key == new));
        changes.push(ColumnChange {
            column: column.name.clone(),
            before: old,
            after: new,
            volatile: !gone && (by_clock || by_default || by_trigger || by_reference),
        });
    }
    changes
}
