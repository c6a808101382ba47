//! How it is told: groups of lines for people, one object for programs.

use serde_json::{Value, json};

use super::finding::{Finding, Group, State, count};
use crate::base::words;
use crate::engine::event::TargetFacts;
use crate::report::look::{Look, Mark, Tone};

/// Lines are not wider, whatever the terminal is.
const WIDTH: usize = 80;

/// How far what mends something stands in.
const INDENT: usize = 8;

/// Draws what was found.
pub(super) fn text(target: Option<&TargetFacts>, groups: &[Group], look: Look) -> String {
    let width = look.width.map_or(WIDTH, |width| width.min(WIDTH));
    let mut lines = Vec::new();
    if let Some(target) = target {
        let place = format!(
            "{} at {} as {}, PostgreSQL {}",
            target.database, target.name, target.user, target.server_version
        );
        lines.extend(words::wrapped(&place, width));
    }
    for group in groups.iter().filter(|group| !group.findings.is_empty()) {
        lines.push(look.line().toned(Tone::Strong, group.name).to_string());
        let names = group.findings.iter().map(|finding| finding.name.len());
        let names = names.max().unwrap_or_default();
        for finding in &group.findings {
            lines.extend(draw(finding, names, look, width));
        }
    }
    lines.extend(words::wrapped(&verdict(target.is_some(), groups), width));
    lines.join("\n") + "\n"
}

fn draw(finding: &Finding, names: usize, look: Look, width: usize) -> Vec<String> {
    let mark = match finding.state {
        State::Well => Mark::Passed,
        State::Warning => Mark::Warning,
        State::Missing => Mark::Failed,
    };
    let head = look.line().gap(2).mark(mark).gap(1).plain(finding.name);
    let start = look.glyphs().mark_width + 3 + names + 2;
    let room = width.saturating_sub(start).max(20);
    let mut says = words::wrapped(&finding.says, room).into_iter();
    let first = says.next().unwrap_or_default();
    let mut lines = vec![head.to(start).plain(&first).to_string()];
    lines.extend(says.map(|part| look.line().gap(start).plain(&part).to_string()));
    for help in &finding.help {
        let parts = words::wrapped(help, width.saturating_sub(INDENT).max(20));
        let parts = parts.iter();
        lines.extend(parts.map(|part| look.line().gap(INDENT).plain(part).to_string()));
    }
    lines
}

/// What it comes to, in a sentence.
fn verdict(reached: bool, groups: &[Group]) -> String {
    let number = |state, what: &str| words::count(count(groups, state) as u64, what);
    let warnings = match count(groups, State::Warning) {
        0 => String::new(),
        _ => format!("; {} to look at", number(State::Warning, "thing")),
    };
    let missing = match count(groups, State::Missing) {
        0 => "Nothing is missing".to_owned(),
        1 => "1 thing is missing".to_owned(),
        _ => format!("{} are missing", number(State::Missing, "thing")),
    };
    let rest = if reached {
        ""
    } else {
        " The rest can be told once there is a connection."
    };
    format!("{missing}{warnings}.{rest}")
}

/// Returns what was found for programs.
pub(super) fn object(target: Option<&TargetFacts>, groups: &[Group]) -> Value {
    json!({
        "target": target,
        "reached": target.is_some(),
        "missing": count(groups, State::Missing),
        "warnings": count(groups, State::Warning),
        "groups": groups,
    })
}
