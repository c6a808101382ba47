//! Transactions inside of one another: BEGIN for the first, savepoints for those in it.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::types::Type;

use super::Session;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::{Close, Limits};
use crate::pg::failure;
use crate::sql::ident::quote_literal;

/// How long a statement may take when its step has no time-out.
const LONGEST: Duration = Duration::from_mins(10);

/// How much longer the server waits than the client.
const GRACE: Duration = Duration::from_secs(1);

/// How long an answer may take that needs no work.
const SILENCE: Duration = Duration::from_secs(10);

/// How long a COMMIT may take before its fate is asked for.
const COMMIT: Duration = Duration::from_mins(1);

impl Session {
    /// Begins a transaction, or one inside of the open one. It is sent along with its first statement.
    pub fn open(&mut self) {
        self.depth += 1;
        let begin = match self.depth {
            1 => format!("BEGIN{}", self.local_settings()),
            depth => format!("SAVEPOINT runbook_{depth}"),
        };
        if self.depth == 1 {
            self.xid = None;
            self.generated.clear();
            self.reaches.clear();
            self.close_spool(0, false);
            self.changed = 0;
            self.marks.clear();
            self.unhear(0);
            self.begin_watch();
        }
        self.marks.push((self.entries.len(), self.changed));
        self.add_pending(&begin);
    }

    /// Adds what is sent before the next statement.
    pub(super) fn add_pending(&mut self, text: &str) {
        self.pending = join(&self.pending, text);
    }

    /// Returns whether nothing of the open transaction was sent yet.
    pub(super) fn is_unsent(&self) -> bool {
        self.pending.starts_with("BEGIN")
    }

    /// Returns the statements that apply the run's settings; their values are quoted as literals.
    pub(super) fn local_settings(&self) -> String {
        let set = |(name, value): &(String, String)| {
            format!(
                "; SELECT set_config({}, {}, true)",
                quote_literal(name),
                quote_literal(value)
            )
        };
        self.local.iter().map(set).collect()
    }

    /// Takes what is still to be sent before the next statement.
    pub(super) fn take_pending(&mut self) -> String {
        std::mem::take(&mut self.pending)
    }

    /// Takes what is still to be sent, with how long the next statement may take on the server.
    pub(super) fn take_pending_within(&mut self, limits: &Limits) -> String {
        let pending = self.take_pending();
        join(&pending, &self.time_limit(limits))
    }

    /// Returns the setting by which the server itself ends what takes too long, should the client be gone. The
    /// client is a second faster, so that it can say which step it was. Without a time-out of the step, what
    /// the run's settings say holds.
    pub(super) fn time_limit(&self, limits: &Limits) -> String {
        let left = limits
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()) + GRACE);
        let own = self
            .local
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("statement_timeout"));
        let value = match (left, own) {
            (None, Some((_, own))) => own.clone(),
            (left, _) => {
                let of_target = self.settings.profile().statement_timeout;
                let longest = of_target.unwrap_or(LONGEST);
                format!("{}ms", left.unwrap_or(longest).as_millis())
            }
        };
        format!("SET LOCAL statement_timeout = {}", quote_literal(&value))
    }

    /// Ends the innermost transaction.
    ///
    /// # Errors
    /// The server's word; [`FailureKind::InDoubt`] when nobody can say what became of a COMMIT.
    pub async fn close(&mut self, how: Close, limits: &Limits) -> Result<(), Failure> {
        let depth = self.depth;
        self.depth = depth.saturating_sub(1);
        let unsent = self.is_unsent();
        let pending = self.take_pending();
        let mark = self.marks.pop();
        if how == Close::Rollback {
            self.close_spool(depth, false);
        }
        if depth == 1 && how == Close::Rollback {
            self.end_watch();
            // Nothing was sent yet, or the whole of it is taken back.
            return if unsent {
                Ok(())
            } else {
                self.roll_back("ROLLBACK").await
            };
        }
        if let (Close::Rollback, Some((entries, changed))) = (how, mark) {
            self.unhear(entries);
            self.changed = changed;
        }
        match how {
            Close::Rollback => {
                let back = format!(
                    "ROLLBACK TO SAVEPOINT runbook_{depth}; RELEASE SAVEPOINT runbook_{depth}"
                );
                let result = self.roll_back(&join(&pending, &back)).await;
                // What was locked since is free again.
                self.begin_watch();
                result
            }
            // Deferred constraints are looked at here, so that the step is blamed that broke them; later
            // steps may defer them again.
            Close::Commit if depth > 1 => {
                let release = format!(
                    "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED; RELEASE SAVEPOINT runbook_{depth}"
                );
                let text = join(&pending, &release);
                let result = self.guarded(limits, self.begin(&text)).await;
                self.close_spool(depth, result.is_ok());
                if result.is_err() {
                    let back = format!(
                        "ROLLBACK TO SAVEPOINT runbook_{depth}; RELEASE SAVEPOINT runbook_{depth}"
                    );
                    // The first failure is the one to tell.
                    let _ = self.roll_back(&back).await;
                }
                result
            }
            Close::Commit => {
                let result = Box::pin(self.commit(&pending, limits)).await;
                self.end_watch();
                result
            }
        }
    }

    /// Takes back; a connection on which that fails is not used again. What it knew of tables may be of a
    /// schema that is taken back as well.
    async fn roll_back(&mut self, text: &str) -> Result<(), Failure> {
        self.forget();
        let result = self.answered(self.batch(text)).await;
        self.broken |= result.is_err();
        result
    }

    /// Does not wait without end for a server that is silent: what is open there ends with the connection.
    pub(super) async fn answered<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::time::timeout(SILENCE, work)
            .await
            .unwrap_or_else(|_| Err(failure::lost()))
    }

    pub(super) async fn batch(&self, text: &str) -> Result<(), Failure> {
        self.client
            .batch_execute(text)
            .await
            .map_err(|error| failure::of(&error, text, 0))
    }

    /// Commits, and believes only what the server says of the transaction afterwards: COMMIT of an aborted
    /// transaction answers without an error.
    async fn commit(&mut self, pending: &str, limits: &Limits) -> Result<(), Failure> {
        if !self.settled || !pending.is_empty() {
            let ready = join(pending, "SET CONSTRAINTS ALL IMMEDIATE");
            if let Err(failure) = self.guarded(limits, self.begin(&ready)).await {
                let _ = self.roll_back("ROLLBACK").await;
                return Err(aborted(failure));
            }
        }
        if let Err(failure) = self.write_spool() {
            let _ = self.roll_back("ROLLBACK").await;
            return Err(failure);
        }
        let xid = self.transaction();
        if xid.is_some()
            && self.entry_ids().is_empty()
            && !self.entries.is_empty()
            && let Err(failure) = Box::pin(self.answered(self.keep_id())).await
        {
            let _ = self.roll_back("ROLLBACK").await;
            return Err(failure);
        }
        if let Err(failure) = self.end_watch_to_commit() {
            let _ = self.roll_back("ROLLBACK").await;
            return Err(failure);
        }
        let marks = match self.mark_undone(xid.as_deref()) {
            Ok(marks) => marks,
            Err(failure) => {
                let _ = self.roll_back("ROLLBACK").await;
                return Err(failure);
            }
        };
        self.xid = None;
        let commit = join(self.completion().as_deref().unwrap_or_default(), "COMMIT");
        let leases = !self.entries.is_empty() && !self.locks.is_empty();
        self.say_committing(xid.clone());
        // Ctrl-C comes too late here; but a COMMIT that waits, for a standby for example, is not waited for
        // without end.
        let all = async {
            tokio::join!(biased; self.batch(&commit), self.read_back(), self.status(xid.as_deref()))
        };
        let answer = tokio::time::timeout(COMMIT, all).await;
        let lost = |failure: &Failure| failure.kind == FailureKind::Connection;
        let result = match answer {
            Ok((Ok(()), Ok(true), _)) => Ok(()),
            Ok((Ok(()), _, Ok(status))) => confirmed(xid.as_deref(), status.as_deref()),
            Ok((Err(failure), _, status)) if !lost(&failure) => {
                // Where the entries could not be completed, COMMIT was not reached.
                if status.is_err() {
                    let _ = self.roll_back("ROLLBACK").await;
                    Err(aborted(self.unwritten(failure)))
                } else {
                    Err(aborted(failure))
                }
            }
            // Where it is rolled back, the server's own words say best why.
            Ok((Err(failure), ..)) => self.resolve_doubt(xid).await.map_err(|resolved| {
                if resolved.kind == FailureKind::Connection {
                    failure
                } else {
                    resolved
                }
            }),
            _ => self.resolve_doubt(xid).await,
        };
        self.say_committing(None);
        self.leases.held |= leases && result.is_ok();
        if result.is_ok() {
            marks
                .into_iter()
                .for_each(super::journal::mark::Mark::confirm);
        }
        result
    }

    fn say_committing(&self, xid: Option<String>) {
        if let Ok(mut committing) = self.committing.lock() {
            *committing = xid;
        }
    }

    pub(super) async fn status(&self, xid: Option<&str>) -> Result<Option<String>, Failure> {
        let Some(xid) = xid else {
            return Ok(None);
        };
        let text = "SELECT pg_xact_status($1::text::xid8)";
        let rows = self
            .client
            .query_typed(text, &[(&xid, Type::TEXT)])
            .await
            .map_err(|error| failure::of(&error, text, 0))?;
        Ok(rows.first().and_then(|row| row.get::<_, Option<String>>(0)))
    }

    /// Rolls back everything, and asks the server whether it is gone.
    ///
    /// # Errors
    /// The server's word.
    pub async fn abort(&mut self) -> Result<bool, Failure> {
        let began = self.depth > 0 && !self.is_unsent();
        self.depth = 0;
        self.pending.clear();
        self.end_watch();
        if !began {
            return Ok(true);
        }
        let text = "SELECT pg_current_xact_id_if_assigned()::text";
        let asked = async {
            let rows = self.client.query_typed(text, &[]).await;
            rows.map_err(|error| failure::of(&error, text, 0))
        };
        let xid = match self.answered(asked).await {
            Ok(rows) => rows.first().and_then(|row| row.get::<_, Option<String>>(0)),
            // An aborted transaction answers nothing but ROLLBACK.
            Err(_) => self.xid.clone(),
        };
        self.roll_back("ROLLBACK").await?;
        Ok(match self.answered(self.status(xid.as_deref())).await? {
            Some(status) => status == "aborted",
            None => true,
        })
    }
}

/// Says of a transaction that failed before that it was not committed.
fn aborted(failure: Failure) -> Failure {
    if failure.sqlstate.as_deref() != Some("25P02") {
        return failure;
    }
    Failure::new(
        FailureKind::Statement,
        "the server did not commit the transaction: it is aborted",
    )
    .note("a statement in it failed before; nothing was changed")
}

/// Believes only what the server says of a transaction.
fn confirmed(xid: Option<&str>, status: Option<&str>) -> Result<(), Failure> {
    match (xid, status) {
        // Nothing was changed, so there is nothing that could be lost.
        (None, _) | (Some(_), Some("committed")) => Ok(()),
        (Some(_), other) => Err(Failure::new(
            FailureKind::Statement,
            format!(
                "the server did not commit the transaction: it is {}",
                other.unwrap_or("unknown")
            ),
        )),
    }
}

fn join(first: &str, second: &str) -> String {
    match (first, second) {
        ("", only) | (only, "") => only.to_owned(),
        (first, second) => format!("{first}; {second}"),
    }
}
