//! Why there is no connection: what happened, where, why, and what to do next.

use std::error::Error as _;

use tokio_postgres::error::SqlState;

/// Why a connection could not be described or made. No message ever holds a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// A connection setting is unknown, ill-formed, contradictory or not supported.
    #[error("{origin}: {reason}\n  = help: {help}")]
    Setting {
        /// Where the setting was found: "the database URL", "$PGPORT", a file and line.
        origin: String,
        /// What is wrong, naming the setting.
        reason: String,
        /// What to do next.
        help: String,
    },
    /// Nothing answers there, or not as PostgreSQL does.
    #[error("cannot reach PostgreSQL at {place}: {reason}\n  = help: {help}")]
    Unreachable {
        /// `user@host:port/database`.
        place: String,
        /// What the network or the server said.
        reason: String,
        /// What to do next.
        help: String,
    },
    /// The server does not let this user in.
    #[error("PostgreSQL refuses the login {place}: {reason}\n  = help: {help}")]
    Login {
        /// `user@host:port/database`.
        place: String,
        /// What the server said.
        reason: String,
        /// What to do next.
        help: String,
    },
    /// The server has no such database.
    #[error("unknown database {place}: {reason}\n  = help: {help}")]
    UnknownDatabase {
        /// `user@host:port/database`.
        place: String,
        /// What the server said.
        reason: String,
        /// What to do next.
        help: String,
    },
    /// The connection could not be encrypted, or the server not be proven to be the right one.
    #[error("no trusted TLS connection to {place}: {reason}\n  = help: {help}")]
    Tls {
        /// `user@host:port/database`.
        place: String,
        /// What failed.
        reason: String,
        /// What to do next.
        help: String,
    },
    /// The server answered and refuses for another reason, such as too many connections.
    #[error("PostgreSQL at {place} refuses the connection: {reason}\n  = help: {help}")]
    Refused {
        /// `user@host:port/database`.
        place: String,
        /// What the server said, with its SQLSTATE.
        reason: String,
        /// What to do next.
        help: String,
    },
    /// It is another database than the one that was named.
    #[error(transparent)]
    Elsewhere(Box<Elsewhere>),
}

/// A database that is not the one that was named, or that is to be named otherwise. Nothing was done with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}\n  {}\n  = help: {}", self.title(), self.found(), self.help())]
pub struct Elsewhere {
    /// The target that was named, where one was.
    pub target: Option<String>,
    /// `user@host:port/database`.
    pub place: String,
    /// The login.
    pub login: String,
    /// The database that is there.
    pub database: String,
    /// Its cluster's system identifier, where the login may read it.
    pub cluster: Option<String>,
    /// What of it is not as it should be.
    pub mismatch: Mismatch,
}

/// What of a database is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// It is of another cluster than the pinned one.
    Cluster(String),
    /// It is another database than the pinned one.
    Database(String),
    /// The login may not read what the target is known by.
    Unproved,
    /// It is the target of this name.
    Named(String),
    /// Nobody can tell whether it is the target of this name.
    MayBe(String),
}

impl Elsewhere {
    /// Returns what is wrong.
    pub fn title(&self) -> String {
        let target = self.target.as_deref().unwrap_or_default();
        match &self.mismatch {
            Mismatch::Cluster(_) => format!("this is another cluster than the target `{target}`"),
            Mismatch::Database(_) => format!("this is another database than the target `{target}`"),
            Mismatch::Unproved => {
                format!("nobody can tell whether this is the target `{target}`")
            }
            Mismatch::Named(name) => format!("this is the target `{name}`, under another address"),
            Mismatch::MayBe(name) => {
                format!("nobody can tell whether this is the target `{name}`")
            }
        }
    }

    /// Returns what was found instead.
    pub fn found(&self) -> String {
        let cluster = match &self.cluster {
            Some(cluster) => format!("cluster {cluster}"),
            None => format!(
                "the login {} may not read its system identifier",
                self.login
            ),
        };
        format!(
            "found at {}: database {}, {cluster}; nothing was done with it",
            self.place, self.database
        )
    }

    /// Returns what to do next.
    pub fn help(&self) -> String {
        let grant = || {
            format!(
                "as a superuser: GRANT EXECUTE ON FUNCTION pg_control_system() TO {}",
                crate::sql::ident::quote_ident(&self.login)
            )
        };
        match &self.mismatch {
            Mismatch::Cluster(_) | Mismatch::Database(_) => {
                "mend the address; or, if the database was moved there on purpose, mend its `identity`: `runbook targets --check` prints it".to_owned()
            }
            Mismatch::Unproved => grant(),
            Mismatch::Named(name) => {
                format!("what it demands of runs holds for its name: --target {name}")
            }
            Mismatch::MayBe(name) => format!("name it if it is: --target {name}; else {}", grant()),
        }
    }
}

impl ConnectError {
    /// Returns whether the settings are wrong, which is wrong use (exit code 2), rather than the target
    /// being out of reach (exit code 4).
    pub fn is_wrong_use(&self) -> bool {
        matches!(self, Self::Setting { .. })
    }

    /// Returns why, without the place and the advice.
    pub fn reason(&self) -> &str {
        match self {
            Self::Setting { reason, .. }
            | Self::Unreachable { reason, .. }
            | Self::Login { reason, .. }
            | Self::UnknownDatabase { reason, .. }
            | Self::Tls { reason, .. }
            | Self::Refused { reason, .. } => reason,
            Self::Elsewhere(_) => "it is another database than the one that was named",
        }
    }

    /// Returns what to do next.
    pub fn help(&self) -> &str {
        match self {
            Self::Setting { help, .. }
            | Self::Unreachable { help, .. }
            | Self::Login { help, .. }
            | Self::UnknownDatabase { help, .. }
            | Self::Tls { help, .. }
            | Self::Refused { help, .. } => help,
            Self::Elsewhere(_) => "mend the address, or the `identity` of the target",
        }
    }

    /// Returns the error for a setting that cannot be used.
    pub(crate) fn setting(
        origin: impl Into<String>,
        reason: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::Setting {
            origin: origin.into(),
            reason: reason.into(),
            help: help.into(),
        }
    }

    /// Returns the error for a place where nothing answers.
    pub(crate) fn unreachable(place: &str, reason: impl Into<String>) -> Self {
        Self::Unreachable {
            place: place.to_owned(),
            reason: reason.into(),
            help: "check that the server runs, and that host and port are right; \
                   `pg_isready` asks the same question"
                .to_owned(),
        }
    }

    /// Returns the error for a connection that cannot be trusted.
    pub(crate) fn tls(place: &str, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let help = tls_help(&reason);
        Self::Tls {
            place: place.to_owned(),
            reason,
            help: help.to_owned(),
        }
    }

    /// Returns the error for what the driver reports when a connection to `place` fails.
    pub(crate) fn from_driver(place: &str, error: &tokio_postgres::Error) -> Self {
        if let Some(refusal) = error.as_db_error() {
            return Self::from_server(place, refusal);
        }
        let reason = innermost(error);
        // The driver keeps its error kinds to itself: their first words are all that tells them apart.
        match error.to_string() {
            kind if kind.starts_with("error performing TLS") => Self::tls(place, reason),
            kind if kind.starts_with("authentication error")
                || kind.starts_with("invalid configuration") =>
            {
                Self::login(place, reason)
            }
            _ => Self::unreachable(place, reason),
        }
    }

    fn login(place: &str, reason: String) -> Self {
        let help = if reason.contains("password missing") {
            "give a password with $PGPASSWORD or ~/.pgpass"
        } else {
            "check the user and its password ($PGPASSWORD, ~/.pgpass), and the server's pg_hba.conf"
        };
        Self::Login {
            place: place.to_owned(),
            reason,
            help: help.to_owned(),
        }
    }

    fn from_server(place: &str, refusal: &tokio_postgres::error::DbError) -> Self {
        let code = refusal.code();
        let reason = format!("{} ({})", refusal.message(), code.code());
        let place_text = place.to_owned();
        if *code == SqlState::INVALID_PASSWORD
            || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        {
            return Self::login(place, reason);
        }
        if *code == SqlState::INVALID_CATALOG_NAME {
            return Self::UnknownDatabase {
                place: place_text,
                reason,
                help: "check the database's name: `psql -l` lists those there are".to_owned(),
            };
        }
        if *code == SqlState::CANNOT_CONNECT_NOW {
            return Self::unreachable(place, reason);
        }
        let help = match refusal.hint() {
            Some(hint) => hint,
            None if *code == SqlState::TOO_MANY_CONNECTIONS => {
                "try again once others have left, or raise max_connections"
            }
            None if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
                "ask for the CONNECT privilege on this database"
            }
            None => "the server's log may say more",
        };
        Self::Refused {
            place: place_text,
            reason,
            help: help.to_owned(),
        }
    }
}

fn tls_help(reason: &str) -> &'static str {
    if reason.contains("does not support TLS") {
        "the server has no TLS: switch it on there (ssl = on), or use sslmode=prefer on a trusted network"
    } else if reason.contains("not valid for") {
        "connect by a name in the certificate's subjectAltName, or use sslmode=verify-ca"
    } else if reason.contains("UnknownIssuer") || reason.contains("unknown issuer") {
        "name the authority's certificate with sslrootcert=FILE"
    } else {
        "check sslmode, sslrootcert, sslcert and sslkey, and the server's certificate"
    }
}

/// Returns the words of the deepest cause, which say the most.
fn innermost(error: &tokio_postgres::Error) -> String {
    let Some(mut cause) = error.source() else {
        return error.to_string();
    };
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
