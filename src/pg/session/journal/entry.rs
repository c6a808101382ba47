//! Entries on their way: written with the first flight of their transaction, completed with its COMMIT.

use std::pin::pin;

use futures_util::TryStreamExt;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::super::{Session, lease};
use super::Writer;
use super::rights::not_granted;
use super::schema::LOCAL;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::Entry;
use crate::pg::failure;
use crate::sql::ident::quote_literal;

/// What the server said of the entries of the open transaction.
#[derive(Default)]
pub(in crate::pg::session) struct Entered {
    /// Their ids in the journal, in their order.
    ids: Vec<String>,
    /// The transaction's id.
    xid: Option<String>,
}

/// Returns the key of an entry as the values of `run, step, item, part, undo`.
fn key(entry: &Entry) -> String {
    let unit = entry.unit;
    let item = unit.item.map_or("-1".to_owned(), |item| item.to_string());
    format!(
        "{}, {}, {item}, {}, {}",
        quote_literal(&entry.run),
        unit.step.0,
        unit.part,
        entry.undo
    )
}

/// Returns the statement that writes an entry. It returns one row, with its id, or without one where the
/// journal has it already.
pub(super) fn insert(entry: &Entry, writer: &Writer) -> String {
    format!(
        "WITH runbook_new AS (INSERT INTO runbook.entry (run, step, item, part, undo, name, by_run, runbook, hash, actor) \
         VALUES ({}, {}, {}, {}, {}, {}) \
         ON CONFLICT (run, step, item, part, undo) DO NOTHING RETURNING id) \
         SELECT (SELECT id FROM runbook_new)::text AS runbook_entry",
        key(entry),
        quote_literal(&entry.name),
        quote_literal(&writer.run),
        quote_literal(&writer.runbook),
        quote_literal(&writer.hash),
        quote_literal(&writer.actor)
    )
}

impl Session {
    /// Returns what asks for the id of the entry that this transaction wrote last: no row where the journal had it
    /// already.
    pub(in crate::pg::session) fn entry_sql(&self) -> String {
        let condition = self.entries.last().map_or("false".to_owned(), |entry| {
            format!(
                "(run, step, item, part, undo) = ({}) AND xid = pg_current_xact_id()",
                key(entry)
            )
        });
        format!("SELECT id FROM runbook.entry WHERE {condition}")
    }

    /// Sends what begins a transaction, and what is recorded of it, and looks at what the server says of it.
    pub(in crate::pg::session) async fn begin(&self, pending: &str) -> Result<(), Failure> {
        if pending.is_empty() {
            return Ok(());
        }
        let wrong = |error| failure::of(&error, pending, 0);
        let answers = self.client.simple_query_raw(pending).await.map_err(wrong)?;
        let mut answers = pin!(answers);
        let mut is_journal = false;
        loop {
            match answers.try_next().await {
                Ok(Some(SimpleQueryMessage::Row(row))) => {
                    let name = row.columns().first().map(|column| column.name().to_owned());
                    match name.as_deref() {
                        Some("runbook_pid") => {
                            self.same_server(&row)?;
                            self.hear(|entered| entered.xid = field(&row, 4));
                            is_journal = true;
                        }
                        Some("runbook_entry") => self.entered(&row).await?,
                        Some("runbook_lease") if field(&row, 0).as_deref() != Some("true") => {
                            return Err(lease::lost());
                        }
                        _ => {}
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(error) if is_journal => return Err(self.unwritten(wrong(error))),
                Err(error) => return Err(wrong(error)),
            }
        }
    }

    fn hear(&self, what: impl FnOnce(&mut Entered)) {
        if let Ok(mut entered) = self.entered.lock() {
            what(&mut entered);
        }
    }

    /// Forgets what was said of entries of earlier transactions, or of those after the first so many.
    pub(in crate::pg::session) fn unhear(&mut self, keep: usize) {
        self.entries.truncate(keep);
        self.hear(|entered| {
            entered.ids.truncate(keep);
            if keep == 0 {
                entered.xid = None;
            }
        });
    }

    /// Returns the ids of the entries that the open transaction has in the journal, in the order in which
    /// they were recorded.
    pub(in crate::pg::session) fn entry_ids(&self) -> Vec<String> {
        self.entered
            .lock()
            .map(|entered| entered.ids.clone())
            .unwrap_or_default()
    }

    /// Returns the id of the open transaction as its first flight told it.
    pub(super) fn entered_xid(&self) -> Option<String> {
        self.entered
            .lock()
            .ok()
            .and_then(|entered| entered.xid.clone())
    }

    /// Takes the id of the next entry; without one the journal had it already.
    async fn entered(&self, row: &SimpleQueryRow) -> Result<(), Failure> {
        if let Some(id) = field(row, 0) {
            self.hear(|entered| entered.ids.push(id));
            return Ok(());
        }
        match self.entries.get(self.entry_ids().len()) {
            Some(entry) => Err(self.already(entry).await),
            None => Err(Failure::new(
                FailureKind::Recorded,
                "the journal has the step already",
            )),
        }
    }

    /// Says who did or put back before what was about to be.
    async fn already(&self, entry: &Entry) -> Failure {
        let text = format!(
            "SELECT by_run, actor, date_trunc('second', at)::text FROM runbook.entry \
             WHERE (run, step, item, part, undo) = ({})",
            key(entry)
        );
        let what = if entry.undo { "put back" } else { "done" };
        let failure = Failure::new(
            FailureKind::Recorded,
            format!(
                "step `{}` of run {} is already {what}",
                entry.name, entry.run
            ),
        );
        let failure = match self.client.query_typed(&text, &[]).await.as_deref() {
            Ok([row]) => failure.note(format!(
                "by run {} of {} at {}",
                row.get::<_, String>(0),
                row.get::<_, String>(1),
                row.get::<_, String>(2)
            )),
            // Whoever it was is not to be seen in this transaction.
            _ => failure,
        };
        failure.note("nothing was changed now")
    }

    /// Says why an entry could not be written.
    pub(in crate::pg::session) fn unwritten(&self, failure: Failure) -> Failure {
        let refuse = |message: String| Failure {
            kind: FailureKind::Target,
            message,
            notes: vec![failure.message.clone(), "nothing was changed".to_owned()],
            help: Vec::new(),
            sqlstate: failure.sqlstate.clone(),
        };
        match failure.sqlstate.as_deref() {
            Some("42501") => Failure {
                help: not_granted(&self.target).help,
                ..refuse(not_granted(&self.target).message)
            },
            Some("3F000" | "42P01" | "42703" | "42P10" | "42883") => refuse(
                "the journal, the schema `runbook`, is damaged or gone".to_owned(),
            )
            .help("restore it from a backup, or begin a new one: ALTER SCHEMA runbook RENAME TO …")
            .help(LOCAL),
            Some("25006") => refuse("the server does not allow writes".to_owned())
                .help("give the connection of the primary"),
            _ => failure,
        }
    }

    /// Returns what completes the entries of the open transaction just before its COMMIT.
    pub(in crate::pg::session) fn completion(&self) -> Option<String> {
        let ids = self.entry_ids();
        if ids.is_empty() {
            return None;
        }
        let head = self
            .head
            .as_deref()
            .map_or("NULL".to_owned(), quote_literal);
        // Of several entries nobody knows here which rows are whose.
        let rows = match ids.len() {
            1 => self.changed.to_string(),
            _ => "NULL".to_owned(),
        };
        Some(format!(
            "UPDATE runbook.entry SET head = {head}, wal = pg_current_wal_insert_lsn(), rows = coalesce(rows, {rows}) WHERE id IN ({})",
            ids.join(", ")
        ))
    }

    /// Reads the entries back: returns whether all of them are in the journal.
    pub(in crate::pg::session) async fn read_back(&self) -> Result<bool, Failure> {
        let ids = self.entry_ids();
        if ids.is_empty() {
            return Ok(false);
        }
        let text = format!(
            "SELECT count(*)::text FROM runbook.entry WHERE id IN ({})",
            ids.join(", ")
        );
        let rows = self
            .client
            .query_typed(&text, &[])
            .await
            .map_err(|error| failure::of(&error, &text, 0))?;
        let count = rows.first().map(|row| row.get::<_, String>(0));
        Ok(count == Some(ids.len().to_string()))
    }

    /// Asks the journal whether it has an entry, by writing the same: that waits while a transaction lives
    /// that wrote it, and is taken back.
    pub(super) async fn probe(
        &self,
        entry: &Entry,
        writer: &Writer,
        wait: u128,
    ) -> Result<bool, Failure> {
        let text = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = '{wait}ms'; {}; ROLLBACK",
            insert(entry, writer)
        );
        let answer = self.client.simple_query(&text).await;
        let messages = match answer {
            Ok(messages) => messages,
            Err(error) => {
                let failure = failure::of(&error, &text, 0);
                // The message ended at the mistake; a connection that is gone has no transaction.
                let _ = self.client.batch_execute("ROLLBACK").await;
                return Err(failure);
            }
        };
        let id = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(field(row, 0)),
            _ => None,
        });
        match id {
            Some(id) => Ok(id.is_none()),
            None => Err(Failure::new(
                FailureKind::Statement,
                "the journal gave no answer",
            )),
        }
    }
}

fn field(row: &SimpleQueryRow, index: usize) -> Option<String> {
    row.try_get(index).ok().flatten().map(str::to_owned)
}
