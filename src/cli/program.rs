//! Runs the program of a `command`: a list of words, without a shell, and without the connection's password
//! unless the runbook hands it over.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::base::secret::Secret;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::{Limits, Output, Program};
use crate::pg::host::Location;
use crate::pg::settings::ConnectSettings;
use crate::pg::tls::{Roots, SslMode};

/// More output than this is cut: it is a result to read, not data to move.
const MOST_OUTPUT: usize = 1024 * 1024;

/// Variables that can hold a password.
const SECRETS: [&str; 4] = ["PGPASSWORD", "PGPASSFILE", "DATABASE_URL", "PGSERVICEFILE"];

/// Variables that send libpq's programs to another server than the one they are told: a service wins over `PGHOST`,
/// and an address over the name of a host or the folder of a socket.
const ELSEWHERE: [&str; 4] = [
    "PGSERVICE",
    "PGHOSTADDR",
    "PGTARGETSESSIONATTRS",
    "PGLOADBALANCEHOSTS",
];

/// Passwords that are shorter than this stand in variables by chance.
const CHANCE: usize = 4;

/// Returns the variables that no program sees unless it is handed the connection: those that can hold a password by
/// their names, those that are an address with one, and those in which the password of this very connection stands.
pub(super) fn secret_variables(settings: &ConnectSettings) -> Vec<OsString> {
    let hosts = settings.hosts().iter();
    let passwords: Vec<&str> = hosts
        .filter_map(|host| settings.password_for(host))
        .map(Secret::reveal)
        .filter(|password| password.len() >= CHANCE)
        .collect();
    let holds = |value: &str| {
        let address = ["postgres://", "postgresql://"];
        let is_address = address
            .iter()
            .any(|scheme| value.trim().starts_with(scheme));
        is_address && (value.contains('@') || value.contains("password"))
            || passwords.iter().any(|password| value.contains(password))
    };
    let found = std::env::vars_os().filter(|(_, value)| holds(&value.to_string_lossy()));
    let known = SECRETS.iter().map(OsString::from);
    known.chain(found.map(|(name, _)| name)).collect()
}

/// Runs a program to its end, or until its limits stop it.
///
/// # Errors
/// It cannot be started, or was stopped.
pub async fn run(
    program: &Program,
    folder: &Path,
    settings: &ConnectSettings,
    limits: &Limits,
) -> Result<Output, Failure> {
    let Some((name, arguments)) = program.words.split_first() else {
        return Err(Failure::new(
            FailureKind::Command,
            "the command has no program",
        ));
    };
    let mut command = Command::new(name);
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    for variable in ELSEWHERE {
        command.env_remove(variable);
    }
    for variable in secret_variables(settings) {
        command.env_remove(variable);
    }
    connect_by(&mut command, settings, program);
    let child = command.spawn().map_err(|error| {
        Failure::new(
            FailureKind::Command,
            format!("`{name}` cannot be started: {error}"),
        )
    })?;
    let deadline = async {
        match limits.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        output = child.wait_with_output() => {
            let output = output.map_err(|error| Failure::new(FailureKind::Command, format!("`{name}`: {error}")))?;
            Ok(Output {
                // A program that a signal ended has no code; shells say 128 and more.
                code: output.status.code().unwrap_or(128),
                stdout: text(&output.stdout),
                stderr: text(&output.stderr),
            })
        }
        () = deadline => Err(Failure::new(FailureKind::Timeout, format!("`{name}` took longer than the step's `timeout`"))),
        () = limits.cancel.wait() => Err(Failure::new(FailureKind::Cancelled, "cancelled by Ctrl-C")),
    }
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..MOST_OUTPUT).unwrap_or(bytes));
    text.trim_end().to_owned()
}

/// Tells the program where the database is, as libpq's programs understand it.
fn connect_by(command: &mut Command, settings: &ConnectSettings, program: &Program) {
    if let Some(host) = settings.hosts().first() {
        command.env("PGPORT", host.port.to_string());
        match &host.location {
            Location::Socket(folder) => command.env("PGHOST", folder),
            Location::Tcp { name, address } => {
                if let Some(address) = address {
                    command.env("PGHOSTADDR", address.to_string());
                }
                command.env("PGHOST", name)
            }
        };
        if let Some(secret) = settings
            .password_for(host)
            .filter(|_| program.pass_connection)
        {
            command.env("PGPASSWORD", secret.reveal());
        }
    }
    // What the program sends is as safe as what the session does, and done by the same role.
    if let Some((mode, _)) = SslMode::NAMES
        .iter()
        .find(|(_, mode)| *mode == settings.tls().mode)
    {
        command.env("PGSSLMODE", mode);
    }
    match &settings.tls().roots {
        Roots::System => command.env("PGSSLROOTCERT", "system"),
        Roots::File(path) => command.env("PGSSLROOTCERT", path),
        Roots::None => command,
    };
    // A query or check changes nothing; should its program try, the server refuses.
    let reads = program
        .reads
        .then_some("-c default_transaction_read_only=on");
    let role = settings.profile().role_option();
    if reads.is_some() || role.is_some() {
        let own = settings.options().map(str::to_owned);
        let all: Vec<String> = own
            .into_iter()
            .chain(role)
            .chain(reads.map(str::to_owned))
            .collect();
        command.env("PGOPTIONS", all.join(" "));
    }
    command
        .env("PGUSER", settings.user())
        .env("PGDATABASE", settings.database());
}
