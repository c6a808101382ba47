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

/// The tables of a database, each with the number of its rows and a hash of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents(BTreeMap<String, (String, String)>);

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
            Some((texts.next()?, (texts.next()?, texts.next()?)))
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
