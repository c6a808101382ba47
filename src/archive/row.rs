//! Rows as COPY prints them: lines, the texts of records that they are, and hashes that equal the server's.

use serde::{Deserialize, Serialize};

/// How many rows there are, and a hash of them that does not depend on their order: the sum of
/// `hashtextextended(ROW(…)::text, 0)` over all rows, as a decimal number.
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
    /// Returns the SQL of what [`Tally::read`] takes: two columns, texts. `record` is an SQL expression for
    /// the text of the row: `ROW(a, b)::text`.
    pub fn sql(record: &str) -> String {
        format!("count(*)::text, coalesce(sum(hashtextextended({record}, 0)::numeric), 0)::text")
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
        let _ = line;
    }

    /// Adds the text of a record.
    pub fn add_record(&mut self, text: &[u8]) {
        let _ = text;
    }
}

/// Returns the line of COPY's text format, without its newline, for the text of a record as `record_out`
/// prints it; none where it is no record.
pub fn line_of(record: &str) -> Option<Vec<u8>> {
    let _ = record;
    None
}

/// Returns the text of the record that a line of COPY's text format is.
pub fn record_of(line: &[u8], record: &mut Vec<u8>) {
    let _ = (line, record);
}

/// `hashtextextended(text, seed)` as PostgreSQL computes it (`hash_bytes_extended`, by Bob Jenkins).
pub fn hash_extended(bytes: &[u8], seed: u64) -> i64 {
    let _ = (bytes, seed);
    0
}

mod decimal {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks for a reference"
    )]
    pub(super) fn serialize<S: Serializer>(value: &i128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i128, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
