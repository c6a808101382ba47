//! Reading: every value as the server prints it, in a transaction that cannot write.

use futures_util::TryStreamExt;
use tokio_postgres::Statement;

use super::Session;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::{Bound, Limits};
use crate::pg::{bind, failure};
use crate::runbook::data::{Column, Rows, TakeRows, record_fields};

/// The server prints a row as a composite value by each type's own output function: the same texts as
/// psql shows, whatever the types are. A name that no author would give keeps columns from hiding it.
const PREFIX: &str = "SELECT runbook_row::text FROM (";
const SUFFIX: &str = "\n) AS runbook_row";

impl Session {
    /// Reads rows; keeps at most `keep` and counts all. Everything goes to the server in one flight.
    ///
    /// # Errors
    /// The server's word.
    pub async fn read(
        &mut self,
        bound: &Bound,
        keep: usize,
        limits: &Limits,
    ) -> Result<Rows, Failure> {
        let (begin, end) = self.frame(limits);
        let key = column_key(bound);
        let known = self.columns.contains_key(&key) || !is_subquery(bound);
        let (described, mut rows) = {
            // The answers are looked at within the limits: a statement that was cut short is an answer too.
            let work = async {
                let (begun, described, rows, ended) = tokio::join!(biased;
                    self.begin(&begin),
                    self.describe(bound, known),
                    self.rows(bound, keep, None),
                    self.send(end)
                );
                begun?;
                // It is asked first: after its mistake the server only says that the transaction is aborted.
                let described = described?;
                let rows = rows?;
                ended?;
                Ok((described, rows))
            };
            self.guarded(limits, work).await?
        };
        if let Some(described) = described {
            let columns = self.columns_of(&described).await?;
            self.columns.insert(key.clone(), columns);
            self.described.push(described);
        }
        if rows.columns.is_empty() {
            rows.columns = self.columns.get(&key).cloned().unwrap_or_default();
        }
        if rows.columns.is_empty() {
            rows.rows.iter_mut().for_each(Vec::clear);
        }
        Ok(rows)
    }

    /// Looks at the database by statements of our own, in the frame of a read.
    ///
    /// # Errors
    /// The server's word.
    pub(in crate::pg) async fn inspect<T>(
        &mut self,
        limits: &Limits,
        look: impl AsyncFnOnce(&tokio_postgres::Client) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (begin, end) = self.frame(limits);
        let work = async {
            self.begin(&begin).await?;
            let found = look(&self.client).await;
            let ended = self.send(end).await;
            let found = found?;
            ended.map(|()| found)
        };
        self.guarded(limits, work).await
    }

    /// Returns the settings that the run itself makes.
    pub(in crate::pg) fn own_settings(&self) -> Vec<String> {
        self.local.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Returns what goes before and after a read. The statement before it makes sure that nothing can make
    /// the transaction writable again: PostgreSQL allows that only before the first one.
    fn frame(&mut self, limits: &Limits) -> (String, &'static str) {
        let pending = self.take_pending();
        let limit = self.time_limit(limits);
        if self.depth == 0 {
            (
                format!(
                    "BEGIN READ ONLY{}; {limit}; SELECT 1",
                    self.local_settings()
                ),
                "ROLLBACK",
            )
        } else {
            let begin = format!(
                "SAVEPOINT runbook_read; SET LOCAL transaction_read_only = on; {limit}; SELECT 1"
            );
            let begin = if pending.is_empty() {
                begin
            } else {
                format!("{pending}; {begin}")
            };
            (
                begin,
                "ROLLBACK TO SAVEPOINT runbook_read; RELEASE SAVEPOINT runbook_read",
            )
        }
    }

    async fn send(&self, text: &str) -> Result<(), Failure> {
        self.client
            .batch_execute(text)
            .await
            .map_err(|error| failure::of(&error, text, 0))
    }

    /// Asks for names and types of the columns, where they are not known from before.
    async fn describe(&self, bound: &Bound, known: bool) -> Result<Option<Statement>, Failure> {
        if known {
            return Ok(None);
        }
        self.prepare(bound).await.map(Some)
    }

    /// Returns the columns of a statement without running it.
    ///
    /// # Errors
    /// The server's word.
    pub async fn columns(&self, bound: &Bound) -> Result<Vec<Column>, Failure> {
        let prepared = self.prepare(bound).await?;
        self.columns_of(&prepared).await
    }

    async fn prepare(&self, bound: &Bound) -> Result<Statement, Failure> {
        let text = bound.statement.text();
        self.client
            .prepare_typed(text, &bind::kinds(&bound.binds))
            .await
            .map_err(|error| failure::of(&error, text, 0))
    }

    /// Reads rows as [`Self::read`] does, and hands on each of them.
    ///
    /// # Errors
    /// The server's word; what keeps them from being taken.
    pub async fn read_each(
        &mut self,
        bound: &Bound,
        keep: usize,
        limits: &Limits,
        taker: &mut dyn TakeRows,
    ) -> Result<Rows, Failure> {
        let (begin, end) = self.frame(limits);
        let work = async {
            let read = async {
                self.begin(&begin).await?;
                // What is prepared lives as long as the rows are read.
                let prepared = self.prepare(bound).await?;
                let columns = self.columns_of(&prepared).await?;
                taker.columns(&columns).map_err(|error| untaken(&error))?;
                let rows = self.rows(bound, keep, Some(taker)).await?;
                Ok(Rows { columns, ..rows })
            };
            let read = read.await;
            // Whatever came of it, the transaction ends; the first failure is the one to tell.
            let ended = self.send(end).await;
            let mut rows = read?;
            ended?;
            if rows.columns.is_empty() {
                rows.rows.iter_mut().for_each(Vec::clear);
            }
            Ok(rows)
        };
        self.guarded(limits, work).await
    }

    async fn rows(
        &self,
        bound: &Bound,
        keep: usize,
        mut taker: Option<&mut dyn TakeRows>,
    ) -> Result<Rows, Failure> {
        let own = bound.statement.text();
        let wrapped = is_subquery(bound);
        let text = if wrapped {
            format!("{PREFIX}{own}{SUFFIX}")
        } else {
            own.to_owned()
        };
        let prefix = if wrapped { PREFIX.len() } else { 0 };
        let wrong = |error| failure::of(&error, &text, prefix);
        let stream = self
            .client
            .query_typed_raw(&text, bind::params(&bound.binds))
            .await
            .map_err(wrong)?;
        let mut stream = std::pin::pin!(stream);
        let mut rows = Rows::default();
        while let Some(row) = stream.try_next().await.map_err(wrong)? {
            rows.count += 1;
            let kept = rows.rows.len() < keep;
            if !kept && taker.is_none() {
                continue;
            }
            let fields = if wrapped {
                let record: &str = row.try_get(0).map_err(wrong)?;
                record_fields(record).unwrap_or_default()
            } else {
                if rows.columns.is_empty() {
                    rows.columns = row.columns().iter().map(column).collect();
                }
                let fields = (0..row.len()).map(|index| {
                    row.try_get::<_, Option<Plain>>(index)
                        .map(|text| text.map(|text| text.0))
                });
                fields.collect::<Result<_, _>>().map_err(wrong)?
            };
            if let Some(taker) = &mut taker {
                taker.row(&fields).map_err(|error| untaken(&error))?;
            }
            if kept {
                rows.rows.push(fields);
            }
        }
        Ok(rows)
    }
}

/// Returns why rows could not be handed on.
fn untaken(error: &std::io::Error) -> Failure {
    Failure::new(
        FailureKind::File,
        format!("the rows cannot be written: {error}"),
    )
}

/// Returns whether a statement can stand in a FROM; SHOW and EXPLAIN cannot, but return only texts.
fn is_subquery(bound: &Bound) -> bool {
    !matches!(
        bound.statement.verb(),
        "SHOW" | "EXPLAIN" | "EXPLAIN ANALYZE"
    )
}

fn column_key(bound: &Bound) -> String {
    let kinds: Vec<String> = bound
        .binds
        .iter()
        .map(|cell| cell.oid.to_string())
        .collect();
    format!("{} {}", kinds.join(","), bound.statement.text())
}

pub(super) fn column(column: &tokio_postgres::Column) -> Column {
    Column {
        name: column.name().to_owned(),
        kind: column.type_().name().to_owned(),
        oid: column.type_().oid(),
        ..Column::default()
    }
}

/// The text of a type whose binary form is its text: text, json, xml.
struct Plain(String);

impl<'a> tokio_postgres::types::FromSql<'a> for Plain {
    fn from_sql(
        _: &tokio_postgres::types::Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(String::from_utf8(raw.to_vec())?))
    }

    fn accepts(_: &tokio_postgres::types::Type) -> bool {
        true
    }
}
