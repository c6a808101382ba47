//! The journal's schema: whether it is there, whether it is ours, how it is made, and who may use it.

mod version;

use super::super::{FACTS, Facts, Session};
use crate::engine::event::TargetFacts;
use crate::engine::failure::{Failure, FailureKind};
use crate::pg::failure;
use crate::sql::ident::quote_ident;
pub(in crate::pg::session) use version::REFUSED;
use version::{COMMENT, VERSION, making};

/// The way out where no schema can be had.
pub(super) const LOCAL: &str = "or keep it beside the run's record: `--journal local`";

/// The columns and guards that each version of the schema added.
const COLUMNS: [(u32, &str, &str); 9] = [
    (
        1,
        "entry",
        "id run step item part undo name by_run runbook hash actor login at xid rows head wal",
    ),
    (
        1,
        "capture",
        "id entry step relation alone columns key changed kept ignored tables direct rows",
    ),
    (1, "image", "capture key before after"),
    (1, "lease", "key run runbook actor taken_at expires_at"),
    (2, "entry", "guard()"),
    (2, "capture", "guard()"),
    (
        2,
        "request",
        "id content run step digest approvals roles login at expires_at guard() past()",
    ),
    (
        2,
        "verdict",
        "id request word digest login actor at reason guard() past()",
    ),
    (
        2,
        "glass",
        "id run runbook hash login actor at reason lifted guard() past()",
    ),
];

/// What a login that runs runbooks does in the schema: it adds, and alters nothing of what others recorded
/// but what is filled in at COMMIT. Who it is and when it was the server says. The sequences of identity columns
/// need no right.
const RIGHTS: [&str; 10] = [
    "USAGE ON SCHEMA runbook",
    "SELECT ON runbook.entry, runbook.capture, runbook.image, runbook.request, runbook.verdict, runbook.glass",
    "INSERT (run, step, item, part, undo, name, by_run, runbook, hash, actor), UPDATE (rows, head, wal) ON runbook.entry",
    "INSERT (entry, step, relation, alone, columns, key, changed, kept, ignored, tables, direct, rows) ON runbook.capture",
    "UPDATE (changed, kept, rows) ON runbook.capture",
    "INSERT ON runbook.image",
    "SELECT, INSERT, UPDATE, DELETE ON runbook.lease",
    "INSERT (content) ON runbook.request",
    "INSERT (request, word, digest, actor, reason) ON runbook.verdict",
    "INSERT (run, runbook, hash, actor, reason, lifted) ON runbook.glass",
];

/// What a login needs that only says whether it approves: it sees what it is asked, and not the rows that runs changed.
const RIGHTS_OF_APPROVERS: [&str; 3] = [
    "USAGE ON SCHEMA runbook",
    "SELECT ON runbook.request, runbook.verdict",
    "INSERT (request, word, digest, actor, reason) ON runbook.verdict",
];

/// What the schema `runbook` of a database is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::pg::session) enum Standing {
    /// There is none.
    #[default]
    Missing,
    /// It is the journal.
    Current,
    /// It is the journal of an earlier version of the program.
    Older(u32),
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
            Some(version) => match missing(version, columns.unwrap_or_default()) {
                Some(part) => Self::Damaged(part),
                None if version < VERSION => Self::Older(version),
                None => Self::Current,
            },
        }
    }

    /// Refuses a schema that cannot be written to. A missing one can be made, and
    /// an older one be brought up to date.
    pub(in crate::pg::session) fn usable(&self) -> Result<(), Failure> {
        let refuse = |message: String| Failure::new(FailureKind::Target, message);
        Err(match self {
            Self::Missing | Self::Current | Self::Older(_) => return Ok(()),
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

/// Returns the first table, column or guard of a version that is not there.
fn missing(version: u32, columns: &str) -> Option<String> {
    let there: Vec<&str> = columns.split(' ').collect();
    let of_version = COLUMNS.iter().filter(|(since, ..)| *since <= version);
    for (_, table, names) in of_version {
        let own = format!("{table}.");
        if !there.iter().any(|name| name.starts_with(&own)) {
            return Some((*table).to_owned());
        }
        let is_gone = |name: &&str| !there.contains(&format!("{own}{name}").as_str());
        if let Some(name) = names.split(' ').find(is_gone) {
            return Some(format!("{own}{name}"));
        }
    }
    None
}

impl Session {
    /// Makes the journal where there is none, and brings an older one up to date.
    pub(in crate::pg::session) async fn ensure_journal(&mut self) -> Result<(), Failure> {
        if matches!(self.journal, Standing::Missing | Standing::Older(_)) {
            self.make_journal().await?;
        }
        self.journal.usable()
    }

    /// Returns whether the journal is there, of whatever version that can be read.
    pub fn is_journal_there(&self) -> bool {
        matches!(self.journal, Standing::Current | Standing::Older(_))
    }

    async fn make_journal(&mut self) -> Result<(), Failure> {
        let text = making(&RIGHTS);
        let (made, facts) = tokio::join!(biased;
            self.client.batch_execute(&text),
            self.client.query_typed(FACTS, &[])
        );
        if let Err(error) = made {
            // Nothing may follow in a transaction that failed; a connection that is gone has no transaction.
            let _ = self.client.batch_execute("ROLLBACK").await;
            let failure = failure::of(&error, "", 0);
            return Err(if failure.kind == FailureKind::Statement {
                not_made(&failure, &self.target, &self.journal)
            } else {
                failure
            });
        }
        let facts = facts.map_err(|error| failure::of(&error, FACTS, 0))?;
        self.journal = Facts::read(facts.first(), String::new(), self.settings.profile()).journal;
        Ok(())
    }

    /// Makes the journal and lets roles use it, for logins that may not make it themselves: `roles` run runbooks,
    /// `approvers` only approve. Returns what was done, in words.
    ///
    /// # Errors
    /// The login may not, the schema is something else, or there is no such role.
    pub async fn init_journal(
        &mut self,
        roles: &[String],
        approvers: &[String],
    ) -> Result<Vec<String>, Failure> {
        self.refuse_replica()?;
        let mut all = roles.iter().chain(approvers);
        if all.any(|role| role.eq_ignore_ascii_case("public")) {
            return Err(Failure::new(
                FailureKind::Target,
                "nothing was granted: the journal is not for everybody",
            )
            .help("name the roles that run runbooks"));
        }
        let before = self.journal.clone();
        self.ensure_journal().await?;
        let what = match before {
            Standing::Current => "the journal is there already",
            Standing::Older(_) => "brought the journal up to date",
            _ => "created the journal",
        };
        let mut done = vec![format!(
            "{what}: schema `runbook` of {}, version {VERSION}",
            self.target.database
        )];
        let grant = |right: &str, role: &String| format!("GRANT {right} TO {}", quote_ident(role));
        let of_roles = roles
            .iter()
            .flat_map(|role| RIGHTS.map(|right| grant(right, role)));
        let of_approvers = approvers
            .iter()
            .flat_map(|role| RIGHTS_OF_APPROVERS.map(|right| grant(right, role)));
        let text: Vec<String> = of_roles.chain(of_approvers).collect();
        if text.is_empty() {
            return Ok(done);
        }
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
        done.extend(
            approvers
                .iter()
                .map(|role| format!("granted to {role}: to see what runs ask, and to approve it")),
        );
        Ok(done)
    }
}

/// Says why the journal could not be made or brought up to date, and the ways out.
pub(super) fn not_made(failure: &Failure, target: &TargetFacts, was: &Standing) -> Failure {
    let (user, flag) = (target.acts_as(), target.flag());
    let message = match was {
        Standing::Older(version) => format!(
            "the journal of this database is of version {version}, and cannot be brought up to version {VERSION}"
        ),
        _ => "the journal cannot be made in this database".to_owned(),
    };
    let refused = Failure {
        kind: FailureKind::Target,
        message: format!("{message}: {}", failure.message),
        help: Vec::new(),
        ..failure.clone()
    }
    .note("every change is recorded in the transaction that makes it, in the schema `runbook`");
    match was {
        Standing::Older(_) => refused
            .help(format!("have the owner of the schema do it: `runbook init{flag}`; whoever may write to it still may then"))
            .help(LOCAL),
        _ => refused
            .help(format!(
                "have the owner of the database make it: `runbook init{flag} --grant {user}`"
            ))
            .help(LOCAL),
    }
}
