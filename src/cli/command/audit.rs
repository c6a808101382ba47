//! `runbook audit`: proves that the records of runs are whole, and exports them.

mod export;

use std::collections::BTreeSet;
use std::path::Path;

use crate::base::words;
use crate::cli::args::{AuditArgs, AuditWhat};
use crate::cli::error::CliError;
use crate::cli::{Context, connection, state};
use crate::engine::outcome::exit;
use crate::record::audit::{Audit, Auditor, Finding, Kept};
use crate::record::{index, store};
use crate::report::line::Line;
use crate::report::look::{Look, Mark};

/// Where to look when a record cannot be trusted.
const REALLY: &str = "  = help: what runs really did is in the journal of each database: SELECT * FROM runbook.entry\n";

/// Proves that the records of runs are whole, and exports them.
///
/// # Errors
/// A run is not there, or the records or the database cannot be read.
pub fn run(context: &Context<'_>, args: &AuditArgs) -> Result<u8, CliError> {
    let base = state::folder(context)?;
    let auditor = Auditor::new(&base)?;
    let runs: BTreeSet<String> = if args.runs.is_empty() {
        auditor.runs()?
    } else {
        // One whose record was removed is still known by its id.
        let known = auditor.runs()?;
        let find = |prefix: &String| match known.get(prefix) {
            Some(run) => Ok(run.clone()),
            None => store::find(&base, prefix),
        };
        args.runs.iter().map(find).collect::<Result<_, _>>()?
    };
    let named = connection::is_named(context)?;
    let (auditor, place) = if named && !runs.is_empty() {
        let compared = connection::runtime()?.block_on(compare(context, auditor, &runs))?;
        (compared.0, Some(compared.1))
    } else {
        (auditor, None)
    };
    if args.what == AuditWhat::Export {
        return exported(context, args, &auditor, &runs, place);
    }
    let audits: Vec<Audit> = runs.iter().map(|run| auditor.audit(run)).collect();
    // An index that was altered matters to every run.
    let code = tell(context, &base, &auditor.index(), &audits)?;
    if !audits.is_empty() {
        context.invocation.eprint(&compared(&audits, place));
    }
    if code != exit::DONE {
        context.invocation.eprint(REALLY);
    }
    Ok(code)
}

/// Writes the records, and says which of them are not whole.
fn exported(
    context: &Context<'_>,
    args: &AuditArgs,
    auditor: &Auditor,
    runs: &BTreeSet<String>,
    place: Option<String>,
) -> Result<u8, CliError> {
    let mut records: Vec<_> = runs.iter().map(|run| auditor.export(run)).collect();
    // In the order in which they began; those of which nobody knows that come last.
    records.sort_by_key(|(_, whole)| {
        let first = whole.as_ref().and_then(|whole| whole.lines.first());
        let at = first.and_then(|line| line.event["at"].as_str().map(str::to_owned));
        (at.is_none(), at)
    });
    export::write(context, args, &records)?;
    let look = Look {
        colors: context.look.color_err,
        unicode: context.look.unicode,
        width: None,
    };
    let index = auditor.index();
    let mut lines: Vec<Line> = Vec::new();
    lines.extend(
        index
            .iter()
            .map(|finding| wrong(context, look, "index", finding)),
    );
    for (audit, _) in &records {
        let findings = audit.findings.iter();
        lines.extend(findings.map(|finding| wrong(context, look, &audit.run, finding)));
    }
    let bad = records.iter().filter(|(_, whole)| whole.is_none()).count();
    let whole = words::count(words::long(records.len() - bad), "record");
    lines.push(look.line().plain(&match bad {
        0 => format!("{whole} exported, each proved whole"),
        bad => format!("{whole} exported, {bad} not: not whole"),
    }));
    let text: String = lines.iter().map(|line| line.to_string() + "\n").collect();
    context.invocation.eprint(&text);
    let audits: Vec<Audit> = records.into_iter().map(|(audit, _)| audit).collect();
    if !audits.is_empty() {
        context.invocation.eprint(&compared(&audits, place));
    }
    if bad == 0 && index.is_empty() {
        return Ok(exit::DONE);
    }
    context.invocation.eprint(REALLY);
    Ok(exit::FAILED)
}

/// Reads the journal of the database.
async fn compare(
    context: &Context<'_>,
    auditor: Auditor,
    runs: &BTreeSet<String>,
) -> Result<(Auditor, String), CliError> {
    let session = connection::connect(context, "runbook/audit").await?;
    let runs: Vec<String> = runs.iter().cloned().collect();
    let rows = session.kept(&runs).await?.into_iter();
    let kept = rows.map(|row| Kept {
        by_run: row.by_run,
        entry: row.entry,
        head: row.head,
    });
    let target = session.target().clone();
    let place = format!("the database `{}` of {}", target.database, target.name);
    Ok((auditor.journal(target, kept.collect()), place))
}

fn tell(
    context: &Context<'_>,
    base: &Path,
    index: &[Finding],
    audits: &[Audit],
) -> Result<u8, CliError> {
    let look = Look {
        colors: context.look.color_out,
        unicode: context.look.unicode,
        width: None,
    };
    if audits.is_empty() && index.is_empty() {
        let folder = context.invocation.show(base);
        context
            .invocation
            .eprint(&format!("No runs are recorded in `{folder}`.\n"));
        return Ok(exit::DONE);
    }
    let mut lines: Vec<Line> = Vec::new();
    for finding in index {
        lines.push(wrong(context, look, "index", finding));
    }
    for audit in audits {
        let findings = audit.findings.iter();
        lines.extend(findings.map(|finding| wrong(context, look, &audit.run, finding)));
        if audit.findings.is_empty() {
            lines.push(whole(look, audit));
        }
        let notes = audit.notes.iter();
        lines.extend(notes.map(|note| look.line().gap(2).dim("= note: ").plain(note)));
    }
    let bad = audits.iter().filter(|audit| !audit.findings.is_empty());
    let bad = bad.count();
    let all = words::count(words::long(audits.len()), "record");
    let index = if index.is_empty() {
        String::new()
    } else {
        format!("; `{}` is not", context.invocation.show(&index::path(base)))
    };
    lines.push(look.line());
    lines.push(look.line().plain(&match bad {
        0 => format!("{all} whole{index}"),
        bad => format!("{bad} of {all} not whole{index}"),
    }));
    let text: String = lines.iter().map(|line| line.to_string() + "\n").collect();
    context.invocation.print(&text)?;
    Ok(if bad == 0 && index.is_empty() {
        exit::DONE
    } else {
        exit::FAILED
    })
}

fn wrong(context: &Context<'_>, look: Look, run: &str, finding: &Finding) -> Line {
    let path = context.invocation.show(&finding.path);
    let at = finding.line.map(|line| format!(":{line}"));
    look.line()
        .mark(Mark::Failed)
        .plain(&format!(" {run}  {path}{}: ", at.unwrap_or_default()))
        .plain(&finding.what)
}

fn whole(look: Look, audit: &Audit) -> Line {
    let events = words::count(words::long(audit.events), "event");
    let end = if audit.ended { "" } else { ", not ended" };
    let compared = if audit.compared {
        ", as the database's journal has it"
    } else {
        ""
    };
    look.line()
        .mark(Mark::Passed)
        .plain(&format!(" {}  {events}{end}{compared}", audit.run))
}

/// Says what was not proved.
fn compared(audits: &[Audit], place: Option<String>) -> String {
    match place {
        None => {
            "Not compared with the journal of a database: who can write to this folder could have \
                 removed the end of both a record and the index.\n  \
                 = help: name the database by --target or --database-url\n"
                .to_owned()
        }
        Some(place) => {
            let compared = audits.iter().filter(|audit| audit.compared).count();
            let counted = words::count(words::long(compared), "record");
            format!("Compared {counted} with the journal of {place}.\n")
        }
    }
}
