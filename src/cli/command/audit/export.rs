//! `runbook audit export`: records in a form that other programs read, each proved whole on the way.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::Builder;

use crate::cli::Context;
use crate::cli::args::{AuditArgs, AuditExport};
use crate::cli::error::CliError;
use crate::record::audit::Audit;
use crate::record::export::{Line, Whole};

/// The columns of CSV.
const COLUMNS: [&str; 12] = [
    "run", "seq", "at", "event", "runbook", "target", "login", "step", "outcome", "rows", "says",
    "chain",
];

/// What stands in place of the events of a record that is not whole.
const NOT_WHOLE: &str = "record_not_whole";

/// Writes records where the arguments say.
///
/// # Errors
/// They cannot be written.
pub(super) fn write(
    context: &Context<'_>,
    args: &AuditArgs,
    records: &[(Audit, Option<Whole>)],
) -> Result<(), CliError> {
    let bytes = match args.format {
        AuditExport::Jsonl => jsonl(records),
        AuditExport::Csv => csv(records),
    };
    let bytes = bytes.map_err(|error| CliError::io("cannot make the export", &error))?;
    match &args.out {
        None => context.invocation.print(&String::from_utf8_lossy(&bytes)),
        Some(path) => {
            let shown = path.display();
            keep(&context.invocation.folder.join(path), &bytes)
                .map_err(|error| CliError::io(&format!("cannot write `{shown}`"), &error))
        }
    }
}

/// Writes a file that only its user reads, whole or not at all.
fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = Builder::new()
        .prefix(".export-")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// An event with what it belongs to.
struct Told<'a> {
    record: &'a Whole,
    line: &'a Line,
    /// Who works on the run there.
    actor: &'a str,
}

/// Returns the events of a record. Who resumes a run works on it from there on.
fn told(record: &Whole) -> Vec<Told<'_>> {
    let mut actor = record.facts.actor.as_str();
    let mut all = Vec::with_capacity(record.lines.len());
    for line in &record.lines {
        if let ("run_started" | "run_resumed", Some(by)) =
            (word(&line.event, "event"), line.event["actor"].as_str())
        {
            actor = by;
        }
        all.push(Told {
            record,
            line,
            actor,
        });
    }
    all
}

fn findings(audit: &Audit) -> String {
    let all: Vec<String> = audit
        .findings
        .iter()
        .map(|finding| match finding.line {
            Some(line) => format!("{}:{line}: {}", finding.path.display(), finding.what),
            None => format!("{}: {}", finding.path.display(), finding.what),
        })
        .collect();
    all.join("; ")
}

fn jsonl(records: &[(Audit, Option<Whole>)]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    for (audit, whole) in records {
        let Some(whole) = whole else {
            let line = json!({ "run": audit.run, "event": NOT_WHOLE, "says": findings(audit) });
            writeln!(out, "{line}")?;
            continue;
        };
        for Told {
            record,
            line,
            actor,
        } in told(whole)
        {
            let facts = &record.facts;
            let line = json!({
                "run": facts.run,
                "seq": line.event["seq"],
                "at": line.event["at"],
                "event": line.event["event"],
                "runbook": facts.runbook,
                "target": facts.target.name,
                "database": facts.target.database,
                "actor": actor,
                "chain": line.chain,
                "data": line.event,
            });
            writeln!(out, "{line}")?;
        }
    }
    Ok(out)
}

fn csv(records: &[(Audit, Option<Whole>)]) -> io::Result<Vec<u8>> {
    let mut csv = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    csv.write_record(COLUMNS)?;
    for (audit, whole) in records {
        let Some(whole) = whole else {
            let says = findings(audit);
            let row = [
                &audit.run, "", "", NOT_WHOLE, "", "", "", "", "", "", &says, "",
            ];
            csv.write_record(row.map(harmless))?;
            continue;
        };
        for told in told(whole) {
            csv.write_record(row(&told).each_ref().map(|field| harmless(field)))?;
        }
    }
    csv.into_inner()
        .map_err(|error| io::Error::other(error.to_string()))
}

/// Returns a field that no spreadsheet takes for a formula.
fn harmless(field: &str) -> String {
    if field.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{field}")
    } else {
        field.to_owned()
    }
}

fn row(told: &Told<'_>) -> [String; 12] {
    let event = &told.line.event;
    let facts = &told.record.facts;
    let login = told.actor.split(" (").next().unwrap_or_default();
    [
        facts.run.clone(),
        event["seq"].to_string(),
        word(event, "at").to_owned(),
        word(event, "event").to_owned(),
        facts.runbook.clone(),
        facts.target.name.clone(),
        login.to_owned(),
        word(&event["step"], "name").to_owned(),
        outcome(event).to_owned(),
        rows(event).map_or_else(String::new, |rows| rows.to_string()),
        says(event),
        told.line.chain.clone(),
    ]
}

fn word<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// Returns what an event came to, in a word.
fn outcome(event: &Value) -> &str {
    let result = &event["result"];
    match (word(event, "event"), word(result, "kind")) {
        ("run_finished", _) => word(event, "outcome"),
        ("step_finished", "confirm") if result["yes"] == true => "yes",
        ("step_finished", "confirm") => "no",
        ("step_finished", "check" | "command") if result["passed"] == true => "passed",
        ("step_finished", "check" | "command") => "not passed",
        ("step_finished", "fix") if result["committed"] == true => "committed",
        ("atomic_committed" | "batch_committed", _) => "committed",
        ("atomic_rolled_back", _) => "rolled_back",
        ("undo_finished", _) if event["failure"].is_null() => "put_back",
        ("undo_finished" | "step_failed", _) => "failed",
        ("approval_seen", _) => event["standing"]["verdicts"]
            .as_array()
            .and_then(|all| all.last())
            .map_or("", |last| word(last, "word")),
        _ => "",
    }
}

/// Returns how many rows an event is about, where it changes or restores any.
fn rows(event: &Value) -> Option<u64> {
    let result = &event["result"];
    let counted = [
        &result["count"],
        &result["restored"],
        &event["restored"],
        &event["count"],
        &result["rows"]["count"],
    ];
    counted.into_iter().find_map(Value::as_u64).or_else(|| {
        let changes = [&event["changes"], &event["request"]["changes"]];
        let tables = changes
            .iter()
            .find_map(|changes| changes["tables"].as_array())?;
        let count = |table: &Value| -> u64 {
            let deeds = ["inserted", "updated", "deleted"];
            deeds.iter().filter_map(|deed| table[deed].as_u64()).sum()
        };
        Some(tables.iter().map(count).sum())
    })
}

/// Returns what an event says in words.
fn says(event: &Value) -> String {
    let result = &event["result"];
    let joined = |values: &Value| {
        let all = values.as_array().into_iter().flatten();
        let all: Vec<&str> = all.filter_map(Value::as_str).collect();
        all.join(", ")
    };
    match word(event, "event") {
        "run_started" => {
            let params = event["params"].as_array().into_iter().flatten();
            let params: Vec<String> = params
                .map(|param| format!("{}={}", word(param, "name"), word(param, "value")))
                .collect();
            format!("{} {}", word(event, "title"), params.join(" "))
                .trim()
                .to_owned()
        }
        "run_resumed" => format!("by {}", word(event, "actor")),
        "run_finished" => word(event, "says").to_owned(),
        "asked" => word(event, "question").to_owned(),
        "broke_glass" => format!(
            "{}; by {}; without: {}",
            word(event, "reason"),
            word(event, "by"),
            joined(&event["lifted"])
        ),
        "approval_asked" => {
            let request = &event["request"];
            let by = joined(&request["needs"]["by"]);
            format!(
                "{}; needs {} of {}; until {}",
                word(request, "question"),
                request["needs"]["count"],
                if by.is_empty() { "other people" } else { &by },
                word(event, "expires_at")
            )
        }
        "approval_seen" => {
            let verdicts = event["standing"]["verdicts"].as_array();
            let verdicts = verdicts.into_iter().flatten().map(|verdict| {
                let said = format!("{} by {}", word(verdict, "word"), word(verdict, "actor"));
                match verdict["reason"].as_str() {
                    Some(reason) => format!("{said}: {reason}"),
                    None => said,
                }
            });
            verdicts.collect::<Vec<_>>().join("; ")
        }
        "undo_started" => format!("{}; {}", joined(&event["of"]), word(event, "why")),
        "noticed" => word(event, "message").to_owned(),
        "step_finished" if word(result, "kind") == "confirm" => match result["why"].as_str() {
            Some(why) => format!("{}: {why}", word(result, "by")),
            None => word(result, "by").to_owned(),
        },
        _ => word(&event["failure"], "message").to_owned(),
    }
}
