//! A database in the place of another: the old one keeps all it has, under another name.
//!
//! All that lasts happens in one transaction, so whoever is killed anywhere in between leaves the old database
//! with its name, its data and open to connections. RENAME holds a lock that new connections wait for, and waits
//! some seconds for the old ones to end; these are ended meanwhile, from a second connection.

mod carry;

use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::fresh::{self, Fresh};
use super::maintenance::{self, field, rows, run};
use super::refused;
use crate::engine::failure::{Failure, FailureKind};
use crate::pg::failure;
use crate::pg::session::Session;
use crate::sql::ident::quote_ident;

/// How often sessions of the old database are ended while its name is changed.
const PAUSE: Duration = Duration::from_millis(100);

/// What decides whether it can be done: who may, and what stands in the way.
const FACTS: &str = "\
    SELECT d.oid, current_user::text, pg_has_role(d.datdba, 'USAGE'), me.rolsuper OR me.rolcreatedb, \
      pg_get_userbyid(d.datdba)::text, \
      (SELECT string_agg(gid, ', ') FROM pg_prepared_xacts WHERE database = d.datname), \
      (SELECT string_agg(slot_name, ', ') FROM pg_replication_slots WHERE database = d.datname), \
      (SELECT string_agg(a.pid || ' of ' || a.usename, ', ') FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid \
         WHERE a.datid = d.oid AND NOT me.rolsuper \
           AND (r.rolsuper OR NOT (pg_has_role(a.usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE')))) \
    FROM pg_database d JOIN pg_roles me ON me.rolname = current_user WHERE d.datname = $1";

/// Ends the sessions of a database.
const END: &str = "\
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
    WHERE datid = $1 AND pid <> pg_backend_pid() AND usesysid IS NOT NULL";

/// Gives a restored database the name of the one that the session is connected to, which is called `aside`
/// from then on: both in one transaction, settings and rights of the database included. Other sessions of it
/// are ended. The restored one is dropped where that fails.
///
/// # Errors
/// The login does not own the database, or may not end its sessions; the server's word. Nothing has changed then.
pub async fn in_place(session: Session, mut fresh: Fresh, aside: &str) -> Result<(), Failure> {
    let old = session.target().database.clone();
    let mut oid = None;
    let Err(failure) = swap(session, &mut fresh, &old, aside, &mut oid).await else {
        return Ok(());
    };
    let beside = fresh.beside().clone();
    let new = fresh.settings().database().to_owned();
    let is_lost = failure.kind == FailureKind::Connection;
    // Dropping waits for a COMMIT that is under way, and finds nothing of that name if it came through.
    let failure = fresh.discarded(failure).await;
    if is_lost
        && let Some(oid) = oid
        && let Ok(connected) = maintenance::connect(&beside, &[&old, &new]).await
        && is_called(&connected.client, oid, aside).await
    {
        return Ok(());
    }
    Err(failure.note(format!("the database {old} is as it was")))
}

async fn swap(
    session: Session,
    fresh: &mut Fresh,
    old: &str,
    aside: &str,
    found: &mut Option<u32>,
) -> Result<(), Failure> {
    let new = fresh.settings().database().to_owned();
    let connected = maintenance::connect(fresh.beside(), &[old, &new]).await?;
    let ending = maintenance::connect(fresh.beside(), &[old, &new]).await?;
    let client = &connected.client;
    fresh::free(client, aside).await?;
    let oid = check(client, old).await?;
    *found = Some(oid);
    // Everything that may be refused for lack of rights comes before any session is ended.
    run(client, "BEGIN").await?;
    for statement in carry::statements(client, old, &new).await? {
        run(client, &statement).await.map_err(|failure| {
            failure.note(format!("while it was to become {old}: {statement}"))
        })?;
    }
    fresh.release();
    drop(session);
    let (old_name, new_name) = (quote_ident(old), quote_ident(&new));
    let rename = format!("ALTER DATABASE {old_name} RENAME TO {}", quote_ident(aside));
    let renaming = run(client, &rename);
    let mut renaming = std::pin::pin!(renaming);
    loop {
        tokio::select! {
            biased;
            renamed = &mut renaming => break renamed?,
            () = tokio::time::sleep(PAUSE) => end(&ending.client, oid).await?,
        }
    }
    run(
        client,
        &format!("ALTER DATABASE {new_name} RENAME TO {old_name}"),
    )
    .await?;
    run(client, "COMMIT").await
}

/// Refuses what could not be done to its end; returns the database's OID.
async fn check(client: &Client, old: &str) -> Result<u32, Failure> {
    let found = rows(client, FACTS, &[old]).await?;
    let row = found
        .first()
        .ok_or_else(|| refused(format!("there is no database {old} any more")))?;
    let text = |index: usize| field::<Option<String>>(row, index);
    let (login, owner): (String, String) = (field(row, 1)?, field(row, 4)?);
    let me = quote_ident(&login);
    if !field::<bool>(row, 2)? {
        return Err(refused(format!(
            "{login} does not own the database {old}: {owner} does"
        ))
        .help("use the login that owns it, or a superuser"));
    }
    if !field::<bool>(row, 3)? {
        return Err(refused(format!("{login} may not rename databases"))
            .help(format!("let it: ALTER ROLE {me} CREATEDB")));
    }
    if let Some(prepared) = text(5)? {
        return Err(
            refused(format!("{old} has prepared transactions: {prepared}"))
                .help("end them first: COMMIT PREPARED or ROLLBACK PREPARED"),
        );
    }
    if let Some(slots) = text(6)? {
        return Err(refused(format!(
            "{old} is replicated by the slots {slots}: they would stay with what it holds now"
        ))
        .help("drop these slots first, and make them again afterwards"));
    }
    if let Some(sessions) = text(7)? {
        return Err(refused(format!(
            "{login} may not end all sessions of {old}: {sessions}"
        ))
        .help(format!(
            "have them ended, or let it: GRANT pg_signal_backend TO {me}; sessions of superusers only a superuser ends"
        )));
    }
    field(row, 0)
}

async fn end(client: &Client, oid: u32) -> Result<(), Failure> {
    client
        .query_typed(END, &[(&oid, Type::OID)])
        .await
        .map(drop)
        .map_err(|error| failure::of(&error, "", 0))
}

/// Returns whether a database has that name.
async fn is_called(client: &Client, oid: u32, name: &str) -> bool {
    let query = "SELECT oid FROM pg_database WHERE datname = $1";
    match rows(client, query, &[name]).await {
        Ok(found) => found.first().is_some_and(|row| field(row, 0) == Ok(oid)),
        Err(_) => false,
    }
}
