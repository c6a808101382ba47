//! What to try where there is no connection: for each reason its own steps, the likeliest first.

use crate::base::words;
use crate::cli::{Context, connection};
use crate::engine::cancel::Cancel;
use crate::engine::port::{Bound, Limits};
use crate::pg::connect_error::ConnectError;
use crate::pg::session::Session;
use crate::runbook::data::Rows;
use crate::sql::statement::Statement;

/// The database that every server has, unless somebody dropped it.
const MAINTENANCE: &str = "postgres";

/// Returns what to try.
pub(in crate::cli::command) async fn of(
    context: &Context<'_>,
    error: &ConnectError,
) -> Vec<String> {
    let steps: &[&str] = match error {
        ConnectError::Setting { .. } => &[
            "Mend the setting that the error names: the URL, a variable of the environment, or the service file.",
        ],
        ConnectError::Unreachable { reason, .. } if is_starting(reason) => &[
            "Wait: the server is starting, or recovers from a crash. Its log says how far it is.",
            "Should it not end, look in its log for what it replays, and whether the disk is full: `df -h`",
        ],
        ConnectError::Unreachable { reason, .. } if is_unknown_host(reason) => &[
            "See whether the host's name is spelled right: in the URL, in $PGHOST, or in the service file",
            "If it is, ask for its address: `getent hosts NAME`; many a name is known only within a VPN",
            "Then once more: `runbook health`",
        ],
        ConnectError::Unreachable { .. } => &[
            "See whether it runs: `systemctl status postgresql`, `docker ps --filter name=postgres`, \
             `pg_lsclusters` or `brew services list`",
            "If it does not, read why it ended before it is started again: `journalctl -u postgresql`, \
             `docker logs CONTAINER`, or the end of the server's log; a full disk is the usual reason: `df -h`",
            "Start it: `systemctl start postgresql`, `docker compose up -d postgres`, `pg_ctlcluster VERSION main start` \
             or `brew services start postgresql`",
            "If it runs, see whether it listens where you ask: `ss -ltn`, and `listen_addresses` and `port` in \
             postgresql.conf; a firewall or a VPN may stand between",
            "Then once more: `runbook health`",
        ],
        ConnectError::Login { reason, .. } if reason.contains("missing") => {
            &["Give the password: in ~/.pgpass, which is safest, or in $PGPASSWORD"]
        }
        ConnectError::Login { .. } => &[
            "See which login and which password are used: those of the URL, of $PGUSER and $PGPASSWORD, or of the line \
             of ~/.pgpass that fits first",
            "Ask an administrator whether the role exists, may log in and is still valid: `runbook run pg-roles`",
            "See which line of pg_hba.conf fits: it may ask for another method than a password, or for TLS",
            "Only if the password is lost: have it set anew by an administrator; `runbook find reset login \
             password` names the runbook",
        ],
        ConnectError::UnknownDatabase { .. } => return databases(context).await,
        ConnectError::Tls { .. } => &[
            "Do what the error says of `sslmode` and of the certificates; do not leave TLS out to get on",
            "If the server's certificate was replaced, get the new authority's certificate from who replaced it",
        ],
        ConnectError::Refused { reason, .. } if reason.contains("53300") => &[
            "See who holds the connections, as a superuser, for whom some are kept: `runbook run pg-connections`",
            "End those that were forgotten: `runbook run pg-terminate-session`",
            "Make the applications' pools smaller, or put a pooler between; max_connections is the last resort",
        ],
        ConnectError::Elsewhere(_) => &[
            "See where the address leads: the URL's variable, the service file, or a name that DNS or a VPN sends elsewhere",
            "If the database was moved or restored there on purpose, mend the target's `identity` in runbook.yaml",
        ],
        ConnectError::Refused { .. } => &[
            "Read the end of the server's log: it says what the refusal leaves out",
            "Ask whether the role has the right to CONNECT: `runbook run pg-roles`",
        ],
    };
    steps.iter().map(|step| (*step).to_owned()).collect()
}

fn is_starting(reason: &str) -> bool {
    reason.contains("57P03")
}

/// Whether nobody knows the host: whether a server runs is another question then.
fn is_unknown_host(reason: &str) -> bool {
    reason.contains("lookup address")
}

/// The database is not there: which ones are, where the login may ask.
async fn databases(context: &Context<'_>) -> Vec<String> {
    let mut steps = Vec::new();
    if let Some(names) = names(context).await {
        let wanted = connection::goal(context).ok();
        let wanted = wanted.as_ref().map_or("", |goal| goal.settings.database());
        let near = words::nearest(wanted, names.iter().map(String::as_str));
        let near = near.map_or(String::new(), |near| format!("; `{near}` is the nearest"));
        steps.push(format!(
            "Use one that there is: {}{near}",
            words::quoted(&names)
        ));
    }
    steps.push(
        "If it should be there, find out who dropped or renamed it before you make it anew; a restore in place leaves \
         the old one under another name"
            .to_owned(),
    );
    steps.push(
        "Restore it: `runbook backup list`, then `runbook backup restore ID --as NAME`".to_owned(),
    );
    steps.push(
        "Or make an empty one: `runbook find create a database` names the runbook".to_owned(),
    );
    steps
}

async fn names(context: &Context<'_>) -> Option<Vec<String>> {
    let settings = connection::goal(context).ok()?.ready().await.ok()?;
    let settings = settings.with_database(MAINTENANCE);
    let mut session = Session::connect(&settings, None).await.ok()?;
    let sql = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1";
    let bound = Bound {
        statement: Statement::parse(sql).ok()?,
        binds: Vec::new(),
    };
    let limits = Limits {
        deadline: None,
        cancel: Cancel::never(),
    };
    let rows: Rows = session.read(&bound, 50, &limits).await.ok()?;
    Some(rows.rows.into_iter().flatten().flatten().collect())
}
