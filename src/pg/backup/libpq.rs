//! How PostgreSQL's programs are told where the database is: by libpq's variables, which no list of processes
//! shows.

use tokio::process::Command;

use crate::pg::host::Location;
use crate::pg::secret::Secret;
use crate::pg::settings::ConnectSettings;
use crate::pg::tls::{Roots, SslMode};

/// What their sessions begin with: the texts of values as in [`super::snapshot::SETTINGS`], and nothing that hides
/// rows or ends a long statement.
const OPTIONS: &str = "-c DateStyle=ISO,YMD -c IntervalStyle=postgres -c TimeZone=UTC -c extra_float_digits=1 \
    -c bytea_output=hex -c standard_conforming_strings=on -c row_security=off -c statement_timeout=0 \
    -c idle_in_transaction_session_timeout=0 -c synchronize_seqscans=off";

/// Returns the settings for the one address that answered: every connection of a backup must come to the same
/// server. `place` is what a connection says of itself.
pub(super) fn at_place(settings: &ConnectSettings, place: &str) -> ConnectSettings {
    let mut settings = settings.clone();
    let here = settings
        .hosts
        .iter()
        .find(|host| settings.describe_at(&host.to_string()) == place);
    if let Some(host) = here.cloned() {
        settings.hosts = vec![host];
    }
    settings
}

/// Tells a program where to connect to. `more` are further settings of its sessions: `-c name=value`.
pub(super) fn connect(command: &mut Command, settings: &ConnectSettings, more: &str) {
    let own = settings.options.as_deref().unwrap_or_default();
    let role = settings.profile().role_option().unwrap_or_default();
    let options = format!("{own} {OPTIONS} {role} {more}");
    command
        .env("PGUSER", settings.user())
        .env("PGDATABASE", settings.database())
        .env("PGOPTIONS", options.trim())
        .env("PGTZ", "UTC")
        .env("PGAPPNAME", "runbook/backup")
        .env("PGCHANNELBINDING", channel_binding(settings))
        // We never ask for Kerberos, and looking for it may take long.
        .env("PGGSSENCMODE", "disable");
    if let Some(timeout) = settings.timeout {
        command.env("PGCONNECT_TIMEOUT", timeout.as_secs().max(1).to_string());
    }
    hosts(command, settings);
    tls(command, settings);
    if let Some(password) = password(settings) {
        command.env("PGPASSWORD", password.reveal());
    }
}

/// Returns the password that a program is given.
pub(super) fn password(settings: &ConnectSettings) -> Option<Secret> {
    let host = settings.hosts().first()?;
    settings.password_for(host).cloned()
}

/// Returns what names a database as an argument, whatever is in its name.
pub(super) fn dbname(name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('\'', "\\'");
    format!("--dbname=dbname='{escaped}'")
}

fn hosts(command: &mut Command, settings: &ConnectSettings) {
    let mut names = Vec::new();
    let mut addresses = Vec::new();
    let mut ports = Vec::new();
    for host in settings.hosts() {
        ports.push(host.port.to_string());
        match &host.location {
            Location::Socket(folder) => {
                names.push(folder.display().to_string());
                addresses.push(String::new());
            }
            Location::Tcp { name, address } => {
                names.push(name.clone());
                addresses.push(address.map(|one| one.to_string()).unwrap_or_default());
            }
        }
    }
    command
        .env("PGHOST", names.join(","))
        .env("PGPORT", ports.join(","));
    if addresses.iter().any(|address| !address.is_empty()) {
        command.env("PGHOSTADDR", addresses.join(","));
    }
}

fn tls(command: &mut Command, settings: &ConnectSettings) {
    let tls = settings.tls();
    if let Some((name, _)) = SslMode::NAMES.iter().find(|(_, mode)| *mode == tls.mode) {
        command.env("PGSSLMODE", name);
    }
    match &tls.roots {
        Roots::System => command.env("PGSSLROOTCERT", "system"),
        Roots::File(path) => command.env("PGSSLROOTCERT", path),
        Roots::None => command,
    };
    if let Some(client) = &tls.client {
        command
            .env("PGSSLCERT", &client.certificate)
            .env("PGSSLKEY", &client.key);
    }
}

fn channel_binding(settings: &ConnectSettings) -> &'static str {
    use tokio_postgres::config::ChannelBinding;
    match settings.channel_binding {
        ChannelBinding::Disable => "disable",
        ChannelBinding::Require => "require",
        _ => "prefer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg::environment::Environment;

    fn told(url: &str) -> Vec<(String, String)> {
        let settings = ConnectSettings::resolve(Some(url), &Environment::empty()).unwrap();
        let mut command = Command::new("pg_dump");
        command.env_clear();
        connect(&mut command, &settings, "");
        let text = |text: &std::ffi::OsStr| text.to_str().unwrap().to_owned();
        let shown = command.as_std();
        assert!(shown.get_args().next().is_none());
        shown
            .get_envs()
            .filter(|(name, _)| *name != "PGOPTIONS")
            .map(|(name, value)| (text(name), text(value.unwrap())))
            .collect()
    }

    #[test]
    fn case_37_all_of_a_connection_is_told_by_variables() {
        let told = told(
            "postgres://ann:pa%20ss@db.example:5433/crm?sslmode=verify-full&sslrootcert=/r.crt&hostaddr=192.0.2.7",
        );
        let told: Vec<String> = told
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            told,
            [
                "PGAPPNAME=runbook/backup",
                "PGCHANNELBINDING=prefer",
                "PGCONNECT_TIMEOUT=10",
                "PGDATABASE=crm",
                "PGGSSENCMODE=disable",
                "PGHOST=db.example",
                "PGHOSTADDR=192.0.2.7",
                "PGPASSWORD=pa ss",
                "PGPORT=5433",
                "PGSSLMODE=verify-full",
                "PGSSLROOTCERT=/r.crt",
                "PGTZ=UTC",
                "PGUSER=ann",
            ]
        );
    }

    #[test]
    fn a_database_is_named_whatever_is_in_its_name() {
        assert_eq!(dbname("a=b' c\\"), "--dbname=dbname='a=b\\' c\\\\'");
    }
}
