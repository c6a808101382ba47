//! `runbook show`: what a runbook is for, takes, does and touches.

use std::fmt::Write as _;

use super::demands;
use crate::base::words;
use crate::cli::Context;
use crate::cli::args::{self, GraphFormat, ShowArgs};
use crate::cli::error::CliError;
use crate::cli::look::Look;
use crate::cli::table::{folded, indent, reflowed, table};
use crate::engine::outcome::exit;
use crate::engine::plan::Plan;
use crate::runbook::check::Proved;
use crate::runbook::model::{Ending, OnFailure, Runbook, Step, Target};
use crate::runbook::param::Param;
use crate::runbook::picture::{Picture, dot, mermaid, svg, text};
use crate::runbook::touches::Touches;
use crate::sql::risk::Risk;
use crate::step::Kind;
use crate::step::database::Group;

/// Shows a runbook.
///
/// # Errors
/// Those of finding and checking it.
pub fn run(context: &Context<'_>, args: &ShowArgs) -> Result<u8, CliError> {
    let entry = context.catalogue.find(&args.name)?;
    let proved = context.catalogue.load(&entry)?;
    let picture = || Picture::new(&proved);
    let shown = match args.graph {
        None => page(
            &proved,
            &entry.shown,
            &demands::section(context, &proved)?,
            context.look,
            context.invocation.terminal.stdout,
        ),
        Some(GraphFormat::Text) => text::draw(&picture(), context.look.unicode),
        Some(GraphFormat::Mermaid) => mermaid::draw(&picture()),
        Some(GraphFormat::Dot) => dot::draw(&picture()),
        Some(GraphFormat::Svg) => svg::draw(&picture()),
    };
    context.invocation.print(&shown)?;
    Ok(exit::DONE)
}

/// On a terminal no line is wider than it.
fn page(proved: &Proved, path: &str, demands: &str, look: Look, terminal: bool) -> String {
    let fold = |text: &str, deep: usize| {
        if terminal {
            folded(text, look.width.saturating_sub(deep))
        } else {
            text.to_owned()
        }
    };
    let runbook = &proved.runbook;
    let mut page = format!(
        "{}\n{} · {} risk · {path}\n",
        runbook.title.text(),
        runbook.name,
        runbook.risk
    );
    if let Some(about) = &runbook.about {
        let about = about.text().trim_end();
        let about = if terminal {
            reflowed(about, look.width.saturating_sub(2))
        } else {
            about.to_owned()
        };
        let _ = write!(page, "\n{}", indent(&about, 2));
    }
    if !runbook.params().is_empty() {
        let _ = write!(
            page,
            "\nParameters\n{}",
            indent(&parameters(runbook, look), 2)
        );
    }
    let _ = write!(page, "\nSteps\n{}", indent(&fold(&steps(runbook), 2), 2));
    page.push_str(&fold(&touches(runbook), 0));
    page.push_str(&fold(demands, 0));
    let cannot = Plan::unsupported(runbook);
    if !cannot.is_empty() {
        let _ = write!(
            page,
            "\nNot runnable yet\n{}",
            indent(&cannot.join("\n"), 2)
        );
    }
    let _ = write!(
        page,
        "\nExample\n{}",
        fold(&format!("  {}\n", example(runbook)), 0)
    );
    ascii(page, look)
}

/// Without Unicode, what stands between words is ASCII too.
pub(super) fn ascii(page: String, look: Look) -> String {
    if look.unicode {
        page
    } else {
        page.replace(" · ", " - ")
            .replace('→', "->")
            .replace('…', "...")
    }
}

fn parameters(runbook: &Runbook, look: Look) -> String {
    let rows: Vec<Vec<String>> = runbook
        .params()
        .iter()
        .map(|(name, param)| {
            let help = param
                .help
                .as_ref()
                .map_or("", |help| help.text().trim_end());
            vec![
                args::flag_of(name),
                param.kind.to_string(),
                args::facts(param).join(", "),
                help.to_owned(),
            ]
        })
        .collect();
    table(&[""; 4], &rows, look.width.saturating_sub(2), look.unicode)
}

/// The steps as a tree: those of an `atomic` inside of it, those of a branch under its name; below each where
/// it goes.
fn steps(runbook: &Runbook) -> String {
    let mut text = String::new();
    let mut branch = None;
    for step in &runbook.steps {
        if branch != step.branch {
            let name = step.branch.as_deref().unwrap_or_default();
            let _ = writeln!(text, "branch {name}");
            branch.clone_from(&step.branch);
        }
        let depth = usize::from(step.branch.is_some()) + usize::from(step.atomic.is_some());
        let risk = risk(step).map_or(String::new(), |risk| format!(" · {risk} risk"));
        let mut lines = format!("{} {}{risk}\n", step.kind.word(), step.title);
        for line in wanted(step).into_iter().chain(ways(runbook, step)) {
            let _ = writeln!(lines, "    {line}");
        }
        text.push_str(&indent(&lines, depth * 2));
    }
    let after = [
        ("after an error", &runbook.on_failure),
        ("after Ctrl-C", &runbook.on_cancel),
    ];
    for (when, way) in after {
        let _ = writeln!(text, "{when}: {}", failure(runbook, way));
    }
    text
}

pub(super) fn failure(runbook: &Runbook, way: &OnFailure) -> String {
    match way {
        OnFailure::Default | OnFailure::Rollback => "what was fixed is put back".to_owned(),
        OnFailure::Stop => "it stops, and what was fixed stays".to_owned(),
        OnFailure::Go(target) => format!("→ {}", place(runbook, target)),
    }
}

/// Returns what a check looks for in a database: how much of each group.
fn wanted(step: &Step) -> Option<String> {
    let Kind::Check(check) = &step.kind else {
        return None;
    };
    let database = check.database.as_ref()?;
    let counts = Group::ALL.map(|group| (group, database.names(group).len()));
    let groups: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(group, count)| format!("{} ({count})", group.word()))
        .collect();
    Some(format!("looks for {}", words::list(&groups)))
}

/// Returns the risk of a step that changes something.
pub(super) fn risk(step: &Step) -> Option<Risk> {
    step.risk().map(|(risk, _)| risk)
}

/// Returns where a run goes after a step, where that is not simply on.
pub(super) fn ways(runbook: &Runbook, step: &Step) -> Vec<String> {
    let routes = &step.routes;
    let mut ways = Vec::new();
    if let Some(when) = &step.common.when {
        ways.push(format!("when {}", when.text()));
    }
    if let Some(list) = &step.common.for_each {
        ways.push(format!("for each of {}", list.text()));
    }
    if let Some(then) = &routes.then {
        ways.push(format!("yes → {}", place(runbook, then)));
    }
    for (value, target) in &routes.cases {
        ways.push(format!("{value} → {}", place(runbook, target)));
    }
    if let Some(otherwise) = &routes.otherwise {
        let word = if routes.cases.is_empty() {
            "no"
        } else {
            "else"
        };
        ways.push(format!("{word} → {}", place(runbook, otherwise)));
    }
    if let Some(target) = &routes.on_error {
        ways.push(format!("error → {}", place(runbook, target)));
    }
    if step.common.next.is_some() {
        ways.push(format!("→ {}", place(runbook, &routes.next)));
    }
    ways
}

fn place(runbook: &Runbook, target: &Target) -> String {
    let say = |word: &str, text: &crate::step::text::Template| {
        let text: Vec<&str> = text.text().split_whitespace().collect();
        format!("{word}: {}", text.join(" "))
    };
    match target {
        Target::Step(id) => runbook.step(*id).title.clone(),
        Target::Commit(id) => format!("commit of {}", runbook.step(*id).title),
        Target::End(Ending::Done(text)) => say("done", text),
        Target::End(Ending::Stop(text)) => say("stop", text),
        Target::End(Ending::Fail(text)) => say("fail", text),
        Target::End(Ending::OffEnd) => "the end".to_owned(),
    }
}

fn touches(runbook: &Runbook) -> String {
    let touches = Touches::of(runbook);
    let mut text = String::from("\nTouches\n");
    let mut line = |word: &str, names: &[String]| {
        if !names.is_empty() {
            let _ = writeln!(text, "  {word} {}", names.join(", "));
        }
    };
    line("writes", &touches.writes);
    line("reads ", &touches.reads);
    if let Some(lock) = &runbook.scopes[0].lock {
        let _ = writeln!(text, "  locks  {}", lock.text());
    }
    if text.lines().count() < 3 && touches == Touches::default() && runbook.scopes[0].lock.is_none()
    {
        text.push_str("  no table\n");
    }
    text
}

/// Returns a command that runs the runbook.
pub(super) fn example(runbook: &Runbook) -> String {
    let mut words = vec![format!("runbook run {}", runbook.name)];
    for (name, param) in runbook.params() {
        if param.default.is_none() && param.env.is_none() {
            let flag = args::flag_of(name);
            let value = sample(param);
            words.push(match flag.strip_suffix('…') {
                Some(flag) => format!("{flag}{value}"),
                None => format!("{flag} {value}"),
            });
        }
    }
    if runbook.risk > Risk::Low {
        words.push("--dry-run".to_owned());
    }
    words.join(" ")
}

fn sample(param: &Param) -> String {
    use crate::runbook::param::Scalar;
    let first = |values: &[crate::step::text::Template]| {
        values.first().map(|value| value.text().to_owned())
    };
    match param.kind.scalar {
        Scalar::Enum => param.values.as_deref().and_then(first).unwrap_or_default(),
        Scalar::Int | Scalar::Bigint | Scalar::Numeric => param
            .min
            .as_ref()
            .map_or("42".to_owned(), |least| least.text().to_owned()),
        Scalar::Bool => "true".to_owned(),
        Scalar::Uuid => "00000000-0000-4000-8000-000000000000".to_owned(),
        Scalar::Date => "2026-01-31".to_owned(),
        Scalar::Timestamptz => "2026-01-31T12:00:00Z".to_owned(),
        Scalar::Interval => "'5 minutes'".to_owned(),
        Scalar::Email => "someone@example.com".to_owned(),
        Scalar::Identifier => "name".to_owned(),
        Scalar::Json => "'{}'".to_owned(),
        Scalar::Text => "TEXT".to_owned(),
    }
}
