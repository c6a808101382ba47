//! The database of a command: found from its flags, `runbook.yaml` and the environment, connected, and given up when
//! the command ends.

use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use super::Context;
use super::args::{Global, Journal};
use super::error::CliError;
use super::project::{self, Project};
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Spanned;
use crate::base::words;
use crate::engine::event::TargetFacts;
use crate::pg::connect_error::{ConnectError, Elsewhere, Mismatch};
use crate::pg::profile::Profile;
use crate::pg::session::Session;
use crate::pg::settings::ConnectSettings;
use crate::policy::document;
use crate::policy::target::{Identity, Target, Targets};
use crate::record::facts::Place;

mod address;
mod around;
mod password;
mod profile;

pub(super) use address::expanded;
pub(super) use around::refuse_around;
use profile::{others, profile};

/// The database that a command is about.
#[derive(Clone)]
pub(super) struct Goal {
    /// Where it is, and how it is connected; the password of a `password_command` only comes with the connection.
    pub(super) settings: ConnectSettings,
    /// What `runbook.yaml` says of it, where it is named there.
    pub(super) target: Option<Arc<Target>>,
    /// The `runbook.yaml` that there is.
    pub(super) project: Option<Arc<Project>>,
}

/// What names the database of a command.
enum Named<'a> {
    /// An address on the command line.
    Address(&'a str),
    /// `runbook.yaml`.
    Target(&'a str),
    /// `$DATABASE_URL`, or libpq's variables.
    Environment,
}

/// Returns the database that the command's flags, `runbook.yaml` and the environment name.
///
/// # Errors
/// A setting is wrong, or there is no such target.
pub(super) fn goal(context: &Context<'_>) -> Result<Goal, CliError> {
    let project = project::find(context.invocation)?.map(Arc::new);
    let environment = &context.invocation.environment;
    let targets = project.as_ref().map(|project| &project.targets);
    let goal = match named(context, targets) {
        Named::Target(name) => {
            let Some(project) = project.clone() else {
                return Err(without_project(context, name));
            };
            let target = one(&project.targets, name)?.clone();
            return of(context, &project, target);
        }
        Named::Address(url) => ConnectSettings::resolve(Some(url), environment)?,
        Named::Environment => ConnectSettings::resolve(None, environment)?,
    };
    let profile = Profile {
        others: others(targets, None),
        ..Profile::default()
    };
    let goal = Goal {
        settings: goal.with_profile(profile),
        target: None,
        project,
    };
    warn(context, &goal);
    Ok(goal)
}

/// Returns the database of a target.
///
/// # Errors
/// A setting of it is wrong.
pub(super) fn of(
    context: &Context<'_>,
    project: &Arc<Project>,
    target: Target,
) -> Result<Goal, CliError> {
    let environment = &context.invocation.environment;
    let address = address::of(&target, project, environment)?;
    let settings = ConnectSettings::of_target(&address, environment)?;
    let goal = Goal {
        settings: settings.with_profile(profile(&target, &project.targets)),
        target: Some(Arc::new(target)),
        project: Some(Arc::clone(project)),
    };
    warn(context, &goal);
    Ok(goal)
}

/// A target, and the `runbook.yaml` that it is written in.
pub(super) type Written = (Arc<Target>, Arc<Project>);

/// Returns the target that a command is about, and the `runbook.yaml` that names it, without looking at addresses and
/// variables; nothing where an address names the database.
///
/// # Errors
/// There is no such target.
pub(super) fn target(context: &Context<'_>) -> Result<Option<Written>, CliError> {
    let project = project::find(context.invocation)?.map(Arc::new);
    let targets = project.as_ref().map(|project| &project.targets);
    let Named::Target(name) = named(context, targets) else {
        return Ok(None);
    };
    let Some(project) = project.clone() else {
        return Err(without_project(context, name));
    };
    let target = Arc::new(one(&project.targets, name)?.clone());
    Ok(Some((target, project)))
}

/// Returns the flags for the target that a run was on, where they name no database themselves and `runbook.yaml` still
/// knows its name: a run is gone on with where it began.
///
/// # Errors
/// `runbook.yaml` cannot be used.
pub(super) fn recorded(context: &Context<'_>, target: &TargetFacts) -> Result<Global, CliError> {
    let global = context.global;
    if global.names_database() {
        return Ok(global.clone());
    }
    let project = project::find(context.invocation)?;
    let known = project.is_some_and(|project| project.targets.find(&target.name).is_some());
    Ok(if known {
        global.of_target(&target.name)
    } else {
        global.clone()
    })
}

/// Returns the names of the targets, where the command's flags name a group of them.
///
/// # Errors
/// `runbook.yaml` cannot be used.
pub(super) fn group(context: &Context<'_>) -> Result<Option<Vec<String>>, CliError> {
    let Some(name) = context
        .global
        .target
        .as_deref()
        .filter(|name| !is_address(name))
    else {
        return Ok(None);
    };
    let project = project::find(context.invocation)?;
    let group = project
        .as_ref()
        .and_then(|project| project.targets.group(name));
    Ok(group.map(<[String]>::to_vec))
}

/// Returns whether anything names a database, on the command line, in `runbook.yaml` or in the environment.
///
/// # Errors
/// `runbook.yaml` cannot be used.
pub(super) fn is_named(context: &Context<'_>) -> Result<bool, CliError> {
    const NAMING: [&str; 5] = [
        "DATABASE_URL",
        "PGHOST",
        "PGHOSTADDR",
        "PGDATABASE",
        "PGSERVICE",
    ];
    let environment = &context.invocation.environment;
    if context.global.names_database() || NAMING.iter().any(|name| environment.var(name).is_some())
    {
        return Ok(true);
    }
    let project = project::find(context.invocation)?;
    Ok(project.is_some_and(|project| project.targets.default.is_some()))
}

/// Returns where the journal of a run on the session's target is kept: where the target says, else where the command
/// line does.
///
/// # Errors
/// Both say something, and not the same.
pub(super) fn journal(session: &Session, said: Option<Journal>) -> Result<Place, CliError> {
    let profile = session.settings().profile();
    let said = said.map(|said| match said {
        Journal::Database => Place::Database,
        Journal::Local => Place::Local,
    });
    let of_target = profile.journal.map(|journal| match journal {
        document::Journal::Database => Place::Database,
        document::Journal::Local => Place::Local,
    });
    match (of_target, said) {
        (Some(of_target), Some(said)) if of_target != said => {
            let word = |place| {
                if place == Place::Local {
                    "local"
                } else {
                    "database"
                }
            };
            let name = profile.name.as_deref().unwrap_or_default();
            Err(CliError::usage(format!(
                "`--journal {}`: the target `{name}` says `journal: {}`",
                word(said),
                word(of_target)
            ))
            .help("leave the flag out: where the journal is must be the same for everybody"))
        }
        (of_target, said) => Ok(of_target.or(said).unwrap_or_default()),
    }
}

/// Connects; `application` is what other sessions see it as.
///
/// # Errors
/// There is no connection to be had.
pub(super) async fn connect(context: &Context<'_>, application: &str) -> Result<Session, CliError> {
    goal(context)?.connect(application).await
}

impl Goal {
    /// Connects; `application` is what other sessions see it as.
    ///
    /// # Errors
    /// There is no connection to be had, or it is another database than the named one.
    pub(super) async fn connect(&self, application: &str) -> Result<Session, CliError> {
        let settings = self.ready().await?.with_application_name(application);
        let connected = Session::connect(&settings, None).await;
        let mut session = connected.map_err(|error| match error {
            ConnectError::Elsewhere(elsewhere) => self.elsewhere(*elsewhere),
            error => error.into(),
        })?;
        session.set_watchdog(self.target.as_ref().and_then(|target| target.watchdog));
        Ok(session)
    }

    /// Returns the settings with the password of a `password_command`.
    ///
    /// # Errors
    /// The program gives none.
    pub(super) async fn ready(&self) -> Result<ConnectSettings, CliError> {
        let target = self.target.as_ref();
        let command = target.map_or(&[][..], |target| &target.connection.password_command);
        let (Some(target), false, Some(project)) = (target, command.is_empty(), &self.project)
        else {
            return Ok(self.settings.clone());
        };
        let secret = password::ask(&target.name, command, &project.folder).await?;
        Ok(self.settings.clone().with_password(secret))
    }

    /// Returns the error of another database than the named one, at the place where it is pinned.
    fn elsewhere(&self, found: Elsewhere) -> CliError {
        let Some(project) = &self.project else {
            return ConnectError::Elsewhere(Box::new(found)).into();
        };
        let identity = self
            .target
            .as_ref()
            .and_then(|target| target.identity.as_ref());
        let (place, words) = match &found.mismatch {
            Mismatch::Cluster(_) | Mismatch::Unproved => {
                (identity.and_then(cluster), "this cluster is pinned")
            }
            Mismatch::Database(_) => (
                identity.and_then(|identity| identity.database.as_ref()),
                "this database is pinned",
            ),
            Mismatch::Named(name) | Mismatch::MayBe(name) => {
                let target = project.targets.find(name);
                let identity = target.and_then(|target| target.identity.as_ref());
                (identity.and_then(cluster), "this cluster is its own")
            }
        };
        let mut diagnostic = Diagnostic::error("elsewhere", found.title());
        if let Some(place) = place {
            diagnostic = diagnostic.at(place.span, words);
        }
        CliError::Elsewhere {
            source_text: project.targets.source.clone(),
            diagnostic: Box::new(diagnostic.note(found.found()).help(found.help())),
        }
    }
}

fn cluster(identity: &Identity) -> Option<&Spanned<String>> {
    identity.system_identifier.as_ref()
}

fn named<'a>(context: &'a Context<'_>, targets: Option<&'a Targets>) -> Named<'a> {
    match (&context.global.target, &context.global.database_url) {
        (Some(target), _) if is_address(target) => return Named::Address(target),
        (Some(target), _) => return Named::Target(target),
        (None, Some(url)) => return Named::Address(url),
        (None, None) => {}
    }
    let has_url = context.invocation.environment.var("DATABASE_URL").is_some();
    let default = targets.and_then(|targets| targets.default.as_deref());
    match default.filter(|_| !has_url) {
        Some(default) => Named::Target(default),
        None => Named::Environment,
    }
}

/// Returns the flag that another command needs in order to work on the same target: nothing where none was named.
pub(super) fn name_flag(context: &Context<'_>) -> String {
    let name = context.global.target.as_deref();
    name.filter(|name| !is_address(name))
        .map_or_else(String::new, |name| format!(" --target {name}"))
}

/// Returns whether what `--target` was given is an address rather than a name.
fn is_address(text: &str) -> bool {
    text.contains("://") || text.contains('=')
}

fn without_project(context: &Context<'_>, name: &str) -> CliError {
    CliError::usage(format!("there is no target `{name}`: there is no runbook.yaml"))
        .help(format!("it was looked for: {}", project::searched(context.invocation)))
        .help("`runbook targets` shows a small one to begin with; or give a connection URL, $DATABASE_URL or libpq's variables")
}

/// Returns the target of a name.
///
/// # Errors
/// There is none, or it is the name of a group.
pub(super) fn one<'a>(targets: &'a Targets, name: &str) -> Result<&'a Target, CliError> {
    if let Some(target) = targets.find(name) {
        return Ok(target);
    }
    let file = targets.source.name();
    if let Some(group) = targets.group(name) {
        let message = format!("`{name}` is a group of targets, and this works on one database");
        let help = format!("name one of them: {}", words::list(group));
        return Err(CliError::usage(message).help(help));
    }
    let names: Vec<&str> = targets.names().collect();
    let help = words::did_you_mean(name, names.iter().copied()).unwrap_or_else(|| {
        if names.is_empty() {
            "it names no targets".to_owned()
        } else {
            format!("it has {}", words::list(&names))
        }
    });
    Err(CliError::usage(format!("there is no target `{name}` in {file}")).help(help))
}

fn warn(context: &Context<'_>, goal: &Goal) {
    for warning in goal.settings.warnings() {
        context.invocation.eprint(&format!("warning: {warning}\n"));
    }
}

/// Returns what runs the futures of a command, on the one thread that it needs.
///
/// # Errors
/// The system has no resources left.
pub(super) fn runtime() -> Result<Runtime, CliError> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::io("cannot start", &error))
}
