//! Draws what another person is asked to approve: all that the one who asks was shown, as the journal keeps it.

use jiff::Timestamp;

use super::line::{Line, paragraph, prose};
use super::look::{Look, Mark, Tone};
use super::table::MOST_ROWS;
use super::{changes, header, impact, table};
use crate::base::words;
use crate::engine::approval::{Came, Refusal, Request, Standing, Verdict, Word};
use crate::engine::event::RunStarted;
use crate::policy::rules::Approvals;
use crate::step::query::Show;

/// What is known of it stands at this column.
const LABEL: usize = 15;

/// Who asked, and for what, stands nearer: a hash is 64 columns wide, and is to be on one line.
const NEAR: usize = 10;

/// What belongs to it stands this much further in.
const INDENT: usize = 2;

/// Draws a request, and where it stands.
pub fn draw(
    request: &Request,
    (login, digest): (&str, &str),
    standing: &Standing,
    look: Look,
) -> Vec<Line> {
    let mut lines = header::draw(&begun(request), look);
    let body = look.inside(INDENT);
    let mut told = Vec::new();
    let mut say = |label: &str, tone: Tone, text: &str| {
        let label = body.line().dim(label).to(NEAR);
        told.extend(prose(&label, tone, text));
    };
    say("asked by", Tone::Plain, &by(&request.actor, login));
    say("asked at", Tone::Plain, &moment(standing.asked_at));
    say(
        "runbook",
        Tone::Plain,
        &format!("{}\n{}", request.runbook, request.hash),
    );
    let (tone, text) = stands(&request.needs, standing);
    say("approval", tone, &text);
    for verdict in &standing.verdicts {
        say("", Tone::Plain, &said(verdict));
    }
    say("digest", Tone::Plain, digest);
    told.push(body.line());
    told.extend(asks(request, body));
    lines.extend(told.into_iter().map(|line| line.indented(INDENT)));
    lines
}

/// Draws the changes and the question.
fn asks(request: &Request, look: Look) -> Vec<Line> {
    let mut lines = vec![look.line().mark(Mark::Asks).gap(1).plain(&request.name)];
    let of = words::list(&request.of);
    if !of.is_empty() {
        let verb = if request.of.len() == 1 {
            "changes"
        } else {
            "change"
        };
        let what = match (
            request.changes.tables.as_slice(),
            request.changes.unseen.as_slice(),
        ) {
            ([], []) => "nothing".to_owned(),
            ([], _) => "what cannot be shown in rows".to_owned(),
            _ => changes::summary(&request.changes),
        };
        lines.push(look.line().plain(&format!("{of} {verb} {what}")));
        let drawn = changes::draw_full(&request.changes, look.inside(INDENT));
        lines.extend(drawn.into_iter().map(|line| line.indented(INDENT)));
    }
    if let Some(rows) = &request.show {
        lines.extend(table::draw(rows, Show::Table, MOST_ROWS, look));
    }
    if let Some(found) = &request.impact {
        for line in impact::lines(found) {
            let label = look.line().dim(line.label).to(LABEL);
            let tone = if line.loud { Tone::Bad } else { Tone::Plain };
            lines.extend(prose(&label, tone, &line.text));
        }
    }
    lines.extend(paragraph(&look.line(), Tone::Ask, &request.question));
    lines
}

/// Returns how the run began, as far as its request says it.
fn begun(request: &Request) -> RunStarted {
    RunStarted {
        glass: None,
        run: request.run.clone(),
        runbook: request.runbook.clone(),
        title: request.title.clone(),
        hash: request.hash.clone(),
        risk: request.risk,
        dry_run: false,
        actor: request.actor.clone(),
        target: request.target.clone(),
        params: request.params.clone(),
        undo_of: None,
        not_rehearsed: Vec::new(),
    }
}

/// Returns where a request stands, in words, and how they are to be heard.
pub fn stands(needs: &Approvals, standing: &Standing) -> (Tone, String) {
    match standing.came(needs) {
        Came::Waiting(missing) => (
            Tone::Warn,
            format!(
                "waits for {} until {}",
                needs.whom(missing),
                moment(standing.expires_at)
            ),
        ),
        Came::Approved(_) if standing.is_used() => (Tone::Plain, "given, and used".to_owned()),
        Came::Approved(_) => (
            Tone::Good,
            format!(
                "given; the run can go on until {}",
                moment(standing.expires_at)
            ),
        ),
        Came::Refused(Refusal::Expired, _) => (
            Tone::Bad,
            format!("expired at {}", moment(standing.expires_at)),
        ),
        Came::Refused(Refusal::Withdrawn, _) => (Tone::Bad, "withdrawn".to_owned()),
        Came::Refused(Refusal::Declined, _) => (Tone::Bad, "declined".to_owned()),
        Came::Refused(Refusal::Contradicted, _) => (Tone::Bad, "contradicted".to_owned()),
    }
}

/// Returns who somebody is: what they call themselves, and the login that the server knows where that is another one.
pub fn by(actor: &str, login: &str) -> String {
    let own = actor.strip_prefix(login);
    if own.is_some_and(|rest| rest.starts_with(" (")) {
        return actor.to_owned();
    }
    format!("the login {login}, in the name of {actor}")
}

/// Says whom it was asked, and until when they have.
pub fn asked(request: &Request, expires_at: Timestamp) -> String {
    format!(
        "asked for the approval of {} until {}",
        request.needs.whom(request.needs.count),
        moment(expires_at)
    )
}

/// Returns "approved by ben (ben@there) at 2026-11-21 16:30:00 UTC: looks right".
pub fn said(verdict: &Verdict) -> String {
    let word = match verdict.word {
        Word::Approve => "approved",
        Word::Decline => "declined",
        Word::Withdraw => "withdrawn",
        Word::Use => "used",
    };
    let reason = verdict.reason.as_ref().map(|reason| format!(": {reason}"));
    format!(
        "{word} by {} at {}{}",
        by(&verdict.actor, &verdict.login),
        moment(verdict.at),
        reason.unwrap_or_default()
    )
}

/// Returns a moment to the second.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%F %T UTC").to_string()
}
