//! libpq's connection keywords, the variables that set them, and which of them are supported.
//!
//! Nothing is passed over in silence: a keyword that would have to change how we connect, and does not, is refused.

use crate::base::words;

use super::connect_error::ConnectError;

/// What is done with a keyword's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Support {
    /// It is honoured.
    Used,
    /// Only these values, which describe what happens anyway.
    Only(&'static [&'static str]),
    /// It concerns what is never used here.
    NoEffect,
}

/// One of libpq's keywords.
#[derive(Clone, Copy, Debug)]
pub struct Keyword {
    /// As in a connection string.
    pub name: &'static str,
    /// The environment variable that sets it.
    pub variable: Option<&'static str>,
    support: Support,
}

const fn used(name: &'static str, variable: Option<&'static str>) -> Keyword {
    Keyword {
        name,
        variable,
        support: Support::Used,
    }
}

const fn only(
    name: &'static str,
    variable: Option<&'static str>,
    values: &'static [&'static str],
) -> Keyword {
    Keyword {
        name,
        variable,
        support: Support::Only(values),
    }
}

const fn no_effect(name: &'static str, variable: Option<&'static str>) -> Keyword {
    Keyword {
        name,
        variable,
        support: Support::NoEffect,
    }
}

/// Every keyword that libpq 18 knows.
pub const KEYWORDS: &[Keyword] = &[
    used("application_name", Some("PGAPPNAME")),
    used("channel_binding", Some("PGCHANNELBINDING")),
    used("connect_timeout", Some("PGCONNECT_TIMEOUT")),
    used("dbname", Some("PGDATABASE")),
    used("host", Some("PGHOST")),
    used("hostaddr", Some("PGHOSTADDR")),
    used("keepalives", None),
    used("keepalives_count", None),
    used("keepalives_idle", None),
    used("keepalives_interval", None),
    used("options", Some("PGOPTIONS")),
    used("passfile", Some("PGPASSFILE")),
    used("password", Some("PGPASSWORD")),
    used("port", Some("PGPORT")),
    used("service", Some("PGSERVICE")),
    used("sslcert", Some("PGSSLCERT")),
    used("sslkey", Some("PGSSLKEY")),
    used("sslmode", Some("PGSSLMODE")),
    used("sslrootcert", Some("PGSSLROOTCERT")),
    used("target_session_attrs", Some("PGTARGETSESSIONATTRS")),
    used("tcp_user_timeout", None),
    used("user", Some("PGUSER")),
    // The engine always speaks UTF-8 and does not print as the terminal's encoding would have it.
    only("client_encoding", None, &["utf8", "utf-8", "auto"]),
    only("gssencmode", Some("PGGSSENCMODE"), &["disable", "prefer"]),
    only(
        "load_balance_hosts",
        Some("PGLOADBALANCEHOSTS"),
        &["disable"],
    ),
    only(
        "max_protocol_version",
        Some("PGMAXPROTOCOLVERSION"),
        &["3.0", "latest"],
    ),
    only(
        "min_protocol_version",
        Some("PGMINPROTOCOLVERSION"),
        &["3.0"],
    ),
    only("replication", None, &["false", "off", "no", "0"]),
    only("require_auth", Some("PGREQUIREAUTH"), &[]),
    only("requirepeer", Some("PGREQUIREPEER"), &[]),
    // rustls speaks TLS 1.2 and 1.3 only.
    only(
        "ssl_min_protocol_version",
        Some("PGSSLMINPROTOCOLVERSION"),
        &["TLSv1", "TLSv1.1", "TLSv1.2"],
    ),
    only(
        "ssl_max_protocol_version",
        Some("PGSSLMAXPROTOCOLVERSION"),
        &["TLSv1.3"],
    ),
    only("sslcertmode", Some("PGSSLCERTMODE"), &["allow"]),
    only("sslcompression", Some("PGSSLCOMPRESSION"), &["0"]),
    only("sslcrl", Some("PGSSLCRL"), &[]),
    only("sslcrldir", Some("PGSSLCRLDIR"), &[]),
    only("sslnegotiation", Some("PGSSLNEGOTIATION"), &["postgres"]),
    only("sslpassword", None, &[]),
    only("sslsni", Some("PGSSLSNI"), &["1"]),
    no_effect("fallback_application_name", None),
    no_effect("gssdelegation", Some("PGGSSDELEGATION")),
    no_effect("gsslib", Some("PGGSSLIB")),
    no_effect("krbsrvname", Some("PGKRBSRVNAME")),
];

/// Returns the keyword with this name, once its value is one that can be honoured.
///
/// The error names the keyword, and its value only where that is none of the secret ones.
pub fn supported(name: &str, value: &str, origin: &str) -> Result<&'static Keyword, ConnectError> {
    let Some(keyword) = KEYWORDS.iter().find(|keyword| keyword.name == name) else {
        let names = KEYWORDS.iter().map(|keyword| keyword.name);
        let help = words::did_you_mean(name, names).unwrap_or_else(|| {
            "the keywords are libpq's: host, port, user, dbname, sslmode and so on".to_owned()
        });
        let reason = format!("unknown connection setting `{name}`");
        return Err(ConnectError::setting(origin, reason, help));
    };
    match keyword.support {
        Support::Only(values)
            if !value.is_empty() && !values.iter().any(|one| one.eq_ignore_ascii_case(value)) =>
        {
            Err(unsupported(keyword, values, origin))
        }
        _ => Ok(keyword),
    }
}

fn unsupported(keyword: &Keyword, values: &[&str], origin: &str) -> ConnectError {
    let name = keyword.name;
    let (reason, help) = if values.is_empty() {
        (
            format!("`{name}` is not supported"),
            "leave it out, if the connection is safe enough without it".to_owned(),
        )
    } else {
        (
            format!("this value of `{name}` is not supported"),
            format!("leave it out, or use {}", values.join(" or ")),
        )
    };
    ConnectError::setting(origin, reason, help)
}
