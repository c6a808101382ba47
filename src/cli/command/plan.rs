//! `runbook plan`: what a run would do, as far as that can be told without a connection.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::demands;
use super::show::{ascii, failure, risk, ways};
use crate::base::words;
use crate::cli::Context;
use crate::cli::args::PlanArgs;
use crate::cli::error::CliError;
use crate::cli::look::Look;
use crate::cli::params::{self, Sources};
use crate::cli::table::{folded, indent, table};
use crate::engine::outcome::exit;
use crate::engine::pace::Pace;
use crate::engine::plan::Plan;
use crate::policy::rules::Policy;
use crate::runbook::argument::Argument;
use crate::runbook::check::Proved;
use crate::runbook::model::{Runbook, Step};
use crate::runbook::statement::{Fillings, SqlTemplate};
use crate::step::Kind;
use crate::step::backup::{Backup, DatabaseBackup, Keep, Verify};
use crate::step::database::{Database, Group};

mod known;

/// How many names of a group are shown.
const MOST_NAMES: usize = 12;

use known::Known;

/// Shows the plan.
///
/// # Errors
/// Those of the runbook and of its parameters.
pub fn run(context: &Context<'_>, args: &PlanArgs, named: Option<Proved>) -> Result<u8, CliError> {
    let Some(proved) = named else {
        return Err(
            CliError::usage("`runbook plan` needs the name of a runbook")
                .help("`runbook list` shows what there is"),
        );
    };
    let file = params::file(context.invocation, args.params_file.as_deref())?;
    let arguments = params::resolve(
        &proved.runbook,
        Sources {
            flags: &args.params,
            file: file.as_ref(),
            environment: &context.invocation.environment,
            ask: None,
        },
    )?;
    let plan = Plan {
        proved,
        arguments,
        dry_run: true,
        run: String::new(),
        hash: String::new(),
        actor: String::new(),
        pace: Pace::default(),
        policy: Policy::default(),
        previous: None,
        salt: String::new(),
    };
    let demands = demands::section(context, &plan.proved)?;
    let terminal = context.invocation.terminal.stdout;
    context
        .invocation
        .print(&page(&plan, &demands, context.look, terminal))?;
    Ok(exit::DONE)
}

/// On a terminal no line but those of SQL is wider than it.
fn page(plan: &Plan, demands: &str, look: Look, terminal: bool) -> String {
    let runbook = plan.runbook();
    let known = Known::new(runbook, &plan.arguments);
    let mut page = format!(
        "{}\n{} · {} risk · a plan: nothing is run\n",
        runbook.title.text(),
        runbook.name,
        runbook.risk
    );
    if !runbook.params().is_empty() {
        let values = parameters(runbook, &plan.arguments, look);
        let _ = write!(page, "\nParameters\n{}", indent(&values, 2));
    }
    if let Some(lock) = &runbook.scopes[0].lock {
        let _ = write!(page, "\nLock\n  {}\n", known.text(0, lock.text()));
    }
    let _ = write!(
        page,
        "\nSteps\n{}",
        indent(
            &steps(
                runbook,
                &known,
                terminal.then_some(look.width.saturating_sub(2))
            ),
            2
        )
    );
    page.push_str(&after(runbook));
    page.push_str(&if terminal {
        folded(demands, look.width)
    } else {
        demands.to_owned()
    });
    let sections = [
        ("A dry run cannot rehearse", plan.not_rehearsed()),
        ("Not runnable yet", Plan::unsupported(runbook)),
    ];
    for (title, lines) in sections {
        if !lines.is_empty() {
            let _ = write!(page, "\n{title}\n{}", indent(&lines.join("\n"), 2));
        }
    }
    ascii(page, look)
}

fn parameters(runbook: &Runbook, arguments: &BTreeMap<String, Argument>, look: Look) -> String {
    let rows: Vec<Vec<String>> = runbook
        .params()
        .iter()
        .map(|(name, param)| {
            let value = match arguments.get(name) {
                Some(_) if param.secret => "•••".to_owned(),
                Some(argument) => argument.shown.clone(),
                None => String::new(),
            };
            vec![name.clone(), value]
        })
        .collect();
    table(&["", ""], &rows, look.width.saturating_sub(2), look.unicode)
}

fn after(runbook: &Runbook) -> String {
    format!(
        "\nAfter an error\n  {}\nAfter Ctrl-C\n  {}\n",
        failure(runbook, &runbook.on_failure),
        failure(runbook, &runbook.on_cancel)
    )
}

fn steps(runbook: &Runbook, known: &Known, width: Option<usize>) -> String {
    let mut text = String::new();
    let mut branch = None;
    for step in &runbook.steps {
        if branch != step.branch {
            let name = step.branch.as_deref().unwrap_or_default();
            let _ = writeln!(text, "branch {name}");
            branch.clone_from(&step.branch);
        }
        let depth = usize::from(step.branch.is_some()) + usize::from(step.atomic.is_some());
        let width = width.map(|width| width.saturating_sub(depth * 2));
        text.push_str(&indent(&one(runbook, step, known, width), depth * 2));
    }
    text
}

fn one(runbook: &Runbook, step: &Step, known: &Known, width: Option<usize>) -> String {
    let risk = risk(step).map_or(String::new(), |risk| format!(" · {risk} risk"));
    let mut text = format!("{} {}{risk}\n", step.kind.word(), step.title);
    let mut body = String::new();
    for sql in &step.sql {
        body.push_str(&statement(step, sql, known));
    }
    let mut lines = String::new();
    for line in contract(step, known) {
        let _ = writeln!(lines, "{line}");
    }
    for way in ways(runbook, step) {
        let _ = writeln!(lines, "{}", known.text(step.scope.0, &way));
    }
    body.push_str(&match width {
        Some(width) => folded(&lines, width.saturating_sub(4)),
        None => lines,
    });
    text.push_str(&indent(&body, 4));
    text
}

/// Returns a statement, and under it the value of each of its parameters.
fn statement(step: &Step, sql: &SqlTemplate, known: &Known) -> String {
    let value = |expression: &String| known.value(step.scope.0, expression);
    let name = |expression: &String| known.names(step.scope.0, expression);
    let names: Option<Vec<_>> = sql.names.iter().map(name).collect();
    let literals: Option<Vec<_>> = (sql.literals.iter())
        .map(|literal| value(literal).map(Some))
        .collect();
    let fillings = (names.zip(literals)).map(|(names, literals)| Fillings { names, literals });
    let complete = fillings.and_then(|fillings| sql.filled(&fillings).ok());
    let shown = complete
        .as_ref()
        .unwrap_or(&sql.statement)
        .text()
        .trim_end();
    let mut text = match step.kind {
        Kind::Backup(_) => format!(
            "saves the rows of {}\n",
            SqlTemplate::shown_predicate(shown)
        ),
        _ => format!("{shown}\n"),
    };
    if complete.is_none() {
        for (index, name) in sql.names.iter().enumerate() {
            let _ = writeln!(text, "\"name {index}\" = {name}, known when it runs");
        }
        for (index, literal) in sql.literals.iter().enumerate() {
            let _ = writeln!(text, "'literal {index}' = {literal}, known when it runs");
        }
    }
    for (index, expression) in sql.binds.iter().enumerate() {
        let number = index + 1;
        let _ = match known.value(step.scope.0, expression) {
            Some(value) => writeln!(text, "${number} = {value}"),
            None => writeln!(text, "${number} = {expression}, known when it runs"),
        };
    }
    text
}

/// Returns what a step demands, asks or runs, beside its statements.
fn contract(step: &Step, known: &Known) -> Vec<String> {
    let say = |text: &str| known.text(step.scope.0, text);
    let command = |command: &crate::step::command::Command| {
        let words: Vec<String> = command.0.iter().map(|word| say(word.text())).collect();
        format!("runs the program {}", words.join(" "))
    };
    let mut lines = Vec::new();
    match &step.kind {
        Kind::Query(query) => {
            lines.extend(query.command.as_ref().map(command));
            lines.extend(query.rows.as_ref().map(|rows| format!("rows: {rows}")));
        }
        Kind::Check(check) => {
            lines.extend(check.command.as_ref().map(command));
            lines.extend(
                check
                    .that
                    .as_ref()
                    .map(|that| format!("that: {}", that.text())),
            );
            for (name, assertion) in check.all.iter().flat_map(|all| &all.0) {
                lines.push(format!("{}: {}", name.value, assertion.that.text()));
            }
            lines.extend(
                check
                    .switch
                    .as_ref()
                    .map(|on| format!("switch: {}", on.text())),
            );
            lines.extend(
                check
                    .database
                    .iter()
                    .flat_map(|database| wanted(database, &say)),
            );
        }
        Kind::Confirm(confirm) => {
            lines.push(format!("asks: {}", say(confirm.ask.text())));
            let typed = confirm.typed.as_ref();
            lines.extend(typed.map(|text| format!("to be typed: {}", say(text.text()))));
            if let Some(of) = &confirm.of {
                let names: Vec<&str> = of.0.iter().map(crate::step::text::Name::text).collect();
                lines.push(format!("shows what would change: {}", names.join(", ")));
            }
        }
        Kind::Fix(fix) => {
            lines.extend(fix.command.as_ref().map(command));
            lines.extend(fix.rows.as_ref().map(|rows| format!("rows: {rows}")));
        }
        Kind::Backup(backup) => lines.extend(saved(backup, &say)),
        Kind::Rollback(rollback) => {
            let from = rollback.backup.as_ref();
            lines.extend(from.map(|name| format!("puts back from the backup {name}")));
        }
        Kind::Atomic(_) | Kind::Use(_) => {}
    }
    lines
}

/// Returns what is looked for in a database, a line for each group.
fn wanted(database: &Database, say: &dyn Fn(&str) -> String) -> Vec<String> {
    let line = |group: Group| {
        let names = database.names(group);
        let shown = names.iter().take(MOST_NAMES).map(|name| say(&name.value));
        let left = names.len().saturating_sub(MOST_NAMES);
        let more = (left > 0).then(|| format!("{left} more"));
        let names: Vec<String> = shown.chain(more).collect();
        (!names.is_empty()).then(|| format!("looks for {}: {}", group.word(), words::list(&names)))
    };
    Group::ALL.into_iter().filter_map(line).collect()
}

/// Returns what a backup saves beside rows, where, and for how long.
fn saved(backup: &Backup, say: &dyn Fn(&str) -> String) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(tables) = &backup.tables {
        let names: Vec<String> = tables.iter().map(|table| say(table.text())).collect();
        lines.push(format!("saves all rows of {}", words::list(&names)));
    }
    lines.extend(backup.database.map(|what| match what {
        DatabaseBackup::Full => "saves the database".to_owned(),
        DatabaseBackup::Schema => "saves the structure of the database".to_owned(),
        DatabaseBackup::Data => "saves the data of the database".to_owned(),
    }));
    let to = backup.to.as_ref();
    lines.extend(to.map(|text| format!("to: {}", say(text.text()))));
    if let Some(recipients) = &backup.encrypt {
        let keys: Vec<String> = recipients.0.iter().map(|key| say(key.text())).collect();
        lines.push(format!("encrypted for {}", words::list(&keys)));
    }
    if let Some(Keep { last, days }) = backup.keep {
        let last = last.map(|last| format!("the last {last}"));
        let days = days.map(|days| format!("those of {}", words::count(days, "day")));
        let kept: Vec<String> = last.into_iter().chain(days).collect();
        lines.push(format!("keeps {}", words::list(&kept)));
    }
    if backup.verify == Verify::Restore {
        lines.push("verified by a restore".to_owned());
    }
    lines
}
