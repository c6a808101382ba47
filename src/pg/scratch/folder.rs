//! The folder of a scratch server: `data`, `log` and the socket.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio_postgres::config::ChannelBinding;

use crate::pg::host::{DEFAULT_PORT, Host, Location};
use crate::pg::passfile::Passfile;
use crate::pg::profile::Profile;
use crate::pg::settings::{ConnectSettings, Keepalives, SessionAttrs};
use crate::pg::tls::{Roots, SslMode, TlsSettings};

use super::account::Account;
use super::{Place, ScratchError, ScratchOptions, memory};

/// The longest path a socket may have: 104 bytes with the final zero on macOS and BSD, 108 on Linux.
const LONGEST_SOCKET: usize = 103;

/// Where scratch servers go when the system's own folder does not suit.
const FALLBACK: &str = "/tmp";

/// A temporary folder, owned by the server's account and closed to all others.
#[derive(Debug)]
pub(super) struct Folder {
    // Kept folders are those whose guard has been disarmed.
    guard: Option<TempDir>,
    path: PathBuf,
    /// The folder for what outlasts it.
    lasting: PathBuf,
    port: u16,
}

impl Folder {
    pub(super) fn create(
        account: &Account,
        options: &ScratchOptions,
    ) -> Result<Self, ScratchError> {
        let (parent, lasting) = match &options.place {
            Place::Folder(parent) => (parent.clone(), parent.clone()),
            Place::Temporary | Place::Memory => {
                let lasting = suitable_parent(account);
                let memory = options.place == Place::Memory && !options.keep && !options.durable;
                let memory = memory.then(memory::folder).flatten();
                (
                    memory.map_or_else(|| lasting.clone(), Path::to_owned),
                    lasting,
                )
            }
        };
        let fail = || ScratchError::system(format!("make a folder in {}", parent.display()));
        let guard = tempfile::Builder::new()
            .prefix("runbook-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(&parent)
            .map_err(fail())?;
        // The server is told the path, and its working directory need not be ours.
        let path = fs::canonicalize(guard.path()).map_err(fail())?;
        if account.is_other {
            chown(
                &path,
                Some(account.uid.as_raw()),
                Some(account.gid.as_raw()),
            )
            .map_err(fail())?;
        }
        let guard = if options.keep {
            let _ = guard.keep();
            None
        } else {
            Some(guard)
        };
        Ok(Self {
            guard,
            path,
            lasting,
            port: port(options),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder for what outlasts it: of the disk.
    pub(super) fn lasting(&self) -> &Path {
        &self.lasting
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    pub(super) fn is_kept(&self) -> bool {
        self.guard.is_none()
    }

    pub(super) fn settings(&self, database: &str) -> ConnectSettings {
        ConnectSettings {
            hosts: vec![Host {
                location: Location::Socket(self.path.clone()),
                port: self.port,
            }],
            user: "postgres".to_owned(),
            database: database.to_owned(),
            password: None,
            passfile: Passfile::default(),
            application_name: None,
            options: None,
            tls: TlsSettings {
                mode: SslMode::Disable,
                roots: Roots::None,
                client: None,
            },
            channel_binding: ChannelBinding::Prefer,
            session_attrs: SessionAttrs::Any,
            keepalives: Keepalives::default(),
            timeout: Some(Duration::from_secs(10)),
            warnings: Vec::new(),
            profile: Profile::default(),
        }
    }

    pub(super) fn url(&self, user: &str, database: &str) -> String {
        let folder = self.path.to_string_lossy();
        let mut url = format!(
            "postgres://{}@/{}?host={}",
            encode(user, ""),
            encode(database, ""),
            encode(&folder, "/")
        );
        if self.port != DEFAULT_PORT {
            // Writing into a String does not fail.
            write!(url, "&port={}", self.port).unwrap_or(());
        }
        url
    }
}

/// Returns the port that the server will have: the socket's name has it too.
fn port(options: &ScratchOptions) -> u16 {
    let given = options
        .settings
        .iter()
        .rev()
        .find(|(name, _)| name == "port");
    given
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(DEFAULT_PORT)
}

/// Returns the system's folder for temporary files if a socket's path in it is short enough and the server's
/// account may pass through to it, else `/tmp`.
fn suitable_parent(account: &Account) -> PathBuf {
    let usual = std::env::temp_dir();
    let longest_name = "/runbook-XXXXXX/.s.PGSQL.5432.lock".len();
    let is_short = usual.as_os_str().len() + longest_name <= LONGEST_SOCKET;
    let is_open = !account.is_other
        || usual.ancestors().all(|folder| {
            fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
        });
    if is_short && is_open && usual.is_absolute() {
        usual
    } else {
        PathBuf::from(FALLBACK)
    }
}

/// Percent-encodes everything but letters, digits, `-._~` and the letters in `also`.
fn encode(text: &str, also: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        let letter = char::from(byte);
        if letter.is_ascii_alphanumeric() || "-._~".contains(letter) || also.contains(letter) {
            encoded.push(letter);
        } else {
            // Writing into a String does not fail.
            write!(encoded, "%{byte:02X}").unwrap_or(());
        }
    }
    encoded
}
