//! Where a restore goes to, and what of it is refused before anything is read.

use crate::archive::manifest::{Holds, Manifest};
use crate::base::words;
use crate::cli::args::{Conflicts, RestoreArgs};
use crate::cli::error::CliError;
use crate::pg::backup::present;
use crate::pg::session::Session;
use crate::sql::ident::quote_ident;
use crate::step::backup::DatabaseBackup;

/// The most bytes that PostgreSQL takes of a name.
const LONGEST: usize = 63;

/// Where a restore goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Single rows go back to where they were, of these tables or of all.
    Merge(Option<Vec<String>>),
    /// A new database.
    Database(String),
    /// A new table beside the live one.
    Table {
        /// The table of the backup.
        table: String,
        /// What it is called from then on.
        name: String,
    },
    /// These tables, whose rows are replaced.
    TablesInPlace(Vec<String>),
    /// The database, which is kept under another name.
    DatabaseInPlace {
        /// That name.
        aside: String,
    },
}

impl Way {
    /// Returns where it goes to, as it is asked for, or as suits what the backup holds.
    ///
    /// # Errors
    /// The backup cannot go there.
    pub(super) fn of(args: &RestoreArgs, manifest: &Manifest) -> Result<Self, CliError> {
        let tables = tables_of(args, manifest)?;
        if let Some(name) = &args.as_name {
            refuse_conflicts(args, false)?;
            return beside(manifest, &tables, name);
        }
        let merge =
            args.merge || (manifest.holds == Holds::Rows && args.into.is_none() && !args.in_place);
        refuse_conflicts(args, merge)?;
        if merge {
            refuse_schema(manifest)?;
            return Ok(Self::Merge((!tables.is_empty()).then_some(tables)));
        }
        if args.in_place {
            return in_place(manifest, tables);
        }
        if !tables.is_empty() {
            return Err(
                CliError::usage("a single table does not get a database of its own")
                    .help("--as NEW restores it beside the live one")
                    .help("--merge puts its rows back, --in-place replaces all of them"),
            );
        }
        whole(manifest)?;
        Ok(Self::Database(match &args.into {
            Some(name) => name.clone(),
            None => name_for(manifest),
        }))
    }

    /// Refuses what the server would refuse much later, and the source of the backup without the ceremony.
    ///
    /// # Errors
    /// Why it cannot be; or the server's word.
    pub(super) async fn refuse(
        self,
        session: &Session,
        manifest: &Manifest,
    ) -> Result<Self, CliError> {
        session.refuse_replica()?;
        if let Self::Database(name) = &self {
            refuse_existing(session, manifest, name).await?;
        }
        Ok(self)
    }

    /// Returns where it goes to, in words.
    pub(super) fn words(&self, database: &str) -> String {
        match self {
            Self::Merge(None) => format!("rows of {database}, one by one"),
            Self::Merge(Some(tables)) => format!("rows of {}, one by one", words::list(tables)),
            Self::Database(name) => format!("the new database {name}"),
            Self::Table { name, .. } => format!("the new table {name} in {database}"),
            Self::TablesInPlace(tables) => {
                let rows = if tables.len() == 1 { "its" } else { "their" };
                let tables = words::list(tables);
                format!("{tables}, in place of {rows} rows in {database}")
            }
            Self::DatabaseInPlace { aside } => {
                format!("{database}; what it holds now is kept as {aside}")
            }
        }
    }
}

/// Returns what the new database of a backup is called where nobody says: `crm_restored_20261121_081502`.
pub(in crate::cli::command::backup) fn name_for(manifest: &Manifest) -> String {
    dated(manifest, "restored", manifest.taken_at)
}

fn dated(manifest: &Manifest, what: &str, at: jiff::Timestamp) -> String {
    let end = format!("_{what}_{}", at.strftime("%Y%m%d_%H%M%S"));
    shortened(&manifest.source.database, LONGEST - end.len()) + &end
}

fn shortened(text: &str, most: usize) -> String {
    let fits = |end: &usize| text.is_char_boundary(*end);
    let end = (0..=most.min(text.len())).rev().find(fits).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

/// Returns the names by which the backup has the tables that are asked for.
fn tables_of(args: &RestoreArgs, manifest: &Manifest) -> Result<Vec<String>, CliError> {
    let find = |name: &String| {
        let known = manifest.tables.iter().map(|table| table.relation.as_str());
        let quoted = quote_ident(name);
        let is_meant = |relation: &&str| {
            let last = relation
                .strip_suffix(name.as_str())
                .or(relation.strip_suffix(&quoted));
            *relation == name || last.is_some_and(|schema| schema.ends_with('.'))
        };
        let found: Vec<&str> = known.clone().filter(is_meant).collect();
        match found.as_slice() {
            [one] => Ok((*one).to_owned()),
            [] => {
                let plain = known.map(|relation| relation.rsplit('.').next().unwrap_or(relation));
                let help = words::did_you_mean(name, plain);
                let show = format!("`runbook backup show {}` lists its tables", manifest.id);
                Err(CliError::usage(format!(
                    "the backup `{}` has no table `{name}`",
                    manifest.id
                ))
                .help(help.unwrap_or(show)))
            }
            several => Err(CliError::usage(format!(
                "`{name}` may be {}: say which by its schema",
                words::list(several)
            ))),
        }
    };
    let mut tables: Vec<String> = Vec::new();
    for name in &args.tables {
        let table = find(name)?;
        if !tables.contains(&table) {
            tables.push(table);
        }
    }
    Ok(tables)
}

fn refuse_conflicts(args: &RestoreArgs, merge: bool) -> Result<(), CliError> {
    if merge || args.on_conflict == Conflicts::Stop {
        return Ok(());
    }
    Err(CliError::usage(
        "--on-conflict is about single rows that are put back: there are conflicts with --merge alone",
    ))
}

fn refuse_schema(manifest: &Manifest) -> Result<(), CliError> {
    if manifest.holds == Holds::Database(DatabaseBackup::Schema) {
        return Err(CliError::usage(format!(
            "`{}` holds the structure of a database, and no rows",
            manifest.id
        ))
        .help("it can be restored into a new database"));
    }
    Ok(())
}

fn beside(manifest: &Manifest, tables: &[String], name: &str) -> Result<Way, CliError> {
    refuse_schema(manifest)?;
    match tables {
        [table] => Ok(Way::Table {
            table: table.clone(),
            name: name.to_owned(),
        }),
        _ => Err(CliError::usage(
            "--as is the name of one table: give one --table",
        )),
    }
}

fn in_place(manifest: &Manifest, tables: Vec<String>) -> Result<Way, CliError> {
    refuse_schema(manifest)?;
    let all = || {
        let tables = manifest.tables.iter();
        tables.map(|table| table.relation.clone()).collect()
    };
    match manifest.holds {
        Holds::Rows => Err(CliError::usage(format!(
            "`{}` holds some rows of its tables: it cannot replace all of them",
            manifest.id
        ))
        .help("without --in-place its rows are put back, and the others are let be")),
        _ if !tables.is_empty() => Ok(Way::TablesInPlace(tables)),
        Holds::Database(DatabaseBackup::Full) => Ok(Way::DatabaseInPlace {
            aside: dated(manifest, "before", jiff::Timestamp::now()),
        }),
        Holds::Tables | Holds::Database(_) => Ok(Way::TablesInPlace(all())),
    }
}

/// Refuses a new database from what has no structure.
fn whole(manifest: &Manifest) -> Result<(), CliError> {
    match manifest.holds {
        Holds::Rows => Err(CliError::usage(format!(
            "`{}` holds some rows of its tables: there is no database to be made of them",
            manifest.id
        ))
        .help("without --into its rows are put back to where they were")),
        Holds::Database(DatabaseBackup::Data) => Err(CliError::usage(format!(
            "`{}` holds data alone: a new database would have no tables for it",
            manifest.id
        ))
        .help("--merge puts rows back, --in-place replaces those of the tables")),
        _ => Ok(()),
    }
}

/// What is there already is never written over: least of all the database that the backup is of.
async fn refuse_existing(
    session: &Session,
    manifest: &Manifest,
    name: &str,
) -> Result<(), CliError> {
    if !present::has_database(session, name).await? {
        return Ok(());
    }
    let source = &manifest.source;
    if name == source.database || name == session.target().database {
        return Err(CliError::usage(format!(
            "`{name}` is the database that the backup would overwrite: everything that it holds by now would be lost"
        ))
        .help("without --into it goes into a new database, which harms nobody")
        .help("--in-place replaces what is there, once you have seen what that loses"));
    }
    Err(CliError::usage(format!(
        "there is a database `{name}` already: nothing is restored over it"
    ))
    .help("choose another name: `--into NAME`")
    .help(format!(
        "or drop it first: `DROP DATABASE {}`",
        quote_ident(name)
    )))
}
