//! The value of each keyword, gathered from every layer, and what it means.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::ChannelBinding;

use crate::base::words;
use crate::pg::connect_error::ConnectError;
use crate::pg::conninfo;
use crate::pg::environment::Environment;
use crate::pg::keyword::{self, KEYWORDS};
use crate::pg::passfile::Passfile;
use crate::pg::service;
use crate::pg::tls::{ClientCertificate, Roots, SslMode, TlsSettings};

use super::{Keepalives, SessionAttrs};

/// How long one address may take to answer, where nothing else is said.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The value of each keyword and where it is from; the first layer to set one wins.
pub(super) struct Values {
    found: BTreeMap<&'static str, (String, String)>,
}

impl Values {
    /// Gathers them: `own` are a target's own settings, as keyword, value and origin; `text` is its address.
    pub(super) fn gather(
        own: &[(String, String, String)],
        text: Option<(&str, &str)>,
        environment: &Environment,
    ) -> Result<Self, ConnectError> {
        let mut values = Self {
            found: BTreeMap::new(),
        };
        values.add_layer(own.iter().cloned())?;
        let own_passfile = values.text("passfile").is_some();
        if let Some((text, origin)) = text {
            let pairs = conninfo::parse(text, origin)?;
            // The last of two in one text counts, as in libpq.
            let pairs = pairs.into_iter().rev();
            values.add_layer(pairs.map(|(name, value)| (name, value, origin.to_owned())))?;
        }
        if let Some(name) = values
            .text("service")
            .or_else(|| environment.var("PGSERVICE"))
        {
            let settings = service::load(name, environment)?;
            values.add_layer(
                settings
                    .into_iter()
                    .map(|setting| (setting.keyword, setting.value, setting.origin)),
            )?;
        }
        values.add_layer(KEYWORDS.iter().filter_map(|keyword| {
            let variable = keyword.variable?;
            let value = environment.var(variable)?;
            // A password of another database, where the target names the file of its own.
            if own_passfile && keyword.name == "password" {
                return None;
            }
            Some((
                keyword.name.to_owned(),
                value.to_owned(),
                format!("${variable}"),
            ))
        }))?;
        Ok(values)
    }

    fn add_layer(
        &mut self,
        layer: impl Iterator<Item = (String, String, String)>,
    ) -> Result<(), ConnectError> {
        let host_is_set = self.text("host").is_some();
        for (name, value, origin) in layer {
            let keyword = keyword::supported(&name, &value, &origin)?;
            if value.is_empty() || (host_is_set && keyword.name == "hostaddr") {
                continue;
            }
            self.found.entry(keyword.name).or_insert((value, origin));
        }
        Ok(())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.found.get(name).map(|(value, _)| value.as_str())
    }

    /// Returns the error for a value that is not one of those there are. It quotes the value, so it must never be
    /// used for one that can be, or be part of, a password.
    pub(super) fn wrong(&self, name: &str, help: &str) -> ConnectError {
        let (value, origin) = self.found.get(name).cloned().unwrap_or_default();
        ConnectError::setting(
            origin,
            format!("`{name}` cannot be `{value}`"),
            help.to_owned(),
        )
    }

    fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&str, T)],
        default: T,
    ) -> Result<T, ConnectError> {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        choices
            .iter()
            .find(|(choice, _)| *choice == text)
            .map(|(_, value)| *value)
            .ok_or_else(|| {
                let names: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
                let help = words::did_you_mean(text, names.iter().copied())
                    .unwrap_or_else(|| format!("use one of {}", words::quoted(&names)));
                self.wrong(name, &help)
            })
    }

    fn number(&self, name: &str) -> Result<Option<i64>, ConnectError> {
        self.text(name)
            .map(|text| text.trim().parse::<i64>())
            .transpose()
            .map_err(|_| self.wrong(name, "give a whole number"))
    }

    /// Returns a positive number; libpq reads zero and less as "the system's default".
    fn positive(&self, name: &str) -> Result<Option<u64>, ConnectError> {
        let number = self.number(name)?;
        Ok(number
            .and_then(|number| u64::try_from(number).ok())
            .filter(|number| *number > 0))
    }

    fn seconds(&self, name: &str) -> Result<Option<Duration>, ConnectError> {
        Ok(self.positive(name)?.map(Duration::from_secs))
    }

    pub(super) fn timeout(&self) -> Result<Option<Duration>, ConnectError> {
        match self.number("connect_timeout")? {
            None => Ok(Some(DEFAULT_TIMEOUT)),
            Some(_) => self.seconds("connect_timeout"),
        }
    }

    pub(super) fn login(
        &self,
        environment: &Environment,
    ) -> Result<(String, String), ConnectError> {
        let user = self
            .text("user")
            .or_else(|| environment.user())
            .ok_or_else(|| {
                ConnectError::setting(
                    "the connection",
                    "no `user` is given, and this account has no name",
                    "name the role in the URL or in $PGUSER",
                )
            })?;
        let database = self.text("dbname").unwrap_or(user);
        Ok((user.to_owned(), database.to_owned()))
    }

    pub(super) fn passfile(&self, environment: &Environment) -> (Passfile, Option<String>) {
        if self.text("password").is_some() {
            return (Passfile::default(), None);
        }
        let path = match self.text("passfile") {
            Some(path) => Some(PathBuf::from(path)),
            None => environment.home().map(|home| home.join(".pgpass")),
        };
        path.map(|path| Passfile::read(&path)).unwrap_or_default()
    }

    pub(super) fn channel_binding(&self) -> Result<ChannelBinding, ConnectError> {
        let choices = [
            ("disable", ChannelBinding::Disable),
            ("prefer", ChannelBinding::Prefer),
            ("require", ChannelBinding::Require),
        ];
        self.choice("channel_binding", &choices, ChannelBinding::Prefer)
    }

    pub(super) fn session_attrs(&self) -> Result<SessionAttrs, ConnectError> {
        let choices = [
            ("any", SessionAttrs::Any),
            ("read-write", SessionAttrs::ReadWrite),
            ("read-only", SessionAttrs::ReadOnly),
            ("primary", SessionAttrs::Primary),
            ("standby", SessionAttrs::Standby),
            ("prefer-standby", SessionAttrs::PreferStandby),
        ];
        self.choice("target_session_attrs", &choices, SessionAttrs::Any)
    }

    pub(super) fn keepalives(&self) -> Result<Keepalives, ConnectError> {
        let count = self.positive("keepalives_count")?;
        Ok(Keepalives {
            disabled: self.number("keepalives")? == Some(0),
            idle: self.seconds("keepalives_idle")?,
            interval: self.seconds("keepalives_interval")?,
            count: count.and_then(|count| u32::try_from(count).ok()),
            user_timeout: self
                .positive("tcp_user_timeout")?
                .map(Duration::from_millis),
        })
    }

    pub(super) fn tls(&self, environment: &Environment) -> Result<TlsSettings, ConnectError> {
        let folder = environment.home().map(|home| home.join(".postgresql"));
        let in_folder = |name: &str| folder.as_ref().map(|folder| folder.join(name));
        let roots = match self.text("sslrootcert") {
            Some("system") => Roots::System,
            Some(path) => Roots::File(PathBuf::from(path)),
            None => in_folder("root.crt").map_or(Roots::None, Roots::File),
        };
        // Anyone may own a certificate from a public authority, so libpq insists on the host's name with those.
        let default = if roots == Roots::System {
            SslMode::VerifyFull
        } else {
            SslMode::Prefer
        };
        let mode = self.choice("sslmode", &SslMode::NAMES, default)?;
        if roots == Roots::System && mode != SslMode::VerifyFull {
            return Err(self.wrong(
                "sslmode",
                "with sslrootcert=system only sslmode=verify-full is safe",
            ));
        }
        let certificate = match self.text("sslcert") {
            Some(path) => Some(PathBuf::from(path)),
            None => in_folder("postgresql.crt").filter(|path| path.exists()),
        };
        let key = match self.text("sslkey") {
            Some(path) => Some(PathBuf::from(path)),
            None => in_folder("postgresql.key"),
        };
        let client = certificate
            .zip(key)
            .map(|(certificate, key)| ClientCertificate { certificate, key });
        Ok(TlsSettings {
            mode,
            roots,
            client,
        })
    }
}
