//! `runbook check`: everything that can be proved of runbooks without a database.

mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::source::Source;
use crate::base::words;
use crate::cli::args::{CheckArgs, Format};
use crate::cli::catalogue::{Catalogue, Entry, Origin, Refused, is_path};
use crate::cli::error::CliError;
use crate::cli::findings::{self, Checked};
use crate::cli::{Context, connection};
use crate::engine::outcome::exit;
use crate::pg::session::Session;
use crate::runbook::check::{Proved, check};

/// Checks what the arguments name, and prints what was found.
///
/// # Errors
/// Those of finding the runbooks, and of a database that cannot be asked.
pub fn run(context: &Context<'_>, args: &CheckArgs) -> Result<u8, CliError> {
    let (entries, refused, catalogue) = chosen(context, &args.what)?;
    let is_live = context.global.names_database();
    if entries.is_empty() && refused.is_empty() {
        let searched = words::list(&catalogue.searched());
        context
            .invocation
            .eprint(&format!("warning: there are no runbooks in {searched}\n"));
    }
    let keep = |entry: &Entry, outcome: Outcome| {
        let tests = tests::check(entry, &outcome, &catalogue);
        (if is_live { outcome } else { outcome.told() }, tests)
    };
    let (mut results, tests): (Vec<Outcome>, Vec<Option<Checked>>) =
        check_all(&entries, &catalogue, keep).into_iter().unzip();
    if is_live {
        live(context, &mut results)?;
    }
    let all: Vec<Checked> = results
        .into_iter()
        .zip(tests)
        .flat_map(|(result, tests)| [Some(result.checked), tests])
        .flatten()
        .chain(refused.iter().map(refusal))
        .collect();
    print(context, args, &all)?;
    let errors = all.iter().any(|checked| checked.count(Severity::Error) > 0);
    let warnings = all
        .iter()
        .any(|checked| checked.count(Severity::Warning) > 0);
    if errors || (warnings && args.deny_warnings) {
        return Ok(exit::INVALID);
    }
    Ok(exit::DONE)
}

/// A runbook that was checked, and its proof where it is valid.
pub(in crate::cli) struct Outcome {
    /// What was found.
    pub(in crate::cli) checked: Checked,
    /// The proof.
    pub(in crate::cli) proved: Option<Proved>,
}

impl Outcome {
    /// Returns what is left to tell, so that thousands of runbooks need no more memory than a few.
    fn told(mut self) -> Self {
        self.proved = None;
        self.checked.source = self
            .checked
            .source
            .filter(|_| !self.checked.diagnostics.is_empty());
        self
    }
}

/// Checks valid runbooks against the live catalog of the database that `--target` names.
fn live(context: &Context<'_>, results: &mut [Outcome]) -> Result<(), CliError> {
    let group = connection::group(context)?;
    connection::runtime()?.block_on(async {
        let Some(names) = group else {
            let session = connection::connect(context, "runbook/check").await?;
            return live_on(&session, results, None).await;
        };
        for name in names {
            let global = context.global.of_target(&name);
            let context = context.with_global(&global);
            let session = connection::connect(&context, "runbook/check").await?;
            live_on(&session, results, Some(&name)).await?;
        }
        Ok(())
    })
}

async fn live_on(
    session: &Session,
    results: &mut [Outcome],
    target: Option<&str>,
) -> Result<(), CliError> {
    for result in results {
        if let Some(proved) = &result.proved {
            let found = crate::pg::live::check(session, proved).await.into_iter();
            let found = found.map(|one| match target {
                Some(name) => one.note(format!("on the target `{name}`")),
                None => one,
            });
            result.checked.diagnostics.extend(found);
        }
    }
    Ok(())
}

/// Returns what the arguments name, with the catalogue in which their runbooks find one another; without arguments
/// all that is not built in.
///
/// # Errors
/// There is no such runbook, file or folder.
pub(in crate::cli) fn chosen(
    context: &Context<'_>,
    what: &[String],
) -> Result<(Vec<Entry>, Vec<Refused>, Catalogue), CliError> {
    let mut catalogue = context.catalogue.clone();
    if what.is_empty() {
        let own = catalogue.all().iter();
        let own = own.filter(|entry| entry.origin != Origin::Builtin);
        return Ok((
            own.cloned().collect(),
            catalogue.refused().to_vec(),
            catalogue,
        ));
    }
    let (mut entries, mut refused) = (Vec::new(), Vec::new());
    for text in what {
        let path = context.invocation.folder.join(text);
        if path.is_dir() && !is_known(&catalogue, text) {
            let mut folder = Catalogue::of(&path, &context.invocation.folder);
            if folder.all().is_empty() && folder.refused().is_empty() {
                let message = format!("there are no runbooks in `{text}`");
                return Err(CliError::invalid(message)
                    .help("runbooks are files that end in .yaml, in the folder or below it"));
            }
            entries.extend(folder.all().iter().cloned());
            refused.append(&mut folder.take_refused());
            // Its runbooks may use one another.
            catalogue.add(Origin::Flag, &path);
        } else if let Some(stem) = text.strip_suffix(tests::END) {
            entries.push(catalogue.file(Path::new(&format!("{stem}.yaml")))?);
        } else if is_path(text) {
            entries.push(catalogue.file(Path::new(text))?);
        } else {
            entries.push(catalogue.find(text)?);
        }
    }
    let mut seen = BTreeSet::new();
    entries.retain(|entry| seen.insert(entry.shown.clone()));
    Ok((entries, refused, catalogue))
}

/// A name counts before a folder of the same name, unless it is written as a path.
fn is_known(catalogue: &Catalogue, text: &str) -> bool {
    !text.contains('/') && catalogue.all().iter().any(|entry| entry.name == text)
}

/// Checks runbooks on all processors, and returns what `keep` makes of each, in the order of the entries.
pub(in crate::cli) fn check_all<T: Send>(
    entries: &[Entry],
    catalogue: &Catalogue,
    keep: impl Fn(&Entry, Outcome) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(entries.len()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        while let Some((index, entry)) = take(entries, &next) {
            let kept = keep(entry, one(entry, catalogue));
            done.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((index, kept));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(entries.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, kept)| kept).collect()
}

fn take<'a>(entries: &'a [Entry], next: &AtomicUsize) -> Option<(usize, &'a Entry)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    entries.get(index).map(|entry| (index, entry))
}

fn one(entry: &Entry, catalogue: &Catalogue) -> Outcome {
    let file = entry.shown.clone();
    match entry.read() {
        Err(error) => Outcome {
            checked: unread(file, &error),
            proved: None,
        },
        Ok(source) => proof(entry, source, catalogue),
    }
}

fn proof(entry: &Entry, source: Source, catalogue: &Catalogue) -> Outcome {
    let file = entry.shown.clone();
    let (diagnostics, proved) = match check(&source, &|name| catalogue.used_by(entry, name)) {
        Ok(mut proved) => (std::mem::take(&mut proved.warnings), Some(proved)),
        Err(diagnostics) => (diagnostics, None),
    };
    Outcome {
        checked: Checked {
            file,
            source: Some(source),
            diagnostics,
        },
        proved,
    }
}

fn unread(file: String, error: &CliError) -> Checked {
    let mut diagnostic = Diagnostic::error("file", error.to_string());
    if let CliError::Invalid { help, .. } = error {
        diagnostic.help.clone_from(help);
    }
    Checked {
        file,
        source: None,
        diagnostics: vec![diagnostic],
    }
}

/// Returns what is found in what looks like a runbook and is not taken.
pub(in crate::cli) fn refusal(refused: &Refused) -> Checked {
    Checked {
        file: refused.shown.clone(),
        source: None,
        diagnostics: vec![Diagnostic::error("file", refused.to_string())],
    }
}

fn print(context: &Context<'_>, args: &CheckArgs, all: &[Checked]) -> Result<(), CliError> {
    let invocation = context.invocation;
    match args.format {
        Format::Human => {
            let found = findings::human(all, context.look.color_out);
            let quiet = args.quiet && found.is_empty();
            let summary = if quiet {
                String::new()
            } else {
                format!("{}\n", findings::summary(all))
            };
            invocation.print(&(found + &summary))
        }
        Format::Json => invocation.print(&pretty(&findings::json(all))),
        Format::Sarif => invocation.print(&pretty(&findings::sarif(all))),
        Format::Github => invocation.print(&findings::github(all)),
    }
}

/// Returns JSON as files and pipes want it: indented, with a line break at the end.
pub(super) fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}
