//! Tables whose rows are replaced by those of a backup, where they are.

mod facts;

use tokio_postgres::Client;

use super::super::progress::Meter;
use super::super::{Site, Told, load, refused};
use super::{Replacing, TEXTS, backed, compare, run, sequence, tally, wanted};
use crate::archive::manifest::Table;
use crate::archive::store::Found;
use crate::engine::backup::BackedTable;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::Limits;
use crate::pg::session::Session;
use facts::Facts;

/// Replaces the rows, in one transaction.
pub(super) async fn all(
    session: &mut Session,
    site: &Site,
    by: &Replacing<'_>,
    limits: &Limits,
    told: Told<'_>,
) -> Result<Vec<BackedTable>, Failure> {
    session.refuse_replica()?;
    let client = session.client();
    let work = async {
        let manifest = &by.found.manifest;
        let tables = if by.tables.is_empty() {
            manifest.tables.iter().collect()
        } else {
            wanted::wanted(client, manifest, by.tables).await?
        };
        let of = tables.iter().map(|table| table.bytes).sum();
        let meter = Meter::new("restoring", Some(of));
        let replacing = replace(client, site, by, &tables, &meter);
        let triggers = meter.telling(told, replacing).await?;
        Ok((tables, triggers))
    };
    let done = Box::pin(session.guarded(limits, work)).await;
    let (tables, triggers) = match done {
        Ok(done) => done,
        Err(failure) => {
            // The first failure is the one to tell.
            let _ = session.client().batch_execute("ROLLBACK").await;
            return Err(failure);
        }
    };
    for (table, count) in triggers {
        session.say(format!(
            "triggers of {table} did not fire while its rows were replaced: {count}"
        ));
    }
    let names: Vec<&str> = tables.iter().map(|table| table.relation.as_str()).collect();
    // The rows are there and right: that the planner does not know them yet is no failure.
    let _ = run(session.client(), &format!("ANALYZE {}", names.join(", "))).await;
    Ok(tables.into_iter().map(backed).collect())
}

/// Refuses tables whose rows cannot be replaced, before anybody is asked about it.
pub(super) async fn refuse(
    session: &Session,
    found: &Found,
    tables: &[String],
) -> Result<(), Failure> {
    let client = session.client();
    let look = async {
        let tables = wanted::wanted(client, &found.manifest, tables).await?;
        let names: Vec<&str> = tables.iter().map(|table| table.relation.as_str()).collect();
        facts::refuse_missing(client, &names).await?;
        Facts::read(client, &tables, found).await.map(drop)
    };
    run(client, &format!("BEGIN READ ONLY; {TEXTS}")).await?;
    let looked = look.await;
    let ended = run(client, "ROLLBACK").await;
    looked.and(ended)
}

/// Does it, and returns of which tables how many triggers did not fire.
async fn replace(
    client: &Client,
    site: &Site,
    by: &Replacing<'_>,
    tables: &[&Table],
    meter: &Meter,
) -> Result<Vec<(String, usize)>, Failure> {
    run(client, &format!("BEGIN; {TEXTS}")).await?;
    let mut names: Vec<&str> = tables.iter().map(|table| table.relation.as_str()).collect();
    facts::refuse_missing(client, &names).await?;
    // Whoever replaces the same tables locks them in the same order.
    names.sort_unstable();
    let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", names.join(", "));
    run(client, &lock).await?;
    let facts = Facts::read(client, tables, by.found).await?;
    for now in &facts.tables {
        if let Some(table) = tables.get(now.place) {
            meter.now(format!("looking at {}", table.relation));
            refuse_changed(client, &table.relation, now.is_partitioned, by.saved).await?;
        }
    }
    let truncated: Vec<String> = facts.tables.iter().map(facts::Now::from).collect();
    let before = [facts.disable.join("; "), facts.defer.join("; ")];
    let truncate = format!("TRUNCATE {}", truncated.join(", "));
    for text in before.iter().filter(|text| !text.is_empty()) {
        run(client, text).await?;
    }
    run(client, &truncate).await?;
    for now in &facts.tables {
        let Some(table) = tables.get(now.place) else {
            continue;
        };
        let relation = &table.relation;
        meter.now(format!("restoring {relation}"));
        let lines = load::Lines::open(site, by.found, table, by.key).await?;
        let mut sent = |bytes| meter.add(bytes);
        load::copy(client, lines, table, relation, load::Way::Plain, &mut sent).await?;
    }
    for now in &facts.tables {
        let Some(table) = tables.get(now.place) else {
            continue;
        };
        meter.now(format!("comparing {}", table.relation));
        compare(client, table, &table.relation, now.is_partitioned).await?;
    }
    run(client, "SET CONSTRAINTS ALL IMMEDIATE").await?;
    let after = [facts.undefer.join("; "), facts.enable.join("; ")];
    for text in after.iter().filter(|text| !text.is_empty()) {
        run(client, text).await?;
    }
    for name in &names {
        sequence::advance(client, name).await?;
    }
    commit(client).await?;
    Ok(facts.silenced)
}

/// Refuses a table that somebody changed between the moment that its rows were saved and its lock: what they did
/// would be nowhere.
async fn refuse_changed(
    client: &Client,
    relation: &str,
    is_partitioned: bool,
    saved: &[Table],
) -> Result<(), Failure> {
    let then = saved.iter().find(|table| table.relation == relation);
    let is_same = match then {
        Some(then) => tally(client, then, relation, is_partitioned).await? == then.tally,
        None => false,
    };
    if is_same {
        return Ok(());
    }
    Err(
        refused(format!("{relation} was changed after its rows were saved"))
            .note("what was changed would be neither in the table nor in a backup")
            .note("nothing was replaced")
            .help("run it again once nobody changes the table"),
    )
}

/// Commits; a connection that is lost meanwhile leaves it open what became of it.
async fn commit(client: &Client) -> Result<(), Failure> {
    run(client, "COMMIT").await.map_err(|failure| {
        if failure.kind != FailureKind::Connection {
            return failure.note("nothing was replaced");
        }
        Failure {
            kind: FailureKind::InDoubt,
            ..refused("the connection was lost while the server committed: all rows are replaced, or none")
        }
        .help("look at the tables; doing it again does no harm")
    })
}
