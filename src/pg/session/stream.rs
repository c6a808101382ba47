//! A statement's rows as they come from the server: looked at one by one, and not held.

use std::pin::pin;

use futures_util::TryStreamExt;

use super::Session;
use super::capture::{Keys, Subject};
use super::change::{Begun, Work};
use super::image::{Direct, Pair};
use crate::engine::change::SHOWN_ROWS;
use crate::engine::failure::Failure;
use crate::engine::port::Bound;
use crate::pg::{bind, failure};
use crate::runbook::data::{Column, Rows, record_fields};
use crate::sql::target::Dml;

/// What a statement returned.
pub(super) struct Streamed {
    /// The keys of its rows.
    pub(super) keys: Keys,
    /// What the author's RETURNING returned.
    pub(super) rows: Rows,
}

impl Session {
    /// Sends a statement with what captures its rows, and hands these on.
    pub(super) async fn stream(
        &self,
        work: &Work<'_>,
        subject: &Subject<'_>,
        begun: &Begun,
        direct: &mut Direct<'_>,
    ) -> Result<Streamed, Failure> {
        if subject.target.returning.is_none() {
            return self.stream_rows(work, subject, begun, &[], direct).await;
        }
        let columns = self.columns(work.bound).await?;
        self.stream_rows(work, subject, begun, &columns, direct)
            .await
    }

    async fn stream_rows(
        &self,
        work: &Work<'_>,
        subject: &Subject<'_>,
        begun: &Begun,
        columns: &[Column],
        direct: &mut Direct<'_>,
    ) -> Result<Streamed, Failure> {
        const BEFORE: &str = "WITH runbook_change AS (";
        let bound = work.bound;
        // One row more than was found would be one too many.
        let most = begun.locked.map(|locked| locked.count + 1);
        let text = subject.capturing(bound.statement.text(), begun.capture.as_deref(), most);
        let wrong = |error| failure::of(&error, &text, BEFORE.len());
        let stream = self
            .client
            .query_typed_raw(&text, bind::params(&bound.binds))
            .await
            .map_err(wrong)?;
        let mut stream = pin!(stream);
        let (mut keys, mut rows) = (Keys::default(), Vec::new());
        let spools = self.spools_images(work.terms) && work.tree.is_empty();
        while let Some(row) = stream.try_next().await.map_err(wrong)? {
            let text = |index: usize| row.try_get::<_, Option<&str>>(index).map_err(wrong);
            let fresh: bool = row.try_get(4).map_err(wrong)?;
            let hash: i64 = row.try_get(1).map_err(wrong)?;
            keys.count += 1;
            keys.sum += i128::from(hash);
            let pair = Pair {
                key: text(0)?.unwrap_or_default(),
                before: text(2)?,
                after: text(3)?,
                fresh: fresh && subject.target.verb == Dml::Insert,
            };
            if spools {
                self.spool_image(pair.key, pair.before, pair.after)?;
            }
            direct.take(&pair);
            if !columns.is_empty() && rows.len() < SHOWN_ROWS {
                let mut fields = text(5)?.and_then(record_fields).unwrap_or_default();
                fields.truncate(columns.len());
                rows.push(fields);
            }
        }
        let count = if columns.is_empty() { 0 } else { keys.count };
        Ok(Streamed {
            keys,
            rows: Rows {
                columns: columns.to_vec(),
                rows,
                count,
            },
        })
    }

    /// Runs a statement whose rows are not captured, and returns how many it says it changed.
    pub(super) async fn execute(&self, bound: &Bound) -> Result<u64, Failure> {
        let own = bound.statement.text();
        let params = bind::params(&bound.binds);
        self.client
            .execute_typed(own, &bind::borrowed(&params))
            .await
            .map_err(|error| failure::of(&error, own, 0))
    }
}
