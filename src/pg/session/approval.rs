//! The approval of other people, in the journal: what is asked, what was said, and that the glass was broken.
//! Who says it, when, and whether they may, the guards of the journal know.

use serde::Deserialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, SimpleQueryMessage};

use super::Session;
use super::journal::Keeping;
use super::journal::schema::{REFUSED, Standing as Schema};
use crate::engine::approval::{Request, Standing, Verdict, Word};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::plan::Plan;
use crate::pg::failure;
use crate::sql::ident::quote_literal;

/// The requests that satisfy a condition, newest first, each with what was said of it.
const REQUESTS: &str = "\
    SELECT r.content, r.digest, r.login, to_json(r.at) #>> '{}', to_json(r.expires_at) #>> '{}', \
           (clock_timestamp() >= r.expires_at)::text, (r.login = session_user)::text, \
           (r.roles = '{}' OR EXISTS (SELECT FROM pg_roles m WHERE m.rolname = ANY (r.roles) AND pg_has_role(session_user, m.oid, 'MEMBER')))::text, \
           (SELECT coalesce(json_agg(json_build_object('word', v.word, 'login', v.login, 'actor', v.actor, 'at', v.at, 'reason', v.reason) \
              ORDER BY v.id), '[]') FROM runbook.verdict v WHERE v.request = r.id)::text, \
           session_user::text \
    FROM runbook.request r";

/// What is still to be decided.
const OPEN: &str = "\
    clock_timestamp() < r.expires_at \
    AND NOT EXISTS (SELECT FROM runbook.verdict v WHERE v.request = r.id AND v.word <> 'approve')";

/// A request as the journal keeps it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What is asked.
    pub request: Request,
    /// SHA-256 of its text as it is kept there: what an approval is bound to.
    pub digest: String,
    /// The login that asked, as the server knows it.
    pub login: String,
    /// Where it stands.
    pub standing: Standing,
    /// The login of this session.
    pub own_login: String,
    /// Whether this login asked.
    pub is_own: bool,
    /// Whether this login is one of those who may decide.
    pub is_member: bool,
}

impl Kept {
    /// Returns what this login said of it already.
    pub fn said(&self) -> Option<&Verdict> {
        let mut verdicts = self.standing.verdicts.iter();
        verdicts.find(|verdict| verdict.login == self.own_login)
    }

    /// Returns whether this login may still decide.
    pub fn may_decide(&self) -> bool {
        !self.is_own && self.is_member && self.said().is_none()
    }

    fn read(row: &Row) -> Result<Self, Failure> {
        let field = |index: usize| row.get::<_, Option<&str>>(index).unwrap_or_default();
        let damaged = |what: String| {
            Failure::new(
                FailureKind::Target,
                format!("a request of the journal cannot be read: {what}"),
            )
            .help("a newer version of runbook may have written it: update runbook")
        };
        let content = field(0);
        if Plan::hash_of_text(content) != field(1) {
            return Err(damaged("its digest is not that of its text".to_owned()));
        }
        let wrong = |error: serde_json::Error| damaged(error.to_string());
        let moment = |text: &str| {
            text.parse()
                .map_err(|error: jiff::Error| damaged(error.to_string()))
        };
        Ok(Self {
            request: parsed(content).map_err(wrong)?,
            digest: field(1).to_owned(),
            login: field(2).to_owned(),
            standing: Standing {
                asked_at: moment(field(3))?,
                expires_at: moment(field(4))?,
                expired: field(5) == "true",
                verdicts: parsed(field(8)).map_err(wrong)?,
            },
            own_login: field(9).to_owned(),
            is_own: field(6) == "true",
            is_member: field(7) == "true",
        })
    }
}

fn parsed<'t, T: Deserialize<'t>>(text: &'t str) -> serde_json::Result<T> {
    serde_json::from_str(text)
}

impl Session {
    /// Asks other people to approve, and returns the request as it is kept. Where the same was asked before, and
    /// is still to be decided, that stands.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub async fn request_approval(
        &mut self,
        request: Request,
    ) -> Result<(Request, Standing), Failure> {
        if matches!(&self.writer, Some(writer) if writer.keeping != Keeping::Database) {
            return Err(Failure::new(
                FailureKind::Unsupported,
                "other people approve in the journal of the database, and this run keeps its journal beside its record",
            )
            .help("run it without `--journal local`"));
        }
        self.refuse_replica()?;
        self.ensure_journal().await?;
        let (run, step) = (&request.run, request.step);
        let own = format!(
            "{OPEN} AND r.login = session_user AND r.run = {} AND r.step = {}",
            quote_literal(run),
            step.0
        );
        for kept in self.requests(&own).await? {
            if kept.request.is_same(&request) {
                return Ok((kept.request, kept.standing));
            }
            // Nobody is to look at what is not asked any more.
            let word = (Word::Withdraw, Some("asked anew"));
            self.say_of(&kept.request.run, &kept.digest, word, &request.actor)
                .await?;
        }
        let content = serde_json::to_string(&request).unwrap_or_default();
        let text = "INSERT INTO runbook.request (content) VALUES ($1)";
        let params: [(&(dyn ToSql + Sync), Type); 1] = [(&content, Type::TEXT)];
        let inserted = self.client.query_typed(text, &params).await;
        inserted.map_err(|error| self.unwritten(failure::of(&error, text, 0)))?;
        let standing = self.approval_standing(&request).await?;
        Ok((request, standing))
    }

    /// Returns the request of a run that was asked last.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn requested(&self, run: &str) -> Result<Option<Kept>, Failure> {
        let condition = format!("r.run = {}", quote_literal(run));
        Ok(self.requests(&condition).await?.into_iter().next())
    }

    /// Returns the requests that are still to be decided, newest first.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn open_requests(&self) -> Result<Vec<Kept>, Failure> {
        // Who may ask could write what nobody can read: that is to keep nobody from the others.
        let rows = self.request_rows(OPEN).await?;
        Ok(rows.iter().flat_map(Kept::read).collect())
    }

    /// Returns where a request stands.
    ///
    /// # Errors
    /// The journal has no such request.
    pub async fn approval_standing(&self, request: &Request) -> Result<Standing, Failure> {
        let condition = format!(
            "r.run = {} AND r.digest = {}",
            quote_literal(&request.run),
            quote_literal(&request.digest())
        );
        let found = self.requests(&condition).await?.into_iter().next();
        found.map(|kept| kept.standing).ok_or_else(|| {
            Failure::new(
                FailureKind::Target,
                format!("the journal has no such request of run {}", request.run),
            )
            .note(
                "the database was restored from before it was asked, or the journal was begun anew",
            )
        })
    }

    async fn requests(&self, condition: &str) -> Result<Vec<Kept>, Failure> {
        let rows = self.request_rows(condition).await?;
        rows.iter().map(Kept::read).collect()
    }

    async fn request_rows(&self, condition: &str) -> Result<Vec<Row>, Failure> {
        self.journal.usable()?;
        if self.journal != Schema::Current {
            return Ok(Vec::new());
        }
        let text = format!("{REQUESTS} WHERE {condition} ORDER BY r.id DESC");
        let rows = self.client.query_typed(&text, &[]).await;
        rows.map_err(|error| self.unreadable(failure::of(&error, &text, text.len())))
    }

    /// Says something of a request as this login.
    ///
    /// # Errors
    /// The server's word: [`FailureKind::Policy`] where a guard refuses.
    pub async fn say_of_request(
        &self,
        request: &Request,
        word: Word,
        actor: &str,
        reason: Option<&str>,
    ) -> Result<(), Failure> {
        self.say_of(&request.run, &request.digest(), (word, reason), actor)
            .await
    }

    /// Does the same of the request with this digest.
    ///
    /// # Errors
    /// As [`Self::say_of_request`].
    pub async fn say_of(
        &self,
        run: &str,
        digest: &str,
        (word, reason): (Word, Option<&str>),
        actor: &str,
    ) -> Result<(), Failure> {
        let digest = quote_literal(digest);
        // The guard must see what others said meanwhile, whatever the login's own settings are.
        let text = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
             INSERT INTO runbook.verdict (request, word, digest, actor, reason) \
             SELECT r.id, {}, {digest}, {}, {} FROM runbook.request r WHERE r.run = {} AND r.digest = {digest} \
             RETURNING id::text; COMMIT",
            quote_literal(word.name()),
            quote_literal(actor),
            reason.map_or("NULL".to_owned(), quote_literal),
            quote_literal(run),
        );
        match self.client.simple_query(&text).await {
            Ok(messages) => {
                let is_row =
                    |message: &SimpleQueryMessage| matches!(message, SimpleQueryMessage::Row(_));
                if messages.iter().any(is_row) {
                    return Ok(());
                }
                Err(Failure::new(
                    FailureKind::Policy,
                    format!("run {run} asks for the approval of something else than this"),
                ))
            }
            Err(error) => {
                // The message ended at the mistake; a connection that is gone has no transaction.
                let _ = self.client.batch_execute("ROLLBACK").await;
                Err(self.unreadable(failure::of(&error, "", 0)))
            }
        }
    }

    /// Has the journal say that the run goes on without what the policy demands.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub async fn break_glass(&mut self, reason: &str, lifted: &[String]) -> Result<(), Failure> {
        let Some(writer) = self.writer.clone() else {
            return Err(super::journal::nobody_writes());
        };
        if writer.keeping != Keeping::Database {
            return Err(Failure::new(
                FailureKind::Unsupported,
                "that the glass was broken is kept in the journal of the database, and this run keeps its journal beside its record",
            )
            .help("run it without `--journal local`"));
        }
        self.refuse_replica()?;
        self.ensure_journal().await?;
        let text = "INSERT INTO runbook.glass (run, runbook, hash, actor, reason, lifted) VALUES ($1, $2, $3, $4, $5, $6)";
        let params: [(&(dyn ToSql + Sync), Type); 6] = [
            (&writer.run, Type::TEXT),
            (&writer.runbook, Type::TEXT),
            (&writer.hash, Type::TEXT),
            (&writer.actor, Type::TEXT),
            (&reason, Type::TEXT),
            (&lifted, Type::TEXT_ARRAY),
        ];
        let inserted = self.client.query_typed(text, &params).await;
        inserted.map_err(|error| self.unwritten(failure::of(&error, text, 0)))?;
        Ok(())
    }

    /// Says why the journal has no answer, or takes none.
    fn unreadable(&self, failure: Failure) -> Failure {
        let user = &self.target.user;
        match failure.sqlstate.as_deref() {
            Some(REFUSED) => Failure {
                kind: FailureKind::Policy,
                sqlstate: None,
                notes: Vec::new(),
                help: Vec::new(),
                message: failure.message,
            },
            Some("42501") => Failure {
                kind: FailureKind::Target,
                message: format!(
                    "the login {user} may not work with the requests of the journal, the schema `runbook`"
                ),
                notes: vec![failure.message],
                help: vec![format!(
                    "have its owner grant it: `runbook init --grant-approver {user}`"
                )],
                sqlstate: failure.sqlstate,
            },
            _ => self.unwritten(failure),
        }
    }
}
