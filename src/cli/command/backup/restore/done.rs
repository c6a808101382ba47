//! What is said when something was restored: where it is, and the way back.

use crate::sql::ident::quote_ident;

/// After a restore into a new database; `is_named` where a URL says where the server is, and not what `--target` goes
/// by as well.
pub(super) fn database(name: &str, is_named: bool) -> String {
    let look = if is_named {
        format!("Look at it: connect to the database {name} of the same server")
    } else {
        format!("Look at it: runbook query … --target dbname={name}")
    };
    format!("{look}\nDrop it: DROP DATABASE {};", quote_ident(name))
}

/// After a restore as a new table.
pub(super) fn table(table: &str, name: &str) -> String {
    format!(
        "{table} is as it was.\nDrop the new one when you are done: DROP TABLE {};",
        quote_ident(name)
    )
}

/// After tables were replaced.
pub(super) fn tables(saved: &str, flag: &str) -> String {
    format!("To go back: runbook backup restore {saved}{flag} --in-place")
}

/// After a database was replaced.
pub(super) fn swapped(database: &str, aside: &str) -> String {
    let (now, old) = (quote_ident(database), quote_ident(aside));
    format!(
        "The old database is kept as {aside}.\n\
         To go back, connected to another database, such as postgres:\n  \
           ALTER DATABASE {now} RENAME TO {};\n  \
           ALTER DATABASE {old} RENAME TO {now};\n\
         To be rid of it: DROP DATABASE {old};",
        quote_ident(&format!("{database}_undone"))
    )
}
