//! Which database a session is connected to, and whether it is still the same one.

use tokio_postgres::{Row, SimpleQueryRow};

use super::Session;
use super::journal::schema::Standing;
use crate::engine::event::TargetFacts;
use crate::engine::failure::{Failure, FailureKind};
use crate::pg::profile::Profile;

/// What a session asks first: the database, the server process, the cluster, and whether the journal is there.
pub(super) const FACTS: &str = concat!(
    "\
    SELECT current_database()::text, session_user::text, current_setting('server_version'), \
           pg_backend_pid()::text, pg_is_in_recovery()::text, \
           ",
    cluster!(),
    ", \
           CASE WHEN NOT pg_is_in_recovery() AND has_function_privilege('pg_walfile_name(pg_lsn)', 'EXECUTE') \
                 AND has_function_privilege('pg_current_wal_lsn()', 'EXECUTE') \
                THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END, \
           (SELECT oid::text FROM pg_database WHERE datname = current_database()), \
           to_regnamespace('runbook')::oid::text, \
           obj_description(to_regnamespace('runbook')::oid, 'pg_namespace'), \
           (SELECT string_agg(c.relname || '.' || p.name, ' ') FROM pg_class c CROSS JOIN LATERAL \
              (SELECT a.attname::text AS name FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
               UNION ALL SELECT t.tgname || '()' FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled = 'A') AS p \
            WHERE c.relnamespace = to_regnamespace('runbook') AND c.relkind = 'r'), \
           CASE WHEN current_user <> session_user THEN current_user::text END, \
           array_to_json(current_schemas(false))::text"
);

/// What every recorded transaction asks before its entry: the same again, and the transaction's id.
pub(super) const SAME: &str = concat!(
    "\
    SELECT pg_backend_pid()::text AS runbook_pid, pg_is_in_recovery()::text, \
           ",
    cluster!(),
    ", \
           (SELECT oid::text FROM pg_database WHERE datname = current_database()), \
           CASE WHEN NOT pg_is_in_recovery() THEN pg_current_xact_id()::text END"
);

/// What is known of a server once a session is connected.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) target: TargetFacts,
    /// The server process.
    pub(super) pid: i32,
    pub(super) replica: bool,
    pub(super) journal: Standing,
}

impl Facts {
    /// Reads the answer to [`FACTS`].
    pub(super) fn read(row: Option<&Row>, name: String, profile: &Profile) -> Self {
        let Some(row) = row else {
            return Self::default();
        };
        let fact = |index: usize| row.get::<_, Option<String>>(index);
        let version = fact(2).unwrap_or_default();
        Self {
            target: TargetFacts {
                name,
                database: fact(0).unwrap_or_default(),
                user: fact(1).unwrap_or_default(),
                role: fact(11),
                search_path: fact(12)
                    .and_then(|path| serde_json::from_str(&path).ok())
                    .unwrap_or_default(),
                protected: profile.protected,
                server_version: version.split(' ').next().unwrap_or_default().to_owned(),
                // The login proved a pinned one, whether or not the role may read it.
                system_identifier: fact(5).or_else(|| profile.pin.system_identifier.clone()),
                timeline: fact(6),
                database_oid: fact(7).and_then(|oid| oid.parse().ok()),
            },
            pid: fact(3).and_then(|pid| pid.parse().ok()).unwrap_or_default(),
            replica: fact(4).as_deref() == Some("true"),
            journal: Standing::of(fact(8).is_some(), fact(9).as_deref(), fact(10).as_deref()),
        }
    }
}

/// Returns why a target is not the one that a run began on. `new_timeline` lets it be one that came out of a
/// failover or a restore. What is not known on either side is not compared.
pub fn other_target(began: &TargetFacts, now: &TargetFacts, new_timeline: bool) -> Option<Failure> {
    let other = |what: &str, began: &str, now: &str| {
        Failure::new(
            FailureKind::Target,
            format!("this is another {what} than the one that the run began on"),
        )
        .note(format!("it began on {began}, this is {now}"))
    };
    if let (Some(began), Some(now)) = (&began.system_identifier, &now.system_identifier)
        && began != now
    {
        return Some(
            other(
                "cluster",
                &format!("cluster {began}"),
                &format!("cluster {now}"),
            )
            .help("give the connection of the server that it began on"),
        );
    }
    let renamed = began.database != now.database;
    let replaced = matches!(
        (began.database_oid, now.database_oid),
        (Some(began), Some(now)) if began != now
    );
    if renamed || replaced {
        return Some(
            other("database", &database(began), &database(now))
                .help("give the connection of the database that it began on"),
        );
    }
    if let (Some(began), Some(now)) = (&began.timeline, &now.timeline)
        && began != now
        && !new_timeline
    {
        return Some(
            other("timeline", &format!("timeline {began}"), &format!("timeline {now}"))
                .note("the server was promoted or restored since: what the run committed may be missing here")
                .help("look whether its changes are there; then `runbook resume RUN --new-timeline` goes on"),
        );
    }
    None
}

fn database(target: &TargetFacts) -> String {
    match target.database_oid {
        Some(oid) => format!("database {} (OID {oid})", target.database),
        None => format!("database {}", target.database),
    }
}

impl Session {
    /// Returns whether the server only follows another one.
    pub fn is_replica(&self) -> bool {
        self.replica
    }

    /// Refuses a server on which nothing can be changed: asked before a run with fixes starts.
    ///
    /// # Errors
    /// It is a replica.
    pub fn refuse_replica(&self) -> Result<(), Failure> {
        if self.replica {
            return Err(replica());
        }
        Ok(())
    }

    /// Compares the server with the one that the session was connected to: reads the answer to [`SAME`].
    pub(super) fn same_server(&self, row: &SimpleQueryRow) -> Result<(), Failure> {
        let fact = |index: usize| row.try_get(index).ok().flatten();
        if fact(1) == Some("true") {
            return Err(replica());
        }
        let now = TargetFacts {
            system_identifier: fact(2).map(str::to_owned),
            timeline: None,
            database_oid: fact(3).and_then(|oid| oid.parse().ok()),
            ..self.target.clone()
        };
        if let Some(failure) = other_target(&self.target, &now, true) {
            return Err(failure);
        }
        if fact(0) != Some(self.pid.to_string().as_str()) {
            return Err(Failure::new(
                FailureKind::Target,
                "a connection pooler stands between this program and the server",
            )
            .note("the transaction came to another server process than the connection began with")
            .note("the run's lock and settings are of one process; nothing was changed")
            .help("demand a direct connection: the server's own address, or a pool of sessions"));
        }
        Ok(())
    }
}

fn replica() -> Failure {
    Failure::new(
        FailureKind::Target,
        "the server is a replica: nothing can be changed on it",
    )
    .help("give the connection of the primary, or add target_session_attrs=primary to it")
}
