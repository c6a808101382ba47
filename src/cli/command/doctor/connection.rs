//! The connection: where passwords stand, who can read along, and whether the server is proved to be the one that
//! was meant.

use std::net::IpAddr;

use super::ask::{Answer, row};
use super::finding::Finding;
use crate::cli::Context;
use crate::pg::host::{Host, Location};
use crate::pg::secret::mask_passwords;
use crate::pg::session::Session;
use crate::pg::settings::ConnectSettings;
use crate::pg::tls::{Roots, SslMode, TlsSettings};

/// How the session is encrypted, and from where the server sees it come.
const TLS: &str = "\
    SELECT ssl::text, version, host(inet_client_addr()) \
    FROM (SELECT 1) AS one LEFT JOIN pg_stat_ssl ON pid = pg_backend_pid()";

/// Looks at where passwords stand: needs no connection.
pub(super) fn passwords(context: &Context<'_>, settings: &ConnectSettings) -> Vec<Finding> {
    let given = context
        .global
        .target
        .iter()
        .chain(&context.global.database_url);
    if given.into_iter().any(|url| mask_passwords(url) != *url) {
        return vec![
            Finding::warning(
                "password",
                "it stands on the command line, where every user of this machine can see it",
            )
            .help("put it into `~/.pgpass` (HOST:PORT:DATABASE:USER:PASSWORD, mode 0600) or into `$PGPASSWORD`"),
        ];
    }
    let ignored = settings.warnings().iter();
    let ignored = ignored.map(|warning| {
        let (says, help) = warning.split_once("; run ").unwrap_or((warning, ""));
        let finding = Finding::missing("password", says);
        if help.is_empty() {
            finding
        } else {
            finding.help(help)
        }
    });
    let ignored: Vec<Finding> = ignored.collect();
    if ignored.is_empty() {
        return vec![Finding::well("password", "none is open to others")];
    }
    ignored
}

/// Looks at how the session is connected.
pub(super) async fn look(session: &Session) -> Vec<Finding> {
    let settings = session.settings();
    let mut found = vec![Finding::well(
        "server",
        format!("{} answers", settings.describe()),
    )];
    found.push(match row(session, TLS).await {
        Ok(answer) => encrypted(settings.tls(), settings.hosts(), &answer),
        Err(why) => Finding::unseen("encryption", why),
    });
    found
}

fn encrypted(tls: &TlsSettings, hosts: &[Host], answer: &Answer) -> Finding {
    let is_here = answer.some(2).is_none_or(is_loopback) || hosts.iter().all(is_local);
    match (answer.is(0), is_here) {
        (false, true) => Finding::well("encryption", "none is needed: the server is on this machine"),
        (false, false) => Finding::missing(
            "encryption",
            "none: who is on the way reads rows and may change statements",
        )
        .help("add `sslmode=verify-full` and `sslrootcert=FILE` to the connection")
        .help("where the server has no TLS yet: `ALTER SYSTEM SET ssl = on` once its certificate is in place"),
        (true, _) => proved(tls, answer.text(1)),
    }
}

/// What the certificate proves, by what was asked of it.
fn proved(tls: &TlsSettings, version: &str) -> Finding {
    let has_roots = match &tls.roots {
        Roots::System => true,
        Roots::File(path) => path.exists(),
        Roots::None => false,
    };
    match (tls.mode, has_roots) {
        (SslMode::VerifyFull, _) => Finding::well(
            "encryption",
            format!("{version}, and the certificate proves whose server it is"),
        ),
        (SslMode::VerifyCa, _) | (_, true) => Finding::warning(
            "encryption",
            format!("{version}; the certificate is from a trusted authority, but may be of another server"),
        )
        .help("add `sslmode=verify-full` to the connection"),
        _ => Finding::warning(
            "encryption",
            format!("{version}, but nothing proves that it is the right server that answers"),
        )
        .help("add `sslmode=verify-full` and `sslrootcert=FILE` (or `sslrootcert=system`) to the connection"),
    }
}

fn is_loopback(address: &str) -> bool {
    address
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}

fn is_local(host: &Host) -> bool {
    match &host.location {
        Location::Socket(_) => true,
        Location::Tcp { name, address } => {
            address.is_some_and(|address| address.is_loopback())
                || name == "localhost"
                || is_loopback(name)
        }
    }
}
