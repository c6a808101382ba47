//! Draws how a run begins.

use super::line::Line;
use super::look::{Look, Mark, Tone};
use crate::engine::event::RunStarted;
use crate::sql::risk::Risk;

/// Draws the title, the run, its parameters, and what a dry run is.
pub(super) fn draw(started: &RunStarted, look: Look) -> Vec<Line> {
    let title = look.line().toned(Tone::Strong, &title(started));
    let facts = facts(started, look);
    let has_room = (look.width).is_none_or(|width| title.width() + 2 + facts.width() <= width);
    let mut lines = if has_room {
        vec![title.ending(&facts, look.edge())]
    } else {
        vec![title, facts.indented(2)]
    };
    let names = started
        .params
        .iter()
        .map(|param| look.line().dim(&param.name));
    let names: Vec<Line> = names.collect();
    let width = names.iter().map(Line::width).fold(0, usize::max) + 2;
    lines.extend(
        names
            .into_iter()
            .zip(&started.params)
            .map(|(name, param)| name.to(width).plain(&param.value).indented(2)),
    );
    lines.push(look.line());
    if started.dry_run {
        lines.extend(dry_run(started, look));
    }
    lines
}

/// Returns the title; of a run that puts another one back, which one.
pub(super) fn title(started: &RunStarted) -> String {
    match &started.undo_of {
        Some(run) => format!("Undo of run {run}: {}", started.title),
        None => started.title.clone(),
    }
}

fn facts(started: &RunStarted, look: Look) -> Line {
    let dot = look.glyphs().dot;
    let target = &started.target;
    let risk = match started.risk {
        Risk::Low => Tone::Dim,
        Risk::Medium => Tone::Warn,
        Risk::High => Tone::Bad,
    };
    let line = look.line().dim(&format!(
        "run {} {dot} {}/{} {dot} ",
        started.run, target.name, target.database
    ));
    let line = if target.protected {
        line.toned(Tone::Warn, "protected").dim(&format!(" {dot} "))
    } else {
        line
    };
    let line = line.toned(risk, &format!("{} risk", started.risk));
    match &started.glass {
        None => line,
        Some(_) => line
            .dim(&format!(" {dot} "))
            .toned(Tone::Bad, "GLASS BROKEN"),
    }
}

fn dry_run(started: &RunStarted, look: Look) -> Vec<Line> {
    let banner = "Dry run: everything is rolled back at its end.";
    let mut lines = vec![look.line().toned(Tone::Warn, banner)];
    if !started.not_rehearsed.is_empty() {
        lines.push(look.line().plain("What it cannot rehearse:"));
    }
    lines.extend(
        started
            .not_rehearsed
            .iter()
            .map(|what| look.line().gap(2).mark(Mark::Skipped).gap(1).plain(what)),
    );
    lines.push(look.line());
    lines
}
