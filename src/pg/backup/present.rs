//! What there is now where a backup would be restored to: its tables with their rows, and who is connected.

use std::collections::BTreeMap;

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::engine::failure::Failure;
use crate::pg::failure;
use crate::pg::session::Session;
use crate::sql::ident::quote_literal;

/// What each table of the database is, but the system's and the journal's.
const TABLES: &str = "\
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind, c.relispartition \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'runbook') \
    AND n.nspname::text !~ '^pg_(toast|temp)' ORDER BY 1";

/// Who else is connected.
const SESSIONS: &str = "\
    SELECT count(*), coalesce(nullif(application_name, ''), 'a program without a name'), usename \
    FROM pg_catalog.pg_stat_activity \
    WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend' \
    GROUP BY 2, 3 ORDER BY 1 DESC, 2, 3";

/// Sessions of one program and one login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// How many there are.
    pub count: u64,
    /// What the program calls itself.
    pub program: String,
    /// The login.
    pub user: String,
}

/// Counts the rows of all tables at one moment: by their names with their schemas, quoted. Of a partitioned table
/// its root is counted; with `each_partition` its partitions are instead.
///
/// # Errors
/// The server's word.
pub async fn rows(
    session: &Session,
    each_partition: bool,
) -> Result<BTreeMap<String, u64>, Failure> {
    let client = session.client();
    ask(
        client,
        "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    )
    .await?;
    let counted = count(client, each_partition).await;
    ask(client, "ROLLBACK").await?;
    counted
}

async fn count(client: &Client, each_partition: bool) -> Result<BTreeMap<String, u64>, Failure> {
    let mut counted = BTreeMap::new();
    for row in ask(client, TABLES).await? {
        let [name, kind, is_partition] = row.as_slice() else {
            continue;
        };
        let counts_elsewhere = if each_partition {
            kind == "p"
        } else {
            is_partition == "t"
        };
        if counts_elsewhere {
            continue;
        }
        // Tables that inherit from another count themselves.
        let only = if kind == "p" { "" } else { "ONLY " };
        let rows = ask(client, &format!("SELECT count(*) FROM {only}{name}")).await?;
        counted.insert(name.clone(), number(rows.first()));
    }
    Ok(counted)
}

fn number(row: Option<&Vec<String>>) -> u64 {
    let field = row.and_then(|row| row.first());
    field.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// Returns who else is connected to the database.
///
/// # Errors
/// The server's word.
pub async fn sessions(session: &Session) -> Result<Vec<Sessions>, Failure> {
    let rows = ask(session.client(), SESSIONS).await?;
    let sessions = rows.iter().filter_map(|row| match row.as_slice() {
        [_, program, user] => Some(Sessions {
            count: number(Some(row)),
            program: program.clone(),
            user: user.clone(),
        }),
        _ => None,
    });
    Ok(sessions.collect())
}

/// Returns whether the server has a database of a name.
///
/// # Errors
/// The server's word.
pub async fn has_database(session: &Session, name: &str) -> Result<bool, Failure> {
    let sql = format!(
        "SELECT 1 FROM pg_catalog.pg_database WHERE datname = {}",
        quote_literal(name)
    );
    Ok(!ask(session.client(), &sql).await?.is_empty())
}

/// Asks the server, and returns the rows as texts.
async fn ask(client: &Client, sql: &str) -> Result<Vec<Vec<String>>, Failure> {
    let answers = client
        .simple_query(sql)
        .await
        .map_err(|error| failure::of(&error, sql, 0))?;
    let field = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let rows = answers.into_iter().filter_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|index| field(row.get(index))).collect())
        }
        _ => None,
    });
    Ok(rows.collect())
}
