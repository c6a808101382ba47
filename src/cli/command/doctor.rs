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
mod project;
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
    let machine = machine::look(context, folder.as_deref());
    let project = project::look(context.invocation, goal.as_ref().ok());
    let mut groups = vec![
        Group::new("This machine", machine),
        Group::new("Project", project),
    ];
    let goal = match goal {
        Ok(goal) => goal,
        Err(error) => {
            // That runbook.yaml is wrong is said already.
            let is_said = matches!(error, CliError::Diagnostics { .. });
            let why = if is_said {
                Vec::new()
            } else {
                project::unfit(&error)
            };
            groups.push(Group::new("Connection", why));
            groups.push(Group::new("Backups", vec![backups::tools(context, None)]));
            return (None, groups);
        }
    };
    let mut connection = connection::passwords(context, &goal.settings);
    let begun = Instant::now();
    let session = match goal.connect("runbook/doctor").await {
        Ok(session) => session,
        Err(error) => {
            connection.splice(0..0, unreached(context, &goal, &error).await);
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

/// Why there is no connection, and what to try.
async fn unreached(context: &Context<'_>, goal: &Goal, error: &CliError) -> Vec<Finding> {
    let CliError::Connect(error) = error else {
        return project::unfit(error);
    };
    let says = format!("{}: {}", goal.settings.describe(), error.reason());
    vec![Finding::missing("server", says).helps(diagnosis::of(context, error).await)]
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
        Group::new("Policy", project::policy(session, goal).await),
    ]
}
