//! A private PostgreSQL server in a temporary folder: reached by a socket only, and gone when dropped.
//!
//! It is fast rather than safe unless asked to be [`durable`](ScratchOptions::durable). Nothing of it outlives this
//! process, kill -9 included: a watchdog process holds the other end of a pipe, see `watchdog`.

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::binaries::Binaries;
use super::connect_error::ConnectError;
use super::environment::Environment;
use super::settings::ConnectSettings;

mod account;
mod cluster;
mod folder;
mod memory;
mod processes;
mod watchdog;

use account::Account;
use folder::Folder;
use watchdog::Watchdog;

/// How long a server may take to start, to crash-recover or to stop.
const PATIENCE: Duration = Duration::from_mins(1);

/// Why there is no scratch server.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// PostgreSQL's server programs are not installed.
    #[error(
        "no PostgreSQL server programs: `postgres` and `initdb` are neither on $PATH nor where packages put them\n  \
         = help: install them with `make postgres`, `apt-get install postgresql`, \
         `dnf install postgresql-server` or `brew install postgresql@17`"
    )]
    NoPostgres,
    /// There is no account to run the server as: root may not.
    #[error(
        "PostgreSQL refuses to run as root, and there is neither an account `postgres` nor `nobody`\n  \
         = help: run this as another user"
    )]
    NoAccount,
    /// A folder, file or process could not be had.
    #[error("scratch PostgreSQL: cannot {what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A PostgreSQL program failed.
    #[error("scratch PostgreSQL: {program} failed ({status}):\n{output}")]
    Program {
        /// Its name.
        program: &'static str,
        /// How it ended.
        status: String,
        /// The end of what it wrote.
        output: String,
    },
    /// The server does not accept connections.
    #[error("scratch PostgreSQL: {0}")]
    Connect(#[from] ConnectError),
    /// The server refused a statement.
    #[error("scratch PostgreSQL: {0}")]
    Statement(String),
}

impl ScratchError {
    fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }

    fn program(program: &'static str, status: ExitStatus, output: &str) -> Self {
        let status = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "no exit code".to_owned(),
        };
        let lines: Vec<&str> = output.lines().collect();
        let tail = &lines[lines.len().saturating_sub(20)..];
        Self::Program {
            program,
            status,
            output: tail.join("\n"),
        }
    }
}

/// How a scratch server is to be.
#[derive(Clone, Debug, Default)]
pub struct ScratchOptions {
    /// Whether commits survive a crash of the server: for tests that crash it.
    pub durable: bool,
    /// Further lines of postgresql.conf, name and value; they win over our own.
    pub settings: Vec<(String, String)>,
    /// Whether the folder stays after the server has stopped.
    pub keep: bool,
    /// Whether `initdb` runs for this very server. Else a copy of an earlier `initdb` is used, which takes a tenth
    /// of the time, and gives servers that share one system identifier.
    pub fresh: bool,
    /// Whether its files may be in memory, where there is plenty.
    pub in_memory: bool,
    /// The folder to put it in; by default the system's folder for temporary files.
    pub parent: Option<PathBuf>,
}

/// A running private server, its superuser `postgres`. Dropping it stops it and removes its folder.
#[derive(Debug)]
pub struct Scratch {
    binaries: Binaries,
    account: Account,
    server: Option<Child>,
    // Declared before the folder, so that it is told to stand down before the folder goes.
    watchdog: Watchdog,
    folder: Folder,
}

impl Scratch {
    /// Makes and starts a server, and returns once it accepts connections. Fails with any [`ScratchError`].
    pub async fn start(binaries: &Binaries, options: ScratchOptions) -> Result<Self, ScratchError> {
        let account = Account::for_server()?;
        let binaries = binaries.clone();
        // initdb and copying block for up to a second: not on the runtime's own thread.
        let prepared = tokio::task::spawn_blocking(move || {
            let folder = Folder::create(&account, &options)?;
            let watchdog = Watchdog::start(folder.path(), options.keep)
                .map_err(ScratchError::system("start its watchdog"))?;
            cluster::create(&binaries, &account, &folder, &options)?;
            Ok::<_, ScratchError>(Self {
                binaries,
                account,
                server: None,
                watchdog,
                folder,
            })
        });
        let mut scratch = prepared.await.map_err(|error| {
            ScratchError::system("prepare its folder")(io::Error::other(error))
        })??;
        scratch.run().await?;
        Ok(scratch)
    }

    /// Returns how to connect to one of its databases.
    pub fn settings(&self, database: &str) -> ConnectSettings {
        self.folder.settings(database)
    }

    /// Returns the URL of one of its databases, as `--database-url` and psql take it.
    pub fn url(&self, database: &str) -> String {
        self.folder.url("postgres", database)
    }

    /// Returns the URL of one of its databases for another login.
    pub fn url_for(&self, user: &str, database: &str) -> String {
        self.folder.url(user, database)
    }

    /// Returns its folder: the socket's, with `data` and `log` in it.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the folder with the cluster and its configuration files.
    pub fn data(&self) -> PathBuf {
        self.folder.data()
    }

    /// Returns what the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.log()).unwrap_or_default()
    }

    /// Returns the server's process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Child::id)
    }

    /// Creates a database as a copy of `template`, or of PostgreSQL's own. Fails when the server refuses.
    pub async fn create_database(
        &self,
        name: &str,
        template: Option<&str>,
    ) -> Result<(), ScratchError> {
        let template = template.unwrap_or("template1");
        // FILE_COPY, the only way before PostgreSQL 15, would be quicker for large templates only.
        let statement = format!(
            "CREATE DATABASE {} TEMPLATE {}",
            identifier(name),
            identifier(template)
        );
        let connected = self.settings("postgres").connect().await?;
        connected
            .client
            .execute(&statement, &[])
            .await
            .map(|_| ())
            .map_err(|error| {
                let words = error.as_db_error().map(ToString::to_string);
                ScratchError::Statement(words.unwrap_or_else(|| error.to_string()))
            })
    }

    /// Stops the server and removes its folder, unless it is to be kept. Fails when it does not stop.
    pub fn stop(mut self) -> Result<(), ScratchError> {
        let signal = if self.folder.is_kept() {
            // A kept folder is worth a shutdown checkpoint.
            Signal::SIGINT
        } else {
            Signal::SIGQUIT
        };
        self.end(signal)
            .map_err(ScratchError::system("stop the server"))
    }

    /// Kills the server and all its sessions at once, as kill -9 and the kernel's out-of-memory killer do.
    /// [`restart`](Self::restart) recovers what was committed, if the server is durable.
    pub fn crash(&mut self) -> Result<(), ScratchError> {
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        processes::kill_tree(server.id());
        server
            .wait()
            .map(|_| ())
            .map_err(ScratchError::system("wait for the crashed server"))
    }

    /// Starts the server again, after a crash or, with a fast shutdown first, while it runs. Returns once it accepts
    /// connections.
    pub async fn restart(&mut self) -> Result<(), ScratchError> {
        self.end(Signal::SIGINT)
            .map_err(ScratchError::system("stop the server"))?;
        self.run().await
    }

    async fn run(&mut self) -> Result<(), ScratchError> {
        let server = cluster::spawn(&self.binaries, &self.account, &self.folder)?;
        self.server = Some(server);
        let settings = self.settings("postgres");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Err(error) = settings.connect().await else {
                return Ok(());
            };
            let ended = match &mut self.server {
                Some(server) => server
                    .try_wait()
                    .map_err(ScratchError::system("watch the server"))?,
                None => None,
            };
            if let Some(status) = ended {
                self.server = None;
                return Err(ScratchError::program("postgres", status, &self.log()));
            }
            if Instant::now() > deadline {
                return Err(error.into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops the server with a signal, by force if it takes too long.
    fn end(&mut self, signal: Signal) -> io::Result<()> {
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        let deadline = Instant::now() + PATIENCE;
        if let Ok(pid) = i32::try_from(server.id()) {
            // It may have died by itself: then waiting below finds it.
            kill(Pid::from_raw(pid), signal).unwrap_or(());
        }
        while server.try_wait()?.is_none() {
            if Instant::now() > deadline {
                processes::kill_tree(server.id());
                server.wait()?;
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A server that cannot be stopped is the watchdog's: it is told to stand down only once the server is gone.
        if self.end(Signal::SIGQUIT).is_ok() {
            self.watchdog.dismiss();
        }
    }
}

/// Finds PostgreSQL and starts a scratch server with it: the two steps that nearly every caller wants at once.
pub async fn start(
    environment: &Environment,
    options: ScratchOptions,
) -> Result<Scratch, ScratchError> {
    Scratch::start(&Binaries::find(environment)?, options).await
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
