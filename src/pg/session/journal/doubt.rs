//! What became of a COMMIT that nobody answered: the journal is asked, or the server by the transaction's id.

use std::time::Duration;

use tokio::time::Instant;

use super::super::Session;
use super::{Keeping, Writer};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::Entry;
use crate::engine::port::Limits;
use crate::pg::failure;

/// How long the fate of a transaction is asked for.
const DOUBT: Duration = Duration::from_secs(15);

/// How long one question waits for a transaction that is still alive.
const WAIT: Duration = Duration::from_secs(2);

/// How long to wait before a server is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// By what the fate of a transaction is asked for.
struct Question {
    /// Its entry in the journal, and who wrote it.
    entry: Option<(Entry, Writer)>,
    /// Its id.
    xid: Option<String>,
}

impl Session {
    /// Finds out what became of the transaction whose COMMIT was under way when the connection was lost.
    pub(in crate::pg::session) async fn resolve_doubt(
        &mut self,
        xid: Option<String>,
    ) -> Result<(), Failure> {
        let question = Question {
            entry: self
                .entries
                .first()
                .filter(|_| !self.entry_ids().is_empty())
                .cloned()
                .zip(self.writer.clone()),
            xid,
        };
        if question.entry.is_none() && question.xid.is_none() {
            return Err(failure::lost());
        }
        let (old, locks) = (self.pid, std::mem::take(&mut self.locks));
        let run = self.writer.as_ref().map(|writer| writer.run.clone());
        let until = Instant::now() + DOUBT;
        let mut why = None;
        let committed = loop {
            match self.connect_again().await {
                Ok(()) => match self.fate(&question, WAIT).await {
                    Ok(Some(committed)) => break Ok(committed),
                    Ok(None) => self.end_idle(old).await,
                    Err(failure) => why = Some(failure),
                },
                // On another server or timeline nobody can ask: the next answer would be no other.
                Err(failure) if failure.kind == FailureKind::Target => {
                    break Err(in_doubt(&question, run.as_deref(), Some(failure)));
                }
                Err(failure) => why = Some(failure),
            }
            if Instant::now() >= until {
                break Err(in_doubt(&question, run.as_deref(), why));
            }
            tokio::time::sleep(PAUSE).await;
        };
        if self.client.is_closed() {
            self.locks = locks;
        } else if let Err(failure) = self.lock_again(locks).await {
            // The transaction's fate is what is asked for here; the next one wants the locks again.
            self.said.push(failure.message);
        }
        match committed {
            Ok(true) => Ok(()),
            Ok(false) => Err(failure::lost()),
            Err(failure) => Err(failure),
        }
    }

    /// Ends the session of before, should it wait for a COMMIT that will never come. It is ended nowhere else:
    /// a session that waits for a standby commits once it is ended.
    async fn end_idle(&self, old: i32) {
        let text = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE pid = {old} AND state LIKE 'idle in transaction%' AND usename = session_user \
               AND datname = current_database() AND application_name = current_setting('application_name')"
        );
        // Should it fail, the server ends it by itself in time.
        let _ = self.client.batch_execute(&text).await;
    }

    /// Asks once what became of a transaction; nothing while it lives.
    async fn fate(&self, question: &Question, wait: Duration) -> Result<Option<bool>, Failure> {
        if let Some((entry, writer)) = &question.entry {
            return match self.probe(entry, writer, wait.as_millis()).await {
                Ok(committed) => Ok(Some(committed)),
                // It waited for a transaction that still lives.
                Err(failure) if failure.kind == FailureKind::LockTimeout => Ok(None),
                Err(failure) => Err(failure),
            };
        }
        Ok(match self.status(question.xid.as_deref()).await? {
            Some(status) if status == "committed" => Some(true),
            Some(status) if status == "aborted" => Some(false),
            _ => None,
        })
    }

    /// Returns whether a recorded transaction was committed, whose client is gone; waits while it lives.
    ///
    /// # Errors
    /// Nobody can say.
    pub async fn recorded(
        &mut self,
        entry: &Entry,
        transaction: Option<&str>,
        limits: &Limits,
    ) -> Result<bool, Failure> {
        self.revive().await?;
        let writer = self.writer.clone().ok_or_else(super::nobody_writes)?;
        let question = match writer.keeping {
            Keeping::Database => {
                self.journal.usable()?;
                if self.journal == super::schema::Standing::Missing {
                    // What was recorded was recorded there, so nothing was.
                    return Ok(false);
                }
                self.refuse_replica()?;
                Question {
                    entry: Some((entry.clone(), writer)),
                    xid: transaction.map(str::to_owned),
                }
            }
            Keeping::Local(_) => Question {
                entry: None,
                xid: transaction.map(str::to_owned),
            },
        };
        if question.entry.is_none() && question.xid.is_none() {
            // A transaction without an id changed nothing.
            return Ok(false);
        }
        let until = limits.deadline.unwrap_or_else(|| Instant::now() + DOUBT);
        loop {
            match self.fate(&question, WAIT).await {
                Ok(Some(committed)) => return Ok(committed),
                Ok(None) if limits.cancel.is_set() => {
                    return Err(Failure::new(FailureKind::Cancelled, "cancelled by Ctrl-C"));
                }
                Ok(None) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
                Ok(None) => return Err(in_doubt(&question, Some(&entry.run), None)),
                Err(failure) => return Err(self.unwritten(failure)),
            }
        }
    }
}

/// Says that nobody can say, and what to do then.
fn in_doubt(question: &Question, run: Option<&str>, why: Option<Failure>) -> Failure {
    let failure = Failure::new(
        FailureKind::InDoubt,
        "COMMIT was under way, and nobody can say yet what became of it",
    );
    let failure = match why {
        Some(why) => why
            .notes
            .into_iter()
            .fold(failure.note(why.message), Failure::note),
        None => failure.note("the server still works on the transaction"),
    };
    let failure = match &question.xid {
        Some(xid) => failure.note(format!("the transaction is {xid}")),
        None => failure,
    };
    let failure = match (run, &question.xid) {
        (Some(run), _) => failure.help(format!(
            "when the server is back, `runbook resume {run}` finds out and goes on"
        )),
        (None, Some(xid)) => failure.help(format!(
            "when the server is back, ask it: SELECT pg_xact_status('{xid}'::xid8)"
        )),
        (None, None) => failure,
    };
    failure.help("do not run it again before you know")
}
