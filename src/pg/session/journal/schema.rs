//! The journal's schema: whether it is there, whether it is ours, how it is made, and who may use it.

use super::super::{FACTS, Facts, Session};
use crate::engine::failure::{Failure, FailureKind};
use crate::pg::failure;
use crate::sql::ident::quote_ident;

/// The version of the schema that this program writes.
const VERSION: u32 = 1;

/// What the schema's comment begins with; the version follows.
const COMMENT: &str = "The journal of runbook, version ";

/// The way out where no schema can be had.
pub(super) const LOCAL: &str = "or keep it beside the run's record: `--journal local`";

/// Makes the schema where it is missing. Only one session does it at a time; the others then find it.
const CREATE: &str = r"
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SELECT pg_advisory_xact_lock(pg_catalog.hashtextextended('runbook journal', 0::bigint));
    DO $runbook$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'runbook') THEN
    CREATE SCHEMA runbook;
    COMMENT ON SCHEMA runbook IS 'The journal of runbook, version 1';
    CREATE TABLE runbook.entry (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      run text NOT NULL,
      step integer NOT NULL, item integer NOT NULL DEFAULT -1, part integer NOT NULL DEFAULT 0,
      undo boolean NOT NULL DEFAULT false,
      name text NOT NULL,
      by_run text NOT NULL,
      runbook text NOT NULL, hash text NOT NULL, actor text NOT NULL,
      login text NOT NULL DEFAULT session_user,
      at timestamptz NOT NULL DEFAULT clock_timestamp(),
      xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
      rows bigint, head text, wal pg_lsn,
      UNIQUE (run, step, item, part, undo));
    CREATE TABLE runbook.capture (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      entry bigint NOT NULL REFERENCES runbook.entry,
      step integer NOT NULL,
      relation text NOT NULL,
      alone boolean NOT NULL,
      columns text NOT NULL,
      key text[] NOT NULL,
      changed text[] NOT NULL,
      kept text[] NOT NULL,
      ignored text[] NOT NULL,
      tables text[],
      direct boolean NOT NULL,
      rows bigint NOT NULL);
    CREATE INDEX ON runbook.capture (entry);
    CREATE TABLE runbook.image (
      capture bigint NOT NULL,
      key text NOT NULL,
      before text, after text);
    CREATE INDEX ON runbook.image (capture);
    CREATE TABLE runbook.lease (
      key text PRIMARY KEY, run text NOT NULL, runbook text NOT NULL, actor text NOT NULL,
      taken_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL);
    REVOKE ALL ON SCHEMA runbook FROM PUBLIC;
    REVOKE ALL ON ALL TABLES IN SCHEMA runbook FROM PUBLIC;
    END IF; END $runbook$;
    COMMIT";

/// The columns that the schema must have.
const COLUMNS: [(&str, &str); 4] = [
    (
        "entry",
        "id run step item part undo name by_run runbook hash actor login at xid rows head wal",
    ),
    (
        "capture",
        "id entry step relation alone columns key changed kept ignored tables direct rows",
    ),
    ("image", "capture key before after"),
    ("lease", "key run runbook actor taken_at expires_at"),
];

/// What a login that runs runbooks does in the schema: it adds, and alters nothing of what others recorded
/// but what is filled in at COMMIT. The sequences of identity columns need no right.
const RIGHTS: [&str; 5] = [
    "USAGE ON SCHEMA runbook",
    "SELECT, INSERT ON runbook.entry, runbook.capture, runbook.image",
    "UPDATE (rows, head, wal) ON runbook.entry",
    "UPDATE (changed, kept, rows) ON runbook.capture",
    "SELECT, INSERT, UPDATE, DELETE ON runbook.lease",
];

/// What the schema `runbook` of a database is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::pg::session) enum Standing {
    /// There is none.
    #[default]
    Missing,
    /// It is the journal.
    Current,
    /// It is the journal of a later version of the program.
    Newer(u32),
    /// It is something else.
    Foreign,
    /// It is the journal, but this table or column of it is gone.
    Damaged(String),
}

impl Standing {
    /// Tells what it is by its comment and its columns, `table.column` each.
    pub(in crate::pg::session) fn of(
        exists: bool,
        comment: Option<&str>,
        columns: Option<&str>,
    ) -> Self {
        if !exists {
            return Self::Missing;
        }
        let version = comment
            .and_then(|comment| comment.strip_prefix(COMMENT))
            .and_then(|version| version.parse::<u32>().ok());
        match version {
            None => Self::Foreign,
            Some(version) if version > VERSION => Self::Newer(version),
            Some(_) => match missing(columns.unwrap_or_default()) {
                Some(part) => Self::Damaged(part),
                None => Self::Current,
            },
        }
    }

    /// Refuses a schema that cannot be written to. A missing one can be made.
    pub(in crate::pg::session) fn usable(&self) -> Result<(), Failure> {
        let refuse = |message: String| Failure::new(FailureKind::Target, message);
        Err(match self {
            Self::Missing | Self::Current => return Ok(()),
            Self::Newer(version) => refuse(format!(
                "the journal of this database is written by a newer version of runbook: it is version {version}, where this program knows {VERSION}"
            ))
            .help("update runbook"),
            Self::Foreign => refuse(
                "this database has a schema `runbook` that is not the journal of this program".to_owned(),
            )
            .help("give that schema another name: ALTER SCHEMA runbook RENAME TO …")
            .help(LOCAL),
            Self::Damaged(part) => refuse(format!(
                "the journal of this database is damaged: `runbook.{part}` is gone"
            ))
            .note("without it nobody could tell what was done, so nothing is changed")
            .help("restore it from a backup, or begin a new one: ALTER SCHEMA runbook RENAME TO …")
            .help(LOCAL),
        })
    }
}

/// Returns the first table or column that is not there.
fn missing(columns: &str) -> Option<String> {
    let there: Vec<&str> = columns.split(' ').collect();
    for (table, names) in COLUMNS {
        let is_gone = |name: &&str| !there.contains(&format!("{table}.{name}").as_str());
        if names.split(' ').all(|name| is_gone(&name)) {
            return Some(table.to_owned());
        }
        if let Some(name) = names.split(' ').find(is_gone) {
            return Some(format!("{table}.{name}"));
        }
    }
    None
}

impl Session {
    /// Makes the journal where there is none.
    pub(in crate::pg::session) async fn ensure_journal(&mut self) -> Result<(), Failure> {
        if self.journal == Standing::Missing {
            self.create_journal().await?;
        }
        self.journal.usable()
    }

    /// Returns whether the journal is there.
    pub fn is_journal_there(&self) -> bool {
        self.journal == Standing::Current
    }

    async fn create_journal(&mut self) -> Result<(), Failure> {
        let (made, facts) = tokio::join!(biased;
            self.client.batch_execute(CREATE),
            self.client.query_typed(FACTS, &[])
        );
        if let Err(error) = made {
            // Nothing may follow in a transaction that failed; a connection that is gone has no transaction.
            let _ = self.client.batch_execute("ROLLBACK").await;
            let failure = failure::of(&error, "", 0);
            return Err(if failure.kind == FailureKind::Statement {
                not_made(&failure, &self.target.user)
            } else {
                failure
            });
        }
        let facts = facts.map_err(|error| failure::of(&error, FACTS, 0))?;
        self.journal = Facts::read(facts.first(), String::new()).journal;
        Ok(())
    }

    /// Makes the journal and lets roles use it, for logins that may not make it themselves. Returns what
    /// was done, in words.
    ///
    /// # Errors
    /// The login may not, the schema is something else, or there is no such role.
    pub async fn init_journal(&mut self, roles: &[String]) -> Result<Vec<String>, Failure> {
        self.refuse_replica()?;
        if roles.iter().any(|role| role.eq_ignore_ascii_case("public")) {
            return Err(Failure::new(
                FailureKind::Target,
                "nothing was granted: the journal is not for everybody",
            )
            .help("name the roles that run runbooks"));
        }
        let was_there = self.journal == Standing::Current;
        self.ensure_journal().await?;
        let database = &self.target.database;
        let mut done = vec![if was_there {
            format!(
                "the journal is there already: schema `runbook` of {database}, version {VERSION}"
            )
        } else {
            format!("created the journal: schema `runbook` of {database}, version {VERSION}")
        }];
        if roles.is_empty() {
            return Ok(done);
        }
        let text: Vec<String> = roles
            .iter()
            .flat_map(|role| RIGHTS.map(|right| format!("GRANT {right} TO {}", quote_ident(role))))
            .collect();
        let text = format!("BEGIN; {}; COMMIT", text.join("; "));
        if let Err(error) = self.client.batch_execute(&text).await {
            let _ = self.client.batch_execute("ROLLBACK").await;
            let failure = failure::of(&error, "", 0);
            return Err(Failure {
                kind: FailureKind::Target,
                message: format!("nothing was granted: {}", failure.message),
                ..failure
            }
            .help("the owner of the schema `runbook` grants, to roles that exist"));
        }
        done.extend(
            roles
                .iter()
                .map(|role| format!("granted to {role}: to run runbooks and record them there")),
        );
        Ok(done)
    }
}

/// Says why the journal could not be made, and the ways out.
pub(super) fn not_made(failure: &Failure, user: &str) -> Failure {
    Failure {
        kind: FailureKind::Target,
        message: format!(
            "the journal cannot be made in this database: {}",
            failure.message
        ),
        help: Vec::new(),
        ..failure.clone()
    }
    .note("every change is recorded in the transaction that makes it, in the schema `runbook`")
    .help(format!(
        "have the owner of the database make it: `runbook init --grant {user}`"
    ))
    .help(LOCAL)
}
