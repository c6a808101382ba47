//! A live connection: every address tried as libpq tries them, with notices and a way to cancel.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_postgres::config::{Config, SslMode as DriverSslMode};
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, CancelToken, Client, Connection, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connect_error::ConnectError;
use super::host::{Host, Location};
use super::settings::{ConnectSettings, SessionAttrs};
use super::tls::SslMode;

/// A session on a server. Dropping the client ends it.
pub struct Connected {
    /// The session.
    pub client: Client,
    /// Cancels what the session is doing.
    pub canceller: Canceller,
    /// What the server says beside its answers: NOTICE and WARNING, and the FATAL that ends the session.
    pub notices: UnboundedReceiver<DbError>,
    /// `user@host:port/database` of the address that answered.
    pub place: String,
}

/// Cancels what a session is doing, from anywhere and as often as wanted.
#[derive(Clone)]
pub struct Canceller {
    token: CancelToken,
    tls: Encryption,
    timeout: Option<Duration>,
    place: String,
}

/// How one attempt treats TLS.
#[derive(Clone)]
enum Encryption {
    Off,
    On(DriverSslMode, MakeRustlsConnect),
}

impl Canceller {
    /// Asks the server to cancel the session's statement, encrypted as the session is. The server does not tell
    /// whether there was one; fails when the server cannot be asked.
    pub async fn cancel(&self) -> Result<(), ConnectError> {
        let asked = async {
            match &self.tls {
                Encryption::Off => self.token.cancel_query(NoTls).await,
                Encryption::On(_, tls) => self.token.cancel_query(tls.clone()).await,
            }
        };
        within(self.timeout, &self.place, asked)
            .await?
            .map_err(|error| ConnectError::from_driver(&self.place, &error))
    }
}

/// Why one attempt failed, and whether another one may do better.
struct Failure {
    error: ConnectError,
    /// The server refuses this way of connecting (`pg_hba.conf`), not the login as such.
    refused_by_rule: bool,
}

impl ConnectSettings {
    /// Connects: addresses in order, each within the connection timeout, until one accepts. A server that answers
    /// and refuses ends the search; one that cannot be reached or is not of the wanted kind does not. Fails with
    /// any [`ConnectError`]. Needs a tokio runtime, on which it leaves the task that speaks with the server.
    pub async fn connect(&self) -> Result<Connected, ConnectError> {
        let passes: &[SessionAttrs] = match self.session_attrs {
            SessionAttrs::PreferStandby => &[SessionAttrs::Standby, SessionAttrs::Any],
            _ => &[self.session_attrs],
        };
        let mut failures = Vec::new();
        for wanted in passes {
            failures.clear();
            for host in &self.hosts {
                match self.connect_host(host, *wanted).await {
                    Ok(connected) => {
                        let begin = self.profile.begin(&connected.client, &connected.place);
                        within(self.timeout, &connected.place, begin).await??;
                        return Ok(connected);
                    }
                    Err(error @ ConnectError::Unreachable { .. }) => {
                        failures.push((host, error));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Err(self.all_failed(failures))
    }

    fn all_failed(&self, mut failures: Vec<(&Host, ConnectError)>) -> ConnectError {
        if failures.len() == 1
            && let Some((_, error)) = failures.pop()
        {
            return error;
        }
        let reasons: Vec<String> = failures
            .iter()
            .map(|(host, error)| format!("{host}: {}", error.reason()))
            .collect();
        ConnectError::unreachable(&self.describe(), reasons.join("; "))
    }

    async fn connect_host(
        &self,
        host: &Host,
        wanted: SessionAttrs,
    ) -> Result<Connected, ConnectError> {
        let place = self.describe_at(&host.to_string());
        let mut last = ConnectError::unreachable(&place, "the name has no address");
        for config in self.configs(host, &place).await? {
            let connected = match self.connect_address(host, &config, &place).await {
                Ok(connected) => connected,
                Err(error @ ConnectError::Unreachable { .. }) => {
                    last = error;
                    continue;
                }
                Err(error) => return Err(error),
            };
            match check_kind(&connected, wanted).await {
                Ok(()) => return Ok(connected),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Returns the driver's settings for each address that a host has.
    async fn configs(&self, host: &Host, place: &str) -> Result<Vec<Config>, ConnectError> {
        let base = self.config(host);
        match &host.location {
            Location::Socket(folder) => {
                let mut config = base;
                config.host_path(folder);
                Ok(vec![config])
            }
            Location::Tcp { name, address } => {
                let addresses = match address {
                    Some(address) => vec![*address],
                    None => self.look_up(name, host.port, place).await?,
                };
                Ok(addresses
                    .into_iter()
                    .map(|address| {
                        let mut config = base.clone();
                        config.host(name).hostaddr(address);
                        config
                    })
                    .collect())
            }
        }
    }

    async fn look_up(
        &self,
        name: &str,
        port: u16,
        place: &str,
    ) -> Result<Vec<IpAddr>, ConnectError> {
        let found = within(self.timeout, place, tokio::net::lookup_host((name, port)))
            .await?
            .map_err(|error| ConnectError::unreachable(place, error.to_string()))?;
        Ok(found.map(|address| address.ip()).collect())
    }

    fn config(&self, host: &Host) -> Config {
        let mut config = Config::new();
        config
            .user(&self.user)
            .dbname(&self.database)
            .port(host.port)
            .channel_binding(self.channel_binding)
            .keepalives(!self.keepalives.disabled);
        if let Some(password) = self.password_for(host) {
            config.password(password.reveal());
        }
        if let Some(name) = &self.application_name {
            config.application_name(name);
        }
        if let Some(options) = &self.options {
            config.options(options);
        }
        if let Some(timeout) = self.timeout {
            config.connect_timeout(timeout);
        }
        if let Some(idle) = self.keepalives.idle {
            config.keepalives_idle(idle);
        }
        if let Some(interval) = self.keepalives.interval {
            config.keepalives_interval(interval);
        }
        if let Some(count) = self.keepalives.count {
            config.keepalives_retries(count);
        }
        if let Some(timeout) = self.keepalives.user_timeout {
            config.tcp_user_timeout(timeout);
        }
        config
    }

    /// Tries one address: with and without TLS, in the order that the mode asks for.
    async fn connect_address(
        &self,
        host: &Host,
        config: &Config,
        place: &str,
    ) -> Result<Connected, ConnectError> {
        let tries = self.encryptions(host, place)?;
        let mut first = None;
        for encryption in tries {
            match self.attempt(config, encryption, place).await {
                Ok(connected) => return Ok(connected),
                Err(failure) => {
                    let is_tls = matches!(failure.error, ConnectError::Tls { .. });
                    let again = failure.refused_by_rule || is_tls;
                    first.get_or_insert(failure.error);
                    if !again {
                        break;
                    }
                }
            }
        }
        Err(first.unwrap_or_else(|| ConnectError::unreachable(place, "nothing was tried")))
    }

    fn encryptions(&self, host: &Host, place: &str) -> Result<Vec<Encryption>, ConnectError> {
        // PostgreSQL has no TLS on sockets, and libpq does not ask for it there whatever the mode.
        if matches!(host.location, Location::Socket(_)) || self.tls.mode == SslMode::Disable {
            return Ok(vec![Encryption::Off]);
        }
        let tls = self
            .tls
            .client_config()
            .map(MakeRustlsConnect::new)
            .map_err(|reason| ConnectError::tls(place, reason))?;
        let prefer = Encryption::On(DriverSslMode::Prefer, tls.clone());
        let require = Encryption::On(DriverSslMode::Require, tls);
        Ok(match self.tls.mode {
            SslMode::Allow => vec![Encryption::Off, require],
            SslMode::Prefer => vec![prefer, Encryption::Off],
            _ => vec![require],
        })
    }

    async fn attempt(
        &self,
        config: &Config,
        encryption: Encryption,
        place: &str,
    ) -> Result<Connected, Failure> {
        let mut config = config.clone();
        let opened = async {
            match &encryption {
                Encryption::Off => {
                    config.ssl_mode(DriverSslMode::Disable);
                    open(&config, NoTls).await
                }
                Encryption::On(mode, tls) => {
                    config.ssl_mode(*mode);
                    open(&config, tls.clone()).await
                }
            }
        };
        let (client, notices) = within(self.timeout, place, opened)
            .await
            .map_err(|error| Failure {
                error,
                refused_by_rule: false,
            })?
            .map_err(|error| Failure {
                refused_by_rule: error.code()
                    == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION),
                error: ConnectError::from_driver(place, &error),
            })?;
        let canceller = Canceller {
            token: client.cancel_token(),
            tls: encryption,
            timeout: self.timeout,
            place: place.to_owned(),
        };
        Ok(Connected {
            client,
            canceller,
            notices,
            place: place.to_owned(),
        })
    }
}

async fn open<T>(
    config: &Config,
    tls: T,
) -> Result<(Client, UnboundedReceiver<DbError>), tokio_postgres::Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await?;
    let (sender, notices) = unbounded_channel();
    tokio::spawn(drive(connection, sender));
    Ok((client, notices))
}

/// Speaks with the server until the session ends, and passes on what it says unasked.
async fn drive<S>(mut connection: Connection<Socket, S>, notices: UnboundedSender<DbError>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    // A closed receiver only means that nobody cares for the notices: the session goes on.
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) => drop(notices.send(notice)),
            Ok(_) => {}
            Err(error) => {
                if let Some(fatal) = error.as_db_error() {
                    drop(notices.send(fatal.clone()));
                }
                break;
            }
        }
    }
}

/// Returns an error unless the server is of the kind that is wanted.
async fn check_kind(connected: &Connected, wanted: SessionAttrs) -> Result<(), ConnectError> {
    if wanted == SessionAttrs::Any {
        return Ok(());
    }
    let place = &connected.place;
    let question = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'";
    let row = connected
        .client
        .query_one(question, &[])
        .await
        .map_err(|error| ConnectError::from_driver(place, &error))?;
    let (is_replica, is_read_only): (bool, bool) = (row.get(0), row.get(1));
    let missing = match wanted {
        SessionAttrs::ReadWrite if is_read_only => "the server does not allow writes",
        SessionAttrs::ReadOnly if !is_read_only => "the server is not read-only",
        SessionAttrs::Primary if is_replica => "the server is a replica",
        SessionAttrs::Standby if !is_replica => "the server is not a replica",
        _ => return Ok(()),
    };
    Err(ConnectError::unreachable(
        place,
        format!("{missing}, as target_session_attrs asks"),
    ))
}

/// Waits for something no longer than the connection timeout.
async fn within<F: Future>(
    timeout: Option<Duration>,
    place: &str,
    future: F,
) -> Result<F::Output, ConnectError> {
    match timeout {
        None => Ok(future.await),
        Some(limit) => tokio::time::timeout(limit, future).await.map_err(|_| {
            let reason = format!("no answer within {} s", limit.as_secs_f64());
            ConnectError::unreachable(place, reason)
        }),
    }
}
