//! `runbook backup prune`: shows which backups are too old and why, asks, and deletes them.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::archive::deletion;
use crate::archive::retention::{self, Fate};
use crate::archive::store::{self, Found, Kind, Stored};
use crate::base::words;
use crate::cli::answers::Flag;
use crate::cli::args::{self, ListOutput, PruneArgs};
use crate::cli::backups::{self, Standing};
use crate::cli::error::CliError;
use crate::cli::runner::{self, Answering};
use crate::cli::table::{narrow, table};
use crate::cli::{Context, connection};
use crate::engine::cancel::Cancel;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::outcome::exit;
use crate::engine::port::{Answer, Question};
use crate::pg::backup::Site;
use crate::policy::rules::AnsweredBy;
use crate::step::backup::Keep;

/// Deletes backups that nothing keeps, and returns the exit code of what came of it.
///
/// # Errors
/// There is none of that name, or nobody says how long backups are kept.
pub(super) fn run(
    context: &Context<'_>,
    folder: Option<&Path>,
    args: &PruneArgs,
) -> Result<u8, CliError> {
    let site = backups::site(context, folder)?;
    deletion::sweep(&site.folder);
    let fated = decided(&site, args)?;
    let going: Vec<&Fated> = fated
        .iter()
        .filter(|fated| fated.fate == Fate::Goes)
        .collect();
    if args.output == ListOutput::Human {
        show(context, &fated)?;
    }
    if going.is_empty() || args.dry_run {
        json_of(context, args, &fated, &[])?;
        if args.output == ListOutput::Human {
            let said = if going.is_empty() {
                "Nothing is to be deleted.\n"
            } else {
                "Dry run: nothing was deleted.\n"
            };
            context.invocation.print(said)?;
        }
        return Ok(exit::DONE);
    }
    if let Some(code) = declined(context, args, &going)? {
        json_of(context, args, &fated, &[])?;
        return Ok(code);
    }
    // Whoever was asked may have taken long: what was pinned, or came to be needed, meanwhile stays.
    let now = decided(&site, args)?;
    let still_goes = |fated: &&Fated| {
        let same = now.iter().find(|now| now.folder == fated.folder);
        same.is_some_and(|now| now.fate == Fate::Goes)
    };
    let mut deleted = Vec::new();
    let mut failed = None;
    for fated in going.into_iter().filter(still_goes) {
        match deletion::delete(&fated.folder) {
            Ok(()) => deleted.push(fated.id.as_str()),
            Err(failure) => {
                failed = Some(failure);
                break;
            }
        }
    }
    json_of(context, args, &fated, &deleted)?;
    if args.output == ListOutput::Human && !deleted.is_empty() {
        context
            .invocation
            .print(&format!("Deleted {}.\n", words::list(&deleted)))?;
    }
    failed.map_or(Ok(exit::DONE), |failure| Err(failure.into()))
}

/// Decides what becomes of the backups that are asked for, as they are now.
fn decided(site: &Site, args: &PruneArgs) -> Result<Vec<Fated>, CliError> {
    let stored = store::list(&site.folder)?;
    match &args.backup {
        Some(called) if is_id(&stored, called) => one(site, &stored, args, called),
        called => by_name(site, &stored, args, called.as_deref()),
    }
}

/// A backup with what becomes of it.
struct Fated {
    id: String,
    folder: PathBuf,
    found: Option<Found>,
    fate: Fate,
    /// Whether a yes is not enough.
    even_the_last: bool,
}

fn id_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn is_id(stored: &Stored, called: &str) -> bool {
    stored.found.iter().any(|found| found.manifest.id == called)
        || stored.damaged.iter().any(|(path, _)| id_of(path) == called)
}

/// Decides about the backups of a name, or of all names.
fn by_name(
    site: &Site,
    stored: &Stored,
    args: &PruneArgs,
    name: Option<&str>,
) -> Result<Vec<Fated>, CliError> {
    if args.even_the_last {
        return Err(CliError::usage(
            "--even-the-last is about one backup: name it by its whole id",
        ));
    }
    let mut kinds: Vec<Kind> = stored
        .found
        .iter()
        .filter(|found| name.is_none_or(|name| found.manifest.name == name))
        .map(|found| Kind::of(&found.manifest))
        .collect();
    kinds.sort();
    kinds.dedup();
    if let Some(name) = name.filter(|_| kinds.is_empty()) {
        let known = stored
            .found
            .iter()
            .map(|found| found.manifest.name.as_str());
        let help = words::did_you_mean(name, known);
        return Err(CliError::usage(format!("there is no backup `{name}`"))
            .help(help.unwrap_or_else(|| "`runbook backup list` shows what there is".to_owned())));
    }
    let needed = site.needed.of(&site.folder);
    let mut all = Vec::new();
    for each in kinds {
        let same = stored.of(&each);
        let keep = keep_of(site, args, &same, &each.name)?;
        let unfinished = stored.is_unfinished(&each.name, &same);
        let fates = retention::fates(&same, keep, &needed, unfinished, Timestamp::now());
        all.extend(fates.into_iter().map(|(found, fate)| Fated {
            id: found.manifest.id.clone(),
            folder: found.folder.clone(),
            found: Some(found.clone()),
            fate,
            even_the_last: false,
        }));
    }
    Ok(all)
}

/// Returns how long backups of a name are kept: as is said, as the newest of them says, or as the target does.
fn keep_of(site: &Site, args: &PruneArgs, same: &[Found], name: &str) -> Result<Keep, CliError> {
    let said = args::keep(args.keep_last, args.keep_days);
    let of_target = site.keep;
    let newest = same.iter().find_map(|found| found.manifest.keep);
    said.or(newest).or(of_target).ok_or_else(|| {
        CliError::usage(format!(
            "nothing says how long backups of `{name}` are kept"
        ))
        .help("--keep-last N keeps so many of the newest, --keep-days N those that are younger")
    })
}

/// Decides about the one backup that is named by its id.
fn one(site: &Site, stored: &Stored, args: &PruneArgs, id: &str) -> Result<Vec<Fated>, CliError> {
    if args.keep_last.is_some() || args.keep_days.is_some() {
        return Err(CliError::usage(format!(
            "`{id}` is one backup: --keep-last and --keep-days are about all of a name"
        )));
    }
    let Some(found) = stored.found.iter().find(|found| found.manifest.id == id) else {
        // What cannot be read can be of no use to anyone.
        let folder = stored.damaged.iter().find(|(path, _)| id_of(path) == id);
        return Ok(folder
            .map(|(path, _)| Fated {
                id: id.to_owned(),
                folder: path.clone(),
                found: None,
                fate: Fate::Goes,
                even_the_last: false,
            })
            .into_iter()
            .collect());
    };
    if let Some(why) = &found.notes.pinned {
        return Err(stays(id, &format!("it is pinned: {why}"))
            .help(format!("runbook backup unpin {id}"))
            .into());
    }
    if let Some(why) = site.needed.of(&site.folder).get(id) {
        return Err(stays(id, why).into());
    }
    let is_good = |other: &&Found| {
        Kind::of(&other.manifest) == Kind::of(&found.manifest)
            && Standing::of(&other.manifest, &other.notes).is_good()
    };
    let good: Vec<&Found> = stored.found.iter().filter(is_good).collect();
    let is_last = matches!(good.as_slice(), [only] if only.manifest.id == id);
    if is_last && !args.even_the_last {
        return Err(stays(id, "it is the only good backup of its name")
            .help(format!(
                "make another one first: runbook backup create {}",
                found.manifest.name
            ))
            .help(format!(
                "or say that you want none: runbook backup prune {id} --even-the-last"
            ))
            .into());
    }
    Ok(vec![Fated {
        id: id.to_owned(),
        folder: found.folder.clone(),
        found: Some(found.clone()),
        fate: Fate::Goes,
        even_the_last: is_last,
    }])
}

fn stays(id: &str, why: &str) -> Failure {
    Failure::new(FailureKind::Backup, format!("`{id}` is not deleted: {why}"))
}

fn show(context: &Context<'_>, fated: &[Fated]) -> Result<(), CliError> {
    let now = Timestamp::now();
    if fated.is_empty() {
        return Ok(());
    }
    let heads = ["ID", "SIZE", "AGE", "STATE", "FATE"];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    lines.extend(fated.iter().map(|fated| fated.cells(now)));
    let look = context.look;
    narrow(&mut lines, &["AGE", "STATE", "SIZE"], look.width);
    context
        .invocation
        .print(&table(&[], &lines, usize::MAX, look.unicode))
}

impl Fated {
    fn cells(&self, now: Timestamp) -> Vec<String> {
        let fate = match &self.fate {
            Fate::Goes => "goes".to_owned(),
            Fate::Stays(why) => format!("stays: {why}"),
        };
        let found = self.found.as_ref();
        let say = |what: &dyn Fn(&Found) -> String| found.map_or_else(String::new, what);
        vec![
            self.id.clone(),
            say(&|found| words::bytes(found.bytes)),
            say(&|found| backups::age(found.manifest.taken_at, now)),
            found.map_or("damaged".to_owned(), |found| {
                let standing = Standing::of(&found.manifest, &found.notes);
                standing.word().to_owned()
            }),
            fate,
        ]
    }

    fn json(&self, deleted: &[&str]) -> Value {
        let why = match &self.fate {
            Fate::Goes => None,
            Fate::Stays(why) => Some(why),
        };
        json!({
            "id": self.id,
            "fate": if why.is_some() { "stays" } else { "goes" },
            "why": why,
            "deleted": deleted.contains(&self.id.as_str()),
        })
    }
}

fn json_of(
    context: &Context<'_>,
    args: &PruneArgs,
    fated: &[Fated],
    deleted: &[&str],
) -> Result<(), CliError> {
    if args.output == ListOutput::Human {
        return Ok(());
    }
    let list: Value = fated.iter().map(|fated| fated.json(deleted)).collect();
    context.invocation.print(&format!("{list:#}\n"))
}

/// Asks, and returns the exit code where the answer is no. The only good one of its name needs its id typed.
fn declined(
    context: &Context<'_>,
    args: &PruneArgs,
    going: &[&Fated],
) -> Result<Option<u8>, CliError> {
    let bytes = going.iter().filter_map(|fated| fated.found.as_ref());
    let bytes: u64 = bytes.map(|found| found.bytes).sum();
    let mut questions = vec![(
        format!(
            "Delete {} ({})?",
            words::count(words::long(going.len()), "backup"),
            words::bytes(bytes)
        ),
        None,
    )];
    for last in going.iter().filter(|fated| fated.even_the_last) {
        questions.push((
            format!(
                "`{}` is the only good backup of its name. Nothing can be restored of it afterwards.",
                last.id
            ),
            Some(last.id.clone()),
        ));
    }
    let runtime = connection::runtime()?;
    for (text, typed) in questions {
        if let Some(why) = runtime.block_on(no(context, args, text, typed))? {
            context
                .invocation
                .eprint(&format!("nothing was deleted: {why}\n"));
            return Ok(Some(exit::DECLINED));
        }
    }
    Ok(None)
}

/// Asks, and returns why the answer is no.
async fn no(
    context: &Context<'_>,
    args: &PruneArgs,
    text: String,
    typed: Option<String>,
) -> Result<Option<String>, CliError> {
    let answering = Answering {
        given: &[],
        yes: args.yes && typed.is_none(),
        dry_run: false,
    };
    let mut answers = runner::answers(context, &answering, runner::person(context), None)?;
    let name = "delete".to_owned();
    if typed.is_some() {
        answers.flag = Flag::Confirm;
        let confirmed = args.confirm.iter().map(|id| (name.clone(), id.clone()));
        answers.given.extend(confirmed);
    }
    let question = Question {
        name,
        text,
        typed,
        answered_by: if is_protected(context)? {
            AnsweredBy::Person
        } else {
            AnsweredBy::Flag
        },
        timeout: None,
    };
    context.invocation.eprint(&format!("{}\n", question.text));
    let never = Cancel::never();
    let answer = tokio::select! {
        answer = answers.answer(&question, None, &never) => answer,
        () = runner::interrupted() => return Err(CliError::Cancelled),
    };
    Ok(match answer {
        Answer::Yes(_) => None,
        Answer::No { why, .. } => Some(why.unwrap_or_else(|| "the answer was no".to_owned())),
        Answer::Nobody(why) => Some(why),
        Answer::Cancelled => Some("cancelled".to_owned()),
    })
}

/// Returns whether the target that the command is about is protected: so are its backups.
fn is_protected(context: &Context<'_>) -> Result<bool, CliError> {
    let target = connection::target(context)?;
    Ok(target.is_some_and(|(target, _)| target.rules.protected))
}
