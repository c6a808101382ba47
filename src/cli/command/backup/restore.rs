//! `runbook backup restore`: puts a backup where it harms nobody, or, after the ceremony, in place of what is there.

mod done;
mod in_place;
mod merge;
mod new;
mod preview;
mod way;

use std::path::Path;

use super::record::{self, Beginning};
use crate::archive::manifest::Manifest;
use crate::archive::store::Found;
use crate::cli::answers::Flag;
use crate::cli::args::RestoreArgs;
use crate::cli::error::CliError;
use crate::cli::notice::Notices;
use crate::cli::runner::{self, Answering, Going};
use crate::cli::world::RealWorld;
use crate::cli::{Context, backups, connection, policy};
use crate::engine::backup::Asking;
use crate::engine::cancel::Cancel;
use crate::engine::event::{RunStarted, Shown};
use crate::pg::backup::{Site, into};
use crate::pg::session::Session;
use way::Way;

pub(super) use way::name_for;

/// Restores a backup, and returns the exit code of what came of it.
///
/// # Errors
/// What is wrong before anything is restored.
pub(super) fn run(
    context: &Context<'_>,
    folder: Option<&Path>,
    args: &RestoreArgs,
) -> Result<u8, CliError> {
    let mut site = backups::site(context, folder)?;
    let found = backups::find(&site.folder, &args.backup)?;
    if let Some(jobs) = args.jobs {
        site.jobs = jobs.into();
    }
    let way = Way::of(args, &found.manifest)?;
    site.keys = backups::keys_for(context, &args.open, &[&found])?;
    // What cannot be opened is found before anything is touched.
    site.key(&found)?;
    connection::runtime()?.block_on(start(
        context,
        args,
        site,
        &found,
        (way, backups::folder_flag(context, folder)),
    ))
}

/// What a restore works with.
struct Restoring<'a> {
    /// Why the glass is broken, and without what it goes on.
    glass: Option<(String, Vec<String>)>,
    context: &'a Context<'a>,
    args: &'a RestoreArgs,
    found: &'a Found,
    /// The database that it is about.
    database: String,
    /// What a command needs in order to find the backup.
    flag: String,
}

async fn start(
    context: &Context<'_>,
    args: &RestoreArgs,
    site: Site,
    found: &Found,
    (way, flag): (Way, String),
) -> Result<u8, CliError> {
    let id = runner::new_id();
    let prepare = async {
        let session = connection::connect(context, &format!("runbook/{id}")).await?;
        let way = way.refuse(&session, &found.manifest).await?;
        if let Way::TablesInPlace(tables) = &way {
            into::refuse_replacing(&session, found, tables).await?;
        }
        if matches!(way, Way::Merge(_)) {
            new::prove_dump(found, &site, &Cancel::never()).await?;
        }
        let asking = match &way {
            Way::TablesInPlace(tables) if !args.dry_run => {
                Some(preview::tables(&session, found, tables).await?)
            }
            Way::DatabaseInPlace { aside } if !args.dry_run => {
                Some(preview::database(&session, found, aside).await?)
            }
            _ => None,
        };
        let glass = if is_in_place(&way) && !args.dry_run {
            policy::of_restore(context, &session, args.break_glass.as_deref()).await?
        } else {
            None
        };
        Ok::<_, CliError>((session, way, asking, glass))
    };
    let (session, way, asking, glass) = tokio::select! {
        prepared = prepare => prepared?,
        () = runner::interrupted() => return Err(CliError::Cancelled),
    };
    let restoring = Restoring {
        glass,
        context,
        args,
        found,
        database: session.target().database.clone(),
        flag,
    };
    let started = restoring.started(&id, &way, &session);
    let world = restoring.world(&way, &started, site, session)?;
    restoring.drive(started, way, asking, world).await
}

fn is_in_place(way: &Way) -> bool {
    matches!(way, Way::TablesInPlace(_) | Way::DatabaseInPlace { .. })
}

impl Restoring<'_> {
    fn manifest(&self) -> &Manifest {
        &self.found.manifest
    }

    /// Returns the command that restores the backup, from the folder that it is in.
    fn command(&self) -> String {
        format!("runbook backup restore {}{}", self.manifest().id, self.flag)
    }

    /// Returns whether the server is named by a URL, and not by the variables of libpq.
    fn is_named(&self) -> bool {
        let global = self.context.global;
        let variable = || self.context.invocation.environment.var("DATABASE_URL");
        global.target.is_some() || global.database_url.is_some() || variable().is_some()
    }

    /// Returns what is said at the end; nothing where only errors are to be heard.
    fn says(&self, text: String) -> String {
        if self.args.told.is_quiet() {
            String::new()
        } else {
            text
        }
    }

    fn started(&self, id: &str, way: &Way, session: &Session) -> RunStarted {
        let params = [
            ("backup", self.manifest().id.clone()),
            ("holds", backups::holds(self.manifest())),
            ("taken", backups::moment(self.manifest().taken_at)),
            ("to", way.words(&self.database)),
        ];
        let shown = params.into_iter().map(|(name, value)| Shown {
            name: name.to_owned(),
            value,
        });
        let started = record::started(
            &Beginning {
                run: id,
                runbook: record::RESTORE,
                title: format!("Restore of {}", self.manifest().name),
                dry_run: self.args.dry_run,
                params: shown.collect(),
            },
            session,
            runner::actor(self.context, session),
        );
        RunStarted {
            glass: self.glass.as_ref().map(|(reason, _)| reason.clone()),
            ..started
        }
    }

    /// In place `--yes` is no answer: what is replaced is named by whoever confirms it.
    fn world(
        &self,
        way: &Way,
        started: &RunStarted,
        site: Site,
        mut session: Session,
    ) -> Result<RealWorld, CliError> {
        let in_place = is_in_place(way);
        let answering = Answering {
            given: &[],
            yes: self.args.yes && !in_place,
            dry_run: self.args.dry_run,
        };
        let actor = started.actor.clone();
        let mut answers = runner::answers(self.context, &answering, actor, None)?;
        if in_place {
            answers.flag = Flag::Confirm;
            let confirmed = self.args.confirm.clone();
            answers
                .given
                .extend(confirmed.map(|name| (preview::QUESTION.to_owned(), name)));
        }
        if matches!(way, Way::Merge(_)) || self.glass.is_some() {
            let writer = merge::writer(self.context, self.args, started, &session)?;
            session.set_writer(writer);
        }
        Ok(RealWorld {
            folder: self.context.invocation.folder.clone(),
            site,
            answers,
            sink: Notices::new(self.context, &[], session.settings())?
                .around(&[], runner::sink(self.context, self.args.told)),
            redactor: record::redactor(None),
            record: Some(record::begin(self.context, started)?),
            session,
        })
    }

    async fn drive(
        &self,
        started: RunStarted,
        way: Way,
        asking: Option<Asking>,
        world: RealWorld,
    ) -> Result<u8, CliError> {
        let going = Going {
            run: &started.run.clone(),
            again: Some(format!("do it again: {}", self.command())),
        };
        let work = async |world: &mut RealWorld, cancel| {
            let came = match way {
                Way::Merge(tables) => {
                    let request = merge::request(self, started, tables);
                    Box::pin(crate::engine::undo::run(request, world, cancel)).await
                }
                way if self.args.dry_run => {
                    Box::pin(new::rehearse(self, started, &way, world, cancel)).await
                }
                Way::Database(name) => {
                    Box::pin(new::database(self, started, &name, world, cancel)).await
                }
                Way::Table { table, name } => {
                    Box::pin(new::table(self, started, (&table, &name), world, cancel)).await
                }
                Way::TablesInPlace(tables) => {
                    Box::pin(in_place::tables(
                        self, started, asking, &tables, world, cancel,
                    ))
                    .await
                }
                Way::DatabaseInPlace { aside } => {
                    Box::pin(in_place::database(
                        self, started, asking, &aside, world, cancel,
                    ))
                    .await
                }
            };
            came.map(Ok)
        };
        Box::pin(runner::drive_to(self.context, &going, world, work)).await
    }
}
