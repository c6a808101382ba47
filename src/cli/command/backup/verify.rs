//! `runbook backup verify`: proves again that backups are good.

use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::archive::manifest::Holds;
use crate::archive::notes::Notes;
use crate::archive::store::{self, Found};
use crate::archive::{self, proof};
use crate::base::words;
use crate::cli::args::{ListOutput, VerifyArgs};
use crate::cli::error::CliError;
use crate::cli::{Context, backups, connection, runner};
use crate::engine::backup::Progressing;
use crate::engine::cancel::Cancel;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::outcome::exit;
use crate::engine::port::Limits;
use crate::pg::backup::{Site, trial};
use crate::pg::session::Session;
use crate::report::failure;
use crate::report::look::Look;
use crate::step::backup::DatabaseBackup;

/// Verifies backups; the exit code says whether all are good.
///
/// # Errors
/// There is no such backup, no connection to restore one on trial, or no key.
pub(super) fn run(
    context: &Context<'_>,
    folder: Option<&Path>,
    args: &VerifyArgs,
) -> Result<u8, CliError> {
    let mut site = backups::reading(context, folder)?;
    let (found, unreadable) = which(&site.folder, args)?;
    site.keys = backups::keys_for(context, &args.open, &found.iter().collect::<Vec<_>>())?;
    connection::runtime()?.block_on(async {
        tokio::select! {
            code = all(context, args, &site, &found, unreadable) => code,
            () = runner::interrupted() => Err(CliError::Cancelled),
        }
    })
}

/// Returns the backups that are asked for, and folders that are called like ones and are none.
fn which(folder: &Path, args: &VerifyArgs) -> Result<(Vec<Found>, Vec<Verdict>), CliError> {
    if !args.all {
        let found = args
            .backups
            .iter()
            .map(|called| backups::find(folder, called));
        return Ok((found.collect::<Result<_, _>>()?, Vec::new()));
    }
    let stored = store::list(folder)?;
    let unreadable = stored.damaged.into_iter().map(|(path, failure)| Verdict {
        id: path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        proof: Proof::None,
        failure: Some(failure),
        is_damaged: true,
        untried: None,
    });
    Ok((stored.found, unreadable.collect()))
}

/// What was proved of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// Nothing.
    None,
    /// Its files are what was written; nobody could look into them.
    Files,
    /// All of it was read.
    Read,
    /// It was restored on trial too.
    Restored,
}

/// What became of one backup.
struct Verdict {
    id: String,
    proof: Proof,
    /// What is wrong with it.
    failure: Option<Failure>,
    /// Whether its files are not what was written.
    is_damaged: bool,
    /// Why it was read and found good, and could not be restored on trial. That speaks against nothing but the place
    /// that it was to come to: a right is missing there, a role, a program, or room.
    untried: Option<Failure>,
}

async fn all(
    context: &Context<'_>,
    args: &VerifyArgs,
    site: &Site,
    found: &[Found],
    unreadable: Vec<Verdict>,
) -> Result<u8, CliError> {
    let mut session = if args.restore && !found.is_empty() {
        Some(connection::connect(context, "runbook/verify").await?)
    } else {
        None
    };
    let mut verdicts = unreadable;
    for verdict in &verdicts {
        tell(context, args, verdict)?;
    }
    for found in found {
        // Of data alone there is nothing to restore on trial: it stops no drill of all others.
        let tries = !args.all || found.manifest.holds != Holds::Database(DatabaseBackup::Data);
        let session = session.as_mut().filter(|_| tries);
        let verdict = Box::pin(one(site, found, session)).await?;
        tell(context, args, &verdict)?;
        verdicts.push(verdict);
    }
    match args.output {
        ListOutput::Json => {
            let list: Value = verdicts.iter().map(Verdict::json).collect();
            context.invocation.print(&format!("{list:#}\n"))?;
        }
        ListOutput::Human if verdicts.len() > 1 => {
            context.invocation.print(&sum(&verdicts))?;
        }
        ListOutput::Human if verdicts.is_empty() => {
            context.invocation.eprint("There are no backups.\n");
        }
        ListOutput::Human => {}
    }
    let is_well = |verdict: &Verdict| verdict.failure.is_none() && verdict.untried.is_none();
    Ok(if verdicts.iter().all(is_well) {
        exit::DONE
    } else {
        exit::FAILED
    })
}

/// Returns "3 backups: 2 good, 1 not good".
fn sum(verdicts: &[Verdict]) -> String {
    let count = |what: &dyn Fn(&Verdict) -> bool| verdicts.iter().filter(|each| what(each)).count();
    let bad = count(&|verdict| verdict.failure.is_some());
    let untried = count(&|verdict| verdict.untried.is_some());
    let mut said = vec![format!("{} good", verdicts.len() - bad)];
    if bad > 0 {
        said.push(format!("{bad} not good"));
    }
    if untried > 0 {
        said.push(format!("{untried} not restored on trial"));
    }
    let all = words::count(words::long(verdicts.len()), "backup");
    format!("{all}: {}\n", said.join(", "))
}

/// Verifies one backup and writes down what came of it.
async fn one(
    site: &Site,
    found: &Found,
    session: Option<&mut Session>,
) -> Result<Verdict, CliError> {
    let key = match (&found.manifest.encryption, session.is_some()) {
        // Without a key the files can still be compared.
        (Some(_), false) => site.key(found).unwrap_or_default(),
        _ => site.key(found)?,
    };
    let is_open = found.manifest.encryption.is_none() || key.is_some();
    let (folder, manifest) = (found.folder.clone(), found.manifest.clone());
    let opened = key.clone();
    let read = tokio::task::spawn_blocking(move || {
        proof::of(&folder, &manifest, opened.as_ref(), &|_| Ok(()))
    })
    .await
    .unwrap_or_else(|error| {
        Err(Failure::new(
            FailureKind::Backup,
            format!("the backup could not be read: {error}"),
        ))
    });
    let is_damage = |failure: &Failure| archive::is_damage(&found.folder, failure);
    let mut verdict = Verdict {
        id: found.manifest.id.clone(),
        is_damaged: read.as_ref().is_err_and(is_damage),
        proof: if is_open { Proof::Read } else { Proof::Files },
        failure: read.err(),
        untried: None,
    };
    if verdict.failure.is_none()
        && let Some(session) = session
    {
        let limits = Limits {
            deadline: None,
            cancel: Cancel::never(),
        };
        let mut told = |_: &Progressing| {};
        let tried = trial::restore(session, site, found, key.as_ref(), &limits, &mut told);
        let tried = Box::pin(tried).await;
        match tried {
            Ok(()) => verdict.proof = Proof::Restored,
            Err(failure) => verdict.untried = Some(failure),
        }
    }
    note(found, &verdict)?;
    Ok(verdict)
}

/// Writes down what came of it. That it could not be tried is nothing that speaks against it.
fn note(found: &Found, verdict: &Verdict) -> Result<(), CliError> {
    let now = Timestamp::now();
    let damage = verdict.failure.as_ref().filter(|_| verdict.is_damaged);
    let is_read = matches!(verdict.proof, Proof::Read | Proof::Restored);
    let is_gone = !found.folder.exists();
    if is_gone || damage.is_none() && (verdict.failure.is_some() || !is_read) {
        return Ok(());
    }
    // Somebody may have pinned it meanwhile.
    Notes::change(&found.folder, |notes| {
        notes.damaged = damage.map(|failure| (now, failure.message.clone()));
        if damage.is_none() {
            notes.read_at = Some(now);
        }
        if damage.is_none() && verdict.proof == Proof::Restored {
            notes.restored_at = Some(now);
        }
    })?;
    Ok(())
}

fn tell(context: &Context<'_>, args: &VerifyArgs, verdict: &Verdict) -> Result<(), CliError> {
    if args.output == ListOutput::Json {
        return Ok(());
    }
    let (said, what) = match (&verdict.failure, &verdict.untried) {
        (Some(failure), _) => ("not good", Some(failure)),
        (None, Some(failure)) => ("read in full, but not restored on trial", Some(failure)),
        (None, None) => (verdict.proof.words(args.restore), None),
    };
    context
        .invocation
        .print(&format!("{}  {said}\n", verdict.id))?;
    let look = Look {
        colors: context.look.color_err,
        unicode: context.look.unicode,
        width: context
            .invocation
            .terminal
            .stderr
            .then_some(context.look.width),
    };
    let lines = what.map(|failure| failure::draw(failure, look.inside(2)));
    for line in lines.into_iter().flatten() {
        context.invocation.eprint(&format!("  {line}\n"));
    }
    Ok(())
}

impl Proof {
    /// Returns what is said of what is good.
    fn words(self, restore: bool) -> &'static str {
        match self {
            Self::Restored => "good: read in full and restored on trial",
            Self::Read if restore => "good: read in full (data alone has no trial)",
            Self::Read => "good: read in full",
            Self::Files | Self::None => {
                "its files are what was written; --identity or --passphrase-file opens them"
            }
        }
    }
}

impl Verdict {
    fn json(&self) -> Value {
        json!({
            "id": self.id,
            "good": self.failure.is_none(),
            "proved": match self.proof {
                Proof::None => "nothing",
                Proof::Files => "files",
                Proof::Read => "read",
                Proof::Restored => "restored",
            },
            "failure": self.failure.as_ref().or(self.untried.as_ref()),
        })
    }
}
