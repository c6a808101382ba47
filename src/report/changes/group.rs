//! Puts rows together that changed alike.

use crate::engine::change::{ColumnChange, Deed, RowChange, TableChange};

/// Rows that changed alike: the same column from the same value to the same value.
pub(in crate::report) struct Group<'a> {
    /// The rows.
    pub(in crate::report) rows: Vec<&'a RowChange>,
    /// What changed; all of a row that is new or gone.
    pub(in crate::report) change: Option<&'a ColumnChange>,
    /// Whether the values differ from row to row, as they do by their nature.
    pub(in crate::report) mixed: bool,
}

impl<'a> Group<'a> {
    fn new(row: &'a RowChange, change: Option<&'a ColumnChange>) -> Self {
        Self {
            rows: vec![row],
            change,
            mixed: false,
        }
    }

    fn takes(&self, change: &ColumnChange) -> bool {
        self.change.is_some_and(|own| {
            own.column == change.column
                && own.volatile == change.volatile
                && (own.volatile || own == change)
        })
    }

    /// Returns whether another group has the same rows.
    pub(in crate::report) fn same_rows(&self, other: &Self) -> bool {
        let pairs = || self.rows.iter().zip(&other.rows);
        self.rows.len() == other.rows.len() && pairs().all(|(a, b)| std::ptr::eq(*a, *b))
    }
}

/// Groups the rows of a table; returns the groups and how many rows are in them. A row is shown with all
/// that changed of it, or not at all.
pub(in crate::report) fn groups(table: &TableChange, most: usize) -> (Vec<Group<'_>>, usize) {
    let mut groups: Vec<Group> = Vec::new();
    let mut shown = 0;
    for row in table.rows.iter().filter(|row| !unchanged(row)) {
        let whole = row.deed != Deed::Updated;
        let changes: Vec<Option<&ColumnChange>> = if whole {
            vec![None]
        } else {
            row.columns.iter().map(Some).collect()
        };
        let place = |change: Option<&ColumnChange>| {
            let change = change?;
            groups.iter().position(|group| group.takes(change))
        };
        let places: Vec<Option<usize>> = changes.iter().copied().map(place).collect();
        let added = places.iter().filter(|place| place.is_none()).count();
        if !groups.is_empty() && groups.len() + added > most {
            continue;
        }
        shown += 1;
        for (place, change) in places.into_iter().zip(changes) {
            match place {
                Some(index) => {
                    let group = &mut groups[index];
                    group.mixed |= group.change != change;
                    group.rows.push(row);
                }
                None => groups.push(Group::new(row, change)),
            }
        }
    }
    (groups, shown)
}

/// Returns whether a row was updated to what it was.
pub(in crate::report) fn unchanged(row: &RowChange) -> bool {
    row.deed == Deed::Updated && row.columns.is_empty()
}
