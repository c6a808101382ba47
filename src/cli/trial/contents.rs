//! What is in the tables of a database, to be compared with what was there before.

use std::collections::BTreeMap;

use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// Returns the question about all tables at once: how many rows each has, and a hash of them.
const QUESTION: &str = "\
    SELECT string_agg(format('SELECT %L::text, count(*)::text, \
               coalesce(sum(hashtextextended((t.*)::text, 0)::numeric), 0)::text FROM %I.%I t', \
               CASE n.nspname WHEN 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END, \
               n.nspname, c.relname), ' UNION ALL ') \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('information_schema', 'runbook') \
      AND n.nspname NOT LIKE 'pg\\_%'";

/// The tables of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents(BTreeMap<String, Sum>);

/// How many rows a table has, and the sum of their hashes: what somebody does to some rows can be added to it,
/// whatever happens to the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    count: i128,
    hashes: i128,
}

impl Sum {
    fn plus(self, other: Self, sign: i128) -> Self {
        Self {
            count: self.count + sign * other.count,
            hashes: self.hashes.wrapping_add(sign.wrapping_mul(other.hashes)),
        }
    }
}

impl Contents {
    /// Reads all tables but the journal's.
    ///
    /// # Errors
    /// The server's word: somebody may have locked a table.
    pub(super) async fn read(client: &Client) -> Result<Self, Error> {
        let question = rows(client, QUESTION).await?;
        let question = question.into_iter().flatten().flatten().next();
        let Some(question) = question else {
            return Ok(Self::default());
        };
        let rows = rows(client, &question).await?;
        let table = |row: Vec<Option<String>>| {
            let mut texts = row.into_iter().map(Option::unwrap_or_default);
            let name = texts.next()?;
            let mut number = || texts.next()?.parse().ok();
            let (count, hashes) = (number()?, number()?);
            Some((name, Sum { count, hashes }))
        };
        Ok(Self(rows.into_iter().filter_map(table).collect()))
    }

    /// Returns the names of the tables.
    pub(super) fn tables(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Returns the tables whose rows are others, and those that are in only one of the two.
    pub(super) fn differing(&self, other: &Self) -> Vec<String> {
        let all = self.0.keys().chain(other.0.keys());
        let mut differing: Vec<String> = all
            .filter(|name| self.0.get(*name) != other.0.get(*name))
            .cloned()
            .collect();
        differing.sort();
        differing.dedup();
        differing
    }

    /// Adds what somebody else did between two looks: the comparison with later ones is about the run alone then.
    pub(super) fn add(&mut self, before: &Self, after: &Self) {
        for name in after.differing(before) {
            let now = after.0.get(&name).copied();
            let done = now
                .unwrap_or_default()
                .plus(before.0.get(&name).copied().unwrap_or_default(), -1);
            match now {
                Some(_) => {
                    let sum = self.0.entry(name).or_default();
                    *sum = sum.plus(done, 1);
                }
                None => drop(self.0.remove(&name)),
            }
        }
    }
}

async fn rows(client: &Client, question: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
    let messages = client.simple_query(question).await?;
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some(
            (0..row.len())
                .map(|index| row.get(index).map(str::to_owned))
                .collect(),
        ),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(row).collect())
}
