//! What waits for approval on a target: what the login may decide first.

use serde_json::Value;

use super::{look, told};
use crate::cli::Context;
use crate::cli::args::{ApproveArgs, ListOutput};
use crate::cli::error::CliError;
use crate::engine::approval::Came;
use crate::engine::outcome::exit;
use crate::pg::session::Session;
use crate::pg::session::approval::Kept;
use crate::report::approval as page;
use crate::report::table;
use crate::runbook::data::{Column, Rows, oid};
use crate::step::query::Show;

/// Lists what waits on the target: what this login may decide first.
pub(super) async fn list(
    context: &Context<'_>,
    args: &ApproveArgs,
    session: &Session,
) -> Result<u8, CliError> {
    let mut all = session.open_requests().await?;
    all.sort_by_key(|kept| !kept.may_decide());
    if args.output == ListOutput::Json {
        let list: Value = all.iter().map(told).collect();
        context.invocation.print(&format!("{list:#}\n"))?;
        return Ok(exit::DONE);
    }
    let target = session.target();
    if all.is_empty() {
        context.invocation.eprint(&format!(
            "No run waits for approval on {}/{}.\n",
            target.name, target.database
        ));
        return Ok(exit::DONE);
    }
    let lines = table::draw(&rows(&all), Show::Table, usize::MAX, look(context, false));
    let text: String = lines.iter().map(|line| line.to_string() + "\n").collect();
    context.invocation.print(&text)?;
    Ok(exit::DONE)
}

fn rows(all: &[Kept]) -> Rows {
    let column = |name: &str| Column {
        name: name.to_owned(),
        oid: oid::TEXT,
        ..Column::default()
    };
    let row = |kept: &Kept| {
        let request = &kept.request;
        let cells = [
            request.run.clone(),
            request.runbook.clone(),
            request.risk.to_string(),
            kept.login.clone(),
            stands(kept),
            yours(kept).to_owned(),
        ];
        cells.into_iter().map(Some).collect()
    };
    Rows {
        columns: ["run", "runbook", "risk", "asked by", "approval", "you"]
            .map(column)
            .to_vec(),
        rows: all.iter().map(row).collect(),
        count: u64::try_from(all.len()).unwrap_or(u64::MAX),
    }
}

/// Says where a request stands in a few words: the line is to fit a terminal.
fn stands(kept: &Kept) -> String {
    match kept.standing.came(&kept.request.needs) {
        Came::Waiting(missing) => format!("needs {missing} more"),
        Came::Approved(_) => "given".to_owned(),
        Came::Refused(..) => page::stands(&kept.request.needs, &kept.standing).1,
    }
}

/// Says what this login has to do with a request.
fn yours(kept: &Kept) -> &'static str {
    match (kept.is_own, kept.said().is_some(), kept.is_member) {
        (true, ..) => "asked",
        (_, true, _) => "approved",
        (_, _, false) => "may not",
        _ => "may approve",
    }
}
