//! `runbook backup create`: saves, proves, and deletes what is too old then.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::record::{self, Beginning};
use crate::archive::{name, notes::Notes};
use crate::base::words;
use crate::cli::args::{self, CreateArgs, How, OfDatabase};
use crate::cli::error::CliError;
use crate::cli::notice::Notices;
use crate::cli::runner::{self, Answering};
use crate::cli::world::RealWorld;
use crate::cli::{Context, backups, connection};
use crate::engine::backup::{Backed, MadeBy, Order, Run, Seal, Step, TableRows, What};
use crate::engine::driver::Untold;
use crate::engine::event::{RunFinished, Shown, StepResult};
use crate::engine::failure::Failure;
use crate::engine::outcome::Outcome;
use crate::engine::port::{Bound, World};
use crate::pg::function::refuse_volatile;
use crate::pg::session::Session;
use crate::runbook::statement::SqlTemplate;
use crate::sql::ident::TableName;
use crate::sql::statement::Statement;
use crate::step::backup::{DatabaseBackup, Keep};

/// Makes a backup, and returns the exit code of what came of it.
///
/// # Errors
/// What is wrong before anything is saved.
pub(super) fn run(
    context: &Context<'_>,
    folder: Option<&Path>,
    args: &CreateArgs,
) -> Result<u8, CliError> {
    if let Some(name) = &args.name {
        name::check(name).map_err(|failure| wrong_use(&failure))?;
    }
    if args.database == Some(OfDatabase::Data) && args.verify == How::Restore {
        return Err(CliError::usage(
            "data alone cannot be restored on trial: there would be no tables for it",
        )
        .help("leave out `--verify restore`: all of it is read back and compared anyway")
        .help("or save the structure too: `--database full`"));
    }
    let rows = rows(&args.rows)?;
    let seal = seal(context, args)?;
    connection::runtime()?.block_on(start(context, folder, args, rows, seal))
}

async fn start(
    context: &Context<'_>,
    folder: Option<&Path>,
    args: &CreateArgs,
    rows: Vec<TableRows>,
    seal: Option<Seal>,
) -> Result<u8, CliError> {
    let id = runner::new_id();
    let session = tokio::select! {
        connected = connect(context, &id, &rows) => connected?,
        () = runner::interrupted() => return Err(CliError::Cancelled),
    };
    let mut site = backups::site(context, folder)?;
    if let Some(jobs) = args.jobs {
        site.jobs = jobs.into();
    }
    let actor = runner::actor(context, &session);
    let name = match &args.name {
        Some(name) => name.clone(),
        None => name_of(&session.target().database),
    };
    let order = Order {
        id: free_id(&site.folder, &name),
        what: what(args, rows),
        to: None,
        keep: args::keep(args.keep_last, args.keep_days),
        verify: args.verify.into(),
        seal,
        made_by: MadeBy {
            actor: actor.clone(),
            run: Some(id.clone()),
            runbook: Some(record::CREATE.to_owned()),
            step: None,
        },
        name,
    };
    let order = site.completed(order);
    let database = &session.target().database;
    let started = record::started(
        &Beginning {
            run: &id,
            runbook: record::CREATE,
            title: format!("Backup of {database}"),
            dry_run: false,
            params: shown(&order),
        },
        &session,
        actor.clone(),
    );
    let answering = Answering {
        given: &[],
        yes: true,
        dry_run: false,
    };
    let world = RealWorld {
        folder: context.invocation.folder.clone(),
        site,
        answers: runner::answers(context, &answering, actor, None)?,
        sink: Notices::new(context, &[], session.settings())?
            .around(&[], runner::sink(context, args.told)),
        redactor: record::redactor(order.seal.as_ref()),
        record: Some(record::begin(context, &started)?),
        session,
    };
    let pin = args.pin.clone();
    let says = if args.told.is_quiet() {
        String::new()
    } else {
        format!(
            "Restore with: runbook backup restore {}{}",
            order.id,
            backups::folder_flag(context, folder)
        )
    };
    let work = async |world: &mut RealWorld, cancel| {
        let run = Run::begin(started, world, cancel)?;
        create(run, &order, pin, says).await.map(Ok)
    };
    Box::pin(runner::drive(context, &id, world, work)).await
}

async fn create(
    mut run: Run<'_, RealWorld>,
    order: &Order,
    pin: Option<String>,
    says: String,
) -> Result<RunFinished, Untold> {
    let step = Step {
        name: "backup",
        kind: "backup",
        about: None,
    };
    let work = async |world: &mut RealWorld, limits: &_| {
        let backed = world.backup(order, limits).await?;
        if let Some(why) = pin {
            keep_for_ever(&backed, why)?;
        }
        Ok(StepResult::Backup(Box::new(backed)))
    };
    match run.step(step, false, work).await? {
        Some(_) => run.finish(Outcome::Done, says),
        None => run.stop("nothing was saved"),
    }
}

fn keep_for_ever(backed: &Backed, why: String) -> Result<(), Failure> {
    let folder = PathBuf::from(&backed.path);
    Notes::change(&folder, |notes| notes.pinned = Some(why)).map(drop)
}

/// Connects, and refuses predicates that could write before any of them is sent.
async fn connect(context: &Context<'_>, id: &str, rows: &[TableRows]) -> Result<Session, CliError> {
    let session = connection::connect(context, &format!("runbook/{id}")).await?;
    let reads = rows.iter().map(|rows| &rows.bound.statement);
    refuse_volatile(&session, reads)
        .await
        .map_err(|failure| wrong_use(&failure))?;
    Ok(session)
}

fn wrong_use(failure: &Failure) -> CliError {
    let help = failure.help.iter().cloned();
    help.fold(CliError::usage(failure.message.clone()), CliError::help)
}

/// Reads `--rows TABLE=PREDICATE`.
fn rows(given: &[(String, String)]) -> Result<Vec<TableRows>, CliError> {
    let read = |(table, predicate): &(String, String)| {
        let wrong = |why: String| {
            CliError::usage(format!("`--rows {table}={predicate}`: {why}"))
                .help("a table, and what stands behind WHERE: --rows \"users=company_id = 42\"")
        };
        if TableName::parse(table).is_none() {
            return Err(wrong(format!("`{table}` is no name of a table")));
        }
        if predicate.trim().is_empty() {
            return Err(wrong(
                "the predicate is empty; --table saves all of a table".to_owned(),
            ));
        }
        let text = format!("SELECT FROM {table} WHERE ({predicate}\n)");
        let statement = Statement::parse(&text).map_err(|error| wrong(error.message))?;
        statement
            .allowed_in_read()
            .map_err(|error| wrong(error.message))?;
        if !statement.placeholders().is_empty() {
            return Err(wrong("there are no values for $1".to_owned()));
        }
        Ok(TableRows {
            table: table.clone(),
            bound: Bound {
                statement,
                binds: Vec::new(),
            },
            shown: predicate.clone(),
        })
    };
    given.iter().map(read).collect()
}

fn seal(context: &Context<'_>, args: &CreateArgs) -> Result<Option<Seal>, CliError> {
    if !args.recipients.is_empty() {
        return Ok(Some(Seal::Recipients(args.recipients.clone())));
    }
    if let Some(path) = &args.passphrase_file {
        let passphrase = backups::passphrase_of(context, path)?;
        return Ok(Some(Seal::Passphrase(passphrase)));
    }
    if args.passphrase {
        return Ok(Some(Seal::Passphrase(backups::new_passphrase(context)?)));
    }
    Ok(None)
}

fn what(args: &CreateArgs, rows: Vec<TableRows>) -> What {
    if !rows.is_empty() {
        return What::Rows(rows);
    }
    if !args.tables.is_empty() {
        return What::Tables(args.tables.clone());
    }
    What::Database(args.database.map_or(DatabaseBackup::Full, Into::into))
}

/// Returns the name of a database as backups can be called.
pub(super) fn name_of(database: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || "-_.".contains(letter) {
            letter
        } else {
            '_'
        }
    };
    let name: String = database.chars().map(plain).take(80).collect();
    match name.strip_prefix(['.', '-']) {
        Some(rest) => format!("_{rest}"),
        None if name.is_empty() => "database".to_owned(),
        None => name,
    }
}

/// Returns an id that no backup has yet.
pub(super) fn free_id(folder: &Path, name: &str) -> String {
    let id = name::id(name, Timestamp::now());
    let is_free = |id: &String| !folder.join(id).exists();
    if is_free(&id) {
        return id;
    }
    let others = (2..1000).map(|number| format!("{id}-{number}"));
    others.into_iter().find(is_free).unwrap_or(id)
}

/// Returns what is said of the order when the run begins.
fn shown(order: &Order) -> Vec<Shown> {
    let what = match &order.what {
        What::Rows(rows) => rows
            .iter()
            .map(|rows| SqlTemplate::shown_predicate(rows.bound.statement.text()))
            .collect::<Vec<_>>()
            .join("; "),
        What::Tables(tables) => words::list(tables),
        What::Database(DatabaseBackup::Full) => "the database".to_owned(),
        What::Database(DatabaseBackup::Schema) => "the structure of the database".to_owned(),
        What::Database(DatabaseBackup::Data) => "the data of the database".to_owned(),
    };
    let mut shown = vec![("backup", order.id.clone()), ("holds", what)];
    if let Some(keep) = order.keep {
        shown.push(("keeps", kept(keep)));
    }
    if let Some(seal) = &order.seal {
        shown.push((
            "encrypted",
            match seal {
                Seal::Recipients(keys) => format!("for {}", words::list(keys)),
                Seal::Passphrase(_) => "by a passphrase".to_owned(),
            },
        ));
    }
    let shown = shown.into_iter().map(|(name, value)| Shown {
        name: name.to_owned(),
        value,
    });
    shown.collect()
}

/// Returns how long backups are kept, in words.
pub(super) fn kept(keep: Keep) -> String {
    let days = |days: u32| words::count(days, "day");
    match (keep.last, keep.days) {
        (Some(last), None) => format!("the newest {last}"),
        (None, Some(younger)) => format!("those of the last {}", days(younger)),
        (Some(last), Some(younger)) => {
            format!("the newest {last}, and those of the last {}", days(younger))
        }
        (None, None) => "all".to_owned(),
    }
}
