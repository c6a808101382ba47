//! What a restore in place loses, shown before anybody says yes to it.

use std::collections::BTreeMap;

use crate::archive::store::Found;
use crate::base::words;
use crate::cli::backups;
use crate::engine::backup::Asking;
use crate::engine::failure::Failure;
use crate::engine::port::Question;
use crate::pg::backup::present::{self, Sessions};
use crate::pg::session::Session;
use crate::policy::rules::AnsweredBy;
use crate::runbook::data::{Column, Rows, oid};
use jiff::Timestamp;

/// What the question is called.
pub(super) const QUESTION: &str = "in_place";

/// Returns the question about tables whose rows are replaced.
///
/// # Errors
/// The server's word.
pub(super) async fn tables(
    session: &Session,
    found: &Found,
    tables: &[String],
) -> Result<Asking, Failure> {
    let now = present::rows(session, false).await?;
    let then = saved(found);
    let of = |rows: &BTreeMap<String, u64>| -> BTreeMap<String, u64> {
        let asked = rows.iter().filter(|(table, _)| tables.contains(table));
        asked.map(|(table, rows)| (table.clone(), *rows)).collect()
    };
    let (now, then) = (of(&now), of(&then));
    let target = session.target();
    let text = [
        format!(
            "All rows of {} in {} at {} are replaced.",
            words::list(tables),
            target.database,
            target.name
        ),
        from(found),
        lost(&now, &then),
        "What is there now is saved first, and read back.".to_owned(),
        elsewhere(session, found),
    ];
    Ok(asking(session, text, &now, &then))
}

/// Returns the question about a database that is replaced.
///
/// # Errors
/// The server's word.
pub(super) async fn database(
    session: &Session,
    found: &Found,
    aside: &str,
) -> Result<Asking, Failure> {
    let now = present::rows(session, true).await?;
    let then = saved(found);
    let target = session.target();
    let text = [
        format!(
            "The database {} at {} is replaced.",
            target.database, target.name
        ),
        from(found),
        lost(&now, &then),
        format!("What is there now is kept as {aside}."),
        ended(&present::sessions(session).await?),
        elsewhere(session, found),
    ];
    Ok(asking(session, text, &now, &then))
}

/// Returns the question: one fact a line.
fn asking<const N: usize>(
    session: &Session,
    facts: [String; N],
    now: &BTreeMap<String, u64>,
    then: &BTreeMap<String, u64>,
) -> Asking {
    Asking {
        question: Question {
            name: QUESTION.to_owned(),
            text: facts
                .into_iter()
                .filter(|fact| !fact.is_empty())
                .collect::<Vec<_>>()
                .join("\n"),
            typed: Some(session.target().database.clone()),
            answered_by: if session.target().protected {
                AnsweredBy::Person
            } else {
                AnsweredBy::Name
            },
            timeout: None,
        },
        show: Some(table(now, then)),
    }
}

fn from(found: &Found) -> String {
    let taken = found.manifest.taken_at;
    format!(
        "The backup is {}, saved {} ago.",
        found.manifest.id,
        backups::age(taken, Timestamp::now())
    )
}

/// Says how many rows there are more now than then.
fn lost(now: &BTreeMap<String, u64>, then: &BTreeMap<String, u64>) -> String {
    let more = |(table, rows): (&String, &u64)| {
        rows.saturating_sub(then.get(table).copied().unwrap_or_default())
    };
    let lost: u64 = now.iter().map(more).sum();
    if lost == 0 {
        "What was changed since is lost.".to_owned()
    } else {
        format!(
            "At least {} that came since, and what was changed since, are lost.",
            words::count(lost, "row")
        )
    }
}

/// Says where the backup is from, where that is not the database that it goes to.
fn elsewhere(session: &Session, found: &Found) -> String {
    let (source, target) = (&found.manifest.source, session.target());
    let same =
        source.database == target.database && source.system_identifier == target.system_identifier;
    if same {
        return String::new();
    }
    format!(
        "Mind that it was saved from another database: {}.",
        backups::of_database(&found.manifest)
    )
}

/// What was saved, but the journal's tables: what is there now is counted without them too.
fn saved(found: &Found) -> BTreeMap<String, u64> {
    let tables = found.manifest.tables.iter();
    tables
        .filter(|table| !table.relation.starts_with("runbook."))
        .map(|table| (table.relation.clone(), table.tally.rows))
        .collect()
}

/// Returns the rows now and then of each table, those that differ most first.
fn table(now: &BTreeMap<String, u64>, then: &BTreeMap<String, u64>) -> Rows {
    let mut names: Vec<&String> = now.keys().chain(then.keys()).collect();
    names.sort();
    names.dedup();
    let pair = |name: &String| (now.get(name).copied(), then.get(name).copied());
    names.sort_by_key(|name| {
        let (now, then) = pair(name);
        std::cmp::Reverse(now.unwrap_or(0).abs_diff(then.unwrap_or(0)))
    });
    let number = |rows: Option<u64>, none: &str| {
        Some(rows.map_or_else(|| none.to_owned(), |rows| rows.to_string()))
    };
    let rows = names.iter().map(|name| {
        let (now, then) = pair(name);
        let shown = name.strip_prefix("public.").unwrap_or(name);
        vec![
            Some(shown.to_owned()),
            number(now, "not there"),
            number(then, "not in it"),
        ]
    });
    let column = |(name, oid): (&str, u32)| Column {
        name: name.to_owned(),
        kind: String::new(),
        oid,
        ..Column::default()
    };
    let heads = [
        ("table", oid::TEXT),
        ("rows now", oid::INT8),
        ("rows in the backup", oid::INT8),
    ];
    Rows {
        columns: heads.into_iter().map(column).collect(),
        rows: rows.collect(),
        count: words::long(names.len()),
    }
}

/// Says whose sessions are ended.
fn ended(sessions: &[Sessions]) -> String {
    const MOST: usize = 5;
    if sessions.is_empty() {
        return "Nobody else is connected.".to_owned();
    }
    let said: Vec<String> = sessions
        .iter()
        .take(MOST)
        .map(|each| format!("{} of {} ({})", each.count, each.program, each.user))
        .collect();
    let more = match sessions.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(", and those of {more} more programs"),
    };
    format!("Other sessions are ended: {}{more}.", words::list(&said))
}
