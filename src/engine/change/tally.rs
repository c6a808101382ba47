//! Adding up the changes of one table as they come: a count, a digest that no order changes, and the first
//! rows by key. However many rows there are, what is held of them stays small.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{Deed, RowChange, SHOWN_ROWS, TableChange, hash_text};

/// The changes of one table so far.
#[derive(Debug)]
pub struct Tally {
    /// The table and its counts; its rows come last.
    pub table: TableChange,
    /// The sum of the rows' hashes, as four numbers of 64 bits, the lowest first.
    sum: [u64; 4],
    /// The first rows by order; the number tells rows of one order apart.
    first: BTreeMap<(Order, u64), RowChange>,
    seen: u64,
}

/// What rows are ordered by: numbers in a key as numbers.
type Order = (Deed, Vec<(usize, String)>);

impl Tally {
    /// Begins with a table of which the counts may be known already.
    pub fn new(table: TableChange) -> Self {
        Self {
            table,
            sum: [0; 4],
            first: BTreeMap::new(),
            seen: 0,
        }
    }

    /// Begins with nothing changed.
    pub fn empty(table: &str, key: &[String], indirect: bool) -> Self {
        Self::new(TableChange {
            table: table.to_owned(),
            key: key.to_vec(),
            inserted: 0,
            updated: 0,
            deleted: 0,
            rows: Vec::new(),
            indirect,
        })
    }

    /// Counts a row and keeps it.
    pub fn add(&mut self, row: RowChange) {
        self.count(row.deed);
        self.keep(row);
    }

    /// Counts a row of which is not known what it was: it is not shown, but the digest covers it.
    pub fn blur(&mut self, deed: Deed, text: &str) {
        self.count(deed);
        self.mix(&Sha256::digest(text));
    }

    /// Counts a row that a trigger or a cascade changed. The values of a new one are shown, but the digest
    /// only counts it: what triggers write of their own is often new each time.
    pub fn note(&mut self, row: RowChange) {
        self.count(row.deed);
        if row.deed == Deed::Inserted {
            self.show(row);
        } else {
            self.keep(row);
        }
    }

    /// Takes a row that is counted already.
    pub(super) fn keep(&mut self, row: RowChange) {
        self.mix(&digest(&row));
        self.show(row);
    }

    fn show(&mut self, row: RowChange) {
        self.seen += 1;
        let order = (order(&row), self.seen);
        let full = self.first.len() >= SHOWN_ROWS;
        if full
            && self
                .first
                .last_key_value()
                .is_some_and(|(last, _)| *last <= order)
        {
            return;
        }
        self.first.insert(order, row);
        if full {
            self.first.pop_last();
        }
    }

    fn count(&mut self, deed: Deed) {
        match deed {
            Deed::Inserted => self.table.inserted += 1,
            Deed::Updated => self.table.updated += 1,
            Deed::Deleted => self.table.deleted += 1,
        }
    }

    /// Adds a hash to the sum, as numbers of 256 bits of which the highest carry is lost.
    fn mix(&mut self, hash: &[u8]) {
        let mut carry = false;
        for (part, bytes) in self.sum.iter_mut().zip(hash.chunks_exact(8)) {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            let (sum, first) = part.overflowing_add(u64::from_le_bytes(word));
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *part = sum;
            carry = first || second;
        }
    }

    /// Adds all that is known to a hash.
    pub(super) fn hash(&self, hasher: &mut Sha256) {
        hash_text(hasher, &self.table.table);
        let counts = [self.table.inserted, self.table.updated, self.table.deleted];
        for number in counts.iter().chain(&self.sum) {
            hasher.update(number.to_le_bytes());
        }
    }

    /// Returns the table with the rows that are shown of it.
    pub(super) fn shown(self) -> TableChange {
        TableChange {
            rows: self.first.into_values().collect(),
            ..self.table
        }
    }
}

/// Returns what rows are ordered by: their keys, or, where those are new each time, what is not.
fn order(row: &RowChange) -> Order {
    if row.has_new_key() {
        let stable = row.columns.iter().filter(|column| !column.volatile);
        let stable = stable.map(|column| (0, format!("{:?}", column.after)));
        return (row.deed, stable.collect());
    }
    (
        row.deed,
        row.key.iter().map(|part| part_order(part)).collect(),
    )
}

/// Whole numbers are ordered by their length first, so that 9 is before 10.
fn part_order(part: &str) -> (usize, String) {
    let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (if digits { part.len() } else { 0 }, part.to_owned())
}

fn digest(row: &RowChange) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let deed = match row.deed {
        Deed::Inserted => "inserted",
        Deed::Updated => "updated",
        Deed::Deleted => "deleted",
    };
    hash_text(&mut hasher, deed);
    if !row.has_new_key() {
        row.key.iter().for_each(|key| hash_text(&mut hasher, key));
    }
    for column in &row.columns {
        hash_text(&mut hasher, &column.column);
        hash_value(&mut hasher, column.before.as_deref());
        if column.volatile {
            hasher.update([2]);
        } else {
            hash_value(&mut hasher, column.after.as_deref());
        }
    }
    hasher.finalize().into()
}

fn hash_value(hasher: &mut Sha256, value: Option<&str>) {
    match value {
        Some(text) => {
            hasher.update([1]);
            hash_text(hasher, text);
        }
        None => hasher.update([0]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Changes;
    use super::*;

    fn row(key: u32) -> RowChange {
        RowChange {
            key: vec![key.to_string()],
            deed: Deed::Deleted,
            columns: Vec::new(),
            own: false,
        }
    }

    fn changes(keys: impl Iterator<Item = u32>) -> Changes {
        let mut tally = Tally::empty("t", &["id".to_owned()], false);
        keys.for_each(|key| tally.add(row(key)));
        Changes::of(vec![tally], Vec::new())
    }

    #[test]
    fn no_order_of_rows_changes_the_digest_or_what_is_shown() {
        let (up, down) = (changes(1..5000), changes((1..5000).rev()));
        assert_eq!(up, down);
        assert_eq!(up.tables[0].rows.len(), SHOWN_ROWS);
        assert_eq!(up.tables[0].rows[9].key, ["10"]);
        assert_ne!(up.digest, changes(1..4999).digest);
        assert_ne!(up.digest, changes(2..5001).digest);
    }
}
