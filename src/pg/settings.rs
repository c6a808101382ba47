//! Where and how to connect, resolved from a URL, libpq's variables, service and password files.
//!
//! Precedence, as libpq has it: the explicit URL, else `$DATABASE_URL`; what it leaves open comes from the service
//! it names, then from libpq's variables, then from libpq's defaults. One deviation, for safety: `hostaddr` of a
//! lower layer never redirects a `host` of a higher one.

use std::time::Duration;

use tokio_postgres::config::ChannelBinding;

use super::connect_error::ConnectError;
use super::environment::Environment;
use super::host::Host;
use super::passfile::Passfile;
use super::profile::Profile;
use super::secret::Secret;
use super::tls::TlsSettings;

mod hosts;
mod values;

use values::Values;

/// What kind of server a session needs: libpq's `target_session_attrs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionAttrs {
    /// Any server.
    Any,
    /// One that takes writes.
    ReadWrite,
    /// One that is read-only.
    ReadOnly,
    /// One that is no replica.
    Primary,
    /// A replica.
    Standby,
    /// A replica, or else any.
    PreferStandby,
}

/// TCP's own settings; times in seconds and milliseconds become durations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keepalives {
    /// Whether they are off; on by default.
    pub disabled: bool,
    /// The silence before the first probe.
    pub idle: Option<Duration>,
    /// The time between probes.
    pub interval: Option<Duration>,
    /// How many unanswered probes end the connection.
    pub count: Option<u32>,
    /// How long sent data may stay unacknowledged.
    pub user_timeout: Option<Duration>,
}

/// Where and how to connect. `Debug` and every other view of it hide the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectSettings {
    pub(crate) hosts: Vec<Host>,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) password: Option<Secret>,
    pub(crate) passfile: Passfile,
    pub(crate) application_name: Option<String>,
    pub(crate) options: Option<String>,
    pub(crate) tls: TlsSettings,
    pub(crate) channel_binding: ChannelBinding,
    pub(crate) session_attrs: SessionAttrs,
    pub(crate) keepalives: Keepalives,
    pub(crate) timeout: Option<Duration>,
    pub(crate) warnings: Vec<String>,
    pub(crate) profile: Profile,
}

/// Where a named target is, and what it says of its connection: that wins over libpq's variables.
#[derive(Clone, Debug, Default)]
pub struct Address {
    /// Its URL or `keyword=value` string, and where that is from.
    pub text: Option<(String, String)>,
    /// libpq's settings beside it.
    pub settings: Vec<(&'static str, String)>,
    /// Where these are from.
    pub origin: String,
}

impl ConnectSettings {
    /// Resolves where and how to connect from an explicit URL or `keyword=value` string, if there is one, and the
    /// environment. Reads libpq's service and password files, and nothing else. Fails with
    /// [`ConnectError::Setting`] only.
    pub fn resolve(url: Option<&str>, environment: &Environment) -> Result<Self, ConnectError> {
        let text = match url {
            Some(url) => Some((url, "the database URL")),
            None => environment
                .var("DATABASE_URL")
                .map(|url| (url, "$DATABASE_URL")),
        };
        Self::of(&Values::gather(&[], text, environment)?, environment)
    }

    /// Resolves where and how to connect to a named target. Fails with [`ConnectError::Setting`] only.
    pub fn of_target(address: &Address, environment: &Environment) -> Result<Self, ConnectError> {
        let own = address.settings.iter().map(|(name, value)| {
            let (name, origin) = ((*name).to_owned(), address.origin.clone());
            (name, value.clone(), origin)
        });
        let own: Vec<(String, String, String)> = own.collect();
        let text = address.text.as_ref();
        let text = text.map(|(text, origin)| (text.as_str(), origin.as_str()));
        Self::of(&Values::gather(&own, text, environment)?, environment)
    }

    fn of(values: &Values, environment: &Environment) -> Result<Self, ConnectError> {
        let (user, database) = values.login(environment)?;
        let (passfile, warning) = values.passfile(environment);
        Ok(Self {
            hosts: hosts::hosts(values)?,
            user,
            database,
            password: values.text("password").map(Secret::new),
            passfile,
            application_name: values.text("application_name").map(str::to_owned),
            options: values.text("options").map(str::to_owned),
            tls: values.tls(environment)?,
            channel_binding: values.channel_binding()?,
            session_attrs: values.session_attrs()?,
            keepalives: values.keepalives()?,
            timeout: values.timeout()?,
            warnings: warning.into_iter().collect(),
            profile: Profile::default(),
        })
    }

    /// Returns `user@host:port/database`, hosts separated by commas: what a person needs to know, and no secret.
    pub fn describe(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
        self.describe_at(&hosts.join(","))
    }

    pub(crate) fn describe_at(&self, hosts: &str) -> String {
        format!("{}@{hosts}/{}", self.user, self.database)
    }

    /// Returns the addresses to try, in order.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Returns the role to log in as.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns the database's name.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Returns the options that the server's process starts with.
    pub fn options(&self) -> Option<&str> {
        self.options.as_deref()
    }

    /// Returns what TLS has to do.
    pub fn tls(&self) -> &TlsSettings {
        &self.tls
    }

    /// Returns what the person should know, such as a password file that is ignored.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns these settings for another database of the same server.
    #[must_use]
    pub fn with_database(mut self, database: impl Into<String>) -> Self {
        self.database = database.into();
        // The server stays the pinned one.
        self.profile.pin.database = None;
        self.profile.others.clear();
        self
    }

    /// Returns these settings with what every connection begins with.
    #[must_use]
    pub fn with_profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Returns what every connection begins with.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Returns these settings for another role, without the first one's password.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self.password = None;
        self
    }

    /// Returns these settings with a password that was found elsewhere.
    #[must_use]
    pub fn with_password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// Returns these settings with the name that the server's views show for the session.
    #[must_use]
    pub fn with_application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = Some(name.into());
        self
    }

    /// Returns the password for one address: the one that was given, else the password file's.
    pub(crate) fn password_for(&self, host: &Host) -> Option<&Secret> {
        self.password.as_ref().or_else(|| {
            let name = host.location.passfile_name();
            self.passfile
                .password(&name, host.port, &self.database, &self.user)
        })
    }
}

#[cfg(test)]
mod tests;
