//! `runbook doctor`: what is missing to work safely, and how to mend it. It reads, and writes nothing anywhere.

mod ask;
mod backups;
mod connection;
mod finding;
mod identity;
mod journal;
mod login;
mod machine;
mod page;
mod server;

use std::path::Path;
use std::time::Instant;

use super::check::pretty;
use super::health::diagnosis;
use crate::cli::args::{DoctorArgs, ListOutput};
use crate::cli::connection::Goal;
use crate::cli::error::CliError;
use crate::cli::{Context, backups as stored, connection as places};
use crate::engine::event::TargetFacts;
use crate::engine::outcome::exit;
use crate::pg::session::Session;
use crate::report::look::Look;
use finding::{Finding, Group, State, count};

/// Nothing can be changed by the session, and no look holds up the others.
const QUIET: &str = "SET default_transaction_read_only = on; SET statement_timeout = '10s'";

/// Looks at everything that a run needs. The exit code is 10 where something is missing, and 4 where there is no
/// connection.
///
/// # Errors
/// The output cannot be written.
pub fn run(context: &Context<'_>, args: &DoctorArgs) -> Result<u8, CliError> {
    let (facts, groups) = places::runtime()?.block_on(Box::pin(look(context)));
    if args.output == ListOutput::Json {
        context
            .invocation
            .print(&pretty(&page::object(facts.as_ref(), &groups)))?;
    } else {
        let look = Look {
            colors: context.look.color_out,
            unicode: context.look.unicode,
            width: Some(context.look.width),
        };
        context
            .invocation
            .print(&page::text(facts.as_ref(), &groups, look))?;
    }
    Ok(match (facts, count(&groups, State::Missing)) {
        (None, _) => exit::UNREACHABLE,
        (Some(_), 0) => exit::DONE,
        (Some(_), _) => exit::FAILED,
    })
}

/// Looks at everything, with one connection.
async fn look(context: &Context<'_>) -> (Option<TargetFacts>, Vec<Group>) {
    let goal = places::goal(context);
    let folder = stored::folder(context, None);
    let mut groups = vec![Group::new(
        "This machine",
        machine::look(context, folder.as_deref()),
    )];
    let goal = match goal {
        Ok(goal) => goal,
        Err(error) => {
            groups.push(Group::new("Connection", vec![unfit(&error)]));
            groups.push(Group::new("Backups", vec![backups::tools(context, None)]));
            return (None, groups);
        }
    };
    let mut connection = connection::passwords(context, &goal.settings);
    let begun = Instant::now();
    let settings = goal
        .settings
        .clone()
        .with_application_name("runbook/doctor");
    let session = match Session::connect(&settings, None).await {
        Ok(session) => session,
        Err(error) => {
            let why = Finding::missing(
                "server",
                format!("{}: {}", goal.settings.describe(), error.reason()),
            );
            connection.insert(0, why.helps(diagnosis::of(context, &error).await));
            groups.push(Group::new("Connection", connection));
            groups.push(Group::new("Backups", vec![backups::tools(context, None)]));
            return (None, groups);
        }
    };
    if let Err(error) = session.client().batch_execute(QUIET).await {
        connection.push(Finding::unseen("session", error));
    }
    connection.splice(0..0, connection::look(&session).await);
    groups.push(Group::new("Connection", connection));
    groups.extend(on_server(context, &session, &goal, begun, folder.as_deref()).await);
    (Some(session.target().clone()), groups)
}

async fn on_server(
    context: &Context<'_>,
    session: &Session,
    goal: &Goal,
    begun: Instant,
    folder: Result<&Path, &CliError>,
) -> Vec<Group> {
    let facts = session.target();
    let target = goal.target.as_deref();
    let mut server = server::look(session, begun).await;
    server.push(identity::look(facts, target));
    let (login, changes) = login::look(session).await;
    let mut copies = vec![backups::tools(context, Some(&facts.server_version))];
    if let Ok(folder) = folder {
        copies.extend(backups::look(session, folder, target).await);
    }
    vec![
        Group::new("Server", server),
        Group::new("Login", login),
        Group::new("Journal", journal::look(session, target, changes).await),
        Group::new("Backups", copies),
    ]
}

/// Why nobody knows where the database is.
fn unfit(error: &CliError) -> Finding {
    let text = error.render(false);
    let mut lines = text
        .lines()
        .map(|line| line.trim().trim_start_matches("error: "));
    let finding = Finding::missing("settings", lines.next().unwrap_or_default());
    let rest = lines.filter(|line| !line.is_empty());
    finding.helps(rest.map(|line| line.trim_start_matches("= help: ")))
}
