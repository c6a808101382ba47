//! Rows as COPY prints them: lines, from the texts of records too, and hashes that equal the server's.

mod hash;
mod record;
mod values;

use std::cell::Cell;

use serde::{Deserialize, Serialize};

pub use hash::hash_extended;
pub use record::line_of;

/// How many bytes the values of a row may have for their room to be kept for the next row.
const KEPT: usize = 1 << 20;

/// How many rows there are, and a hash of them that does not depend on their order: the sum over all rows of
/// `hashtextextended` of their values, as a decimal number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// How many rows.
    pub rows: u64,
    /// The sum of their hashes.
    #[serde(with = "decimal")]
    pub hash: i128,
}

impl Tally {
    /// Returns the SQL of what [`Tally::read`] takes: two columns, texts. `columns` are SQL expressions for the
    /// values of a row, in order.
    ///
    /// The server hashes the bytes of its own encoding: they equal those of a client that gets them unconverted.
    pub fn sql<S: AsRef<str>>(columns: &[S]) -> String {
        format!(
            "pg_catalog.count(*)::text, coalesce(pg_catalog.sum({}), 0)::text",
            values::sql(columns)
        )
    }

    /// Reads what the server answered.
    pub fn read(rows: &str, hash: &str) -> Option<Self> {
        Some(Self {
            rows: rows.parse().ok()?,
            hash: hash.parse().ok()?,
        })
    }

    /// Adds a line of COPY's text format, without its newline.
    pub fn add_line(&mut self, line: &[u8]) {
        with_room(|room| self.add_line_in(line, room));
    }

    /// Adds lines of COPY's text format, each with its newline; the last may be without.
    pub fn add_lines(&mut self, lines: &[u8]) {
        with_room(|room| {
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                self.add_line_in(line.strip_suffix(b"\n").unwrap_or(line), room);
            }
        });
    }

    fn add_line_in(&mut self, line: &[u8], room: &mut Vec<u8>) {
        let (text, seed) = values::of(line, room);
        self.rows += 1;
        self.hash += i128::from(hash_extended(text, seed));
    }
}

thread_local! {
    /// Where this thread joins the values of rows: millions of them need no memory of their own.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

fn with_room(work: impl FnOnce(&mut Vec<u8>)) {
    let mut room = ROOM.take();
    work(&mut room);
    if room.capacity() <= KEPT {
        ROOM.set(room);
    }
}

mod decimal {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &i128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i128, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tally_does_not_depend_on_the_order_of_rows() {
        let mut forth = Tally::default();
        let mut back = Tally::default();
        forth.add_lines(b"1\tada\n2\t\\N\n3\t\n");
        for line in [&b"3\t"[..], b"2\t\\N", b"1\tada"] {
            back.add_line(line);
        }
        assert_eq!(forth, back);
        assert_eq!(forth.rows, 3);
        let mut other = Tally::default();
        other.add_lines(b"1\tada\n2\t\n3\t\\N\n");
        assert_ne!(forth.hash, other.hash);
    }

    #[test]
    fn no_lines_are_no_rows_and_an_empty_line_is_one() {
        let mut tally = Tally::default();
        tally.add_lines(b"");
        assert_eq!(tally, Tally::default());
        tally.add_lines(b"\n");
        assert_eq!(tally.rows, 1);
        assert_eq!(tally.hash, i128::from(hash_extended(b"", 0)));
    }

    #[test]
    fn a_tally_is_read_as_the_server_prints_it() {
        let tally = Tally::read("3", "-27670116110564327421");
        assert_eq!(
            tally,
            Some(Tally {
                rows: 3,
                hash: -27_670_116_110_564_327_421
            })
        );
        assert_eq!(Tally::read("-1", "0"), None);
        assert_eq!(Tally::read("1", "0.5"), None);
    }

    proptest! {
        #[test]
        fn a_tally_is_written_and_read_again(rows: u64, hash: i128) {
            let tally = Tally { rows, hash };
            let text = serde_json::to_string(&tally).unwrap();
            prop_assert_eq!(serde_json::from_str::<Tally>(&text).unwrap(), tally);
        }

        #[test]
        fn lines_at_once_count_as_lines_one_by_one(lines: Vec<Vec<u8>>) {
            let mut one_by_one = Tally::default();
            let mut text = Vec::new();
            for line in &lines {
                let line: Vec<u8> = line.iter().copied().filter(|byte| *byte != b'\n').collect();
                one_by_one.add_line(&line);
                text.extend_from_slice(&line);
                text.push(b'\n');
            }
            let mut at_once = Tally::default();
            at_once.add_lines(&text);
            prop_assert_eq!(at_once, one_by_one);
        }
    }
}
