//! One address of a server.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

/// PostgreSQL's own port, for TCP and in the name of a socket.
pub const DEFAULT_PORT: u16 = 5432;

/// Where sockets are when nothing says otherwise: Debian's and Red Hat's folder, then PostgreSQL's own.
pub const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// One address to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The machine or the socket's folder.
    pub location: Location,
    /// The TCP port, or the number in the socket's name.
    pub port: u16,
}

/// A machine, or a folder on this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A machine on the network.
    Tcp {
        /// Its name, which its certificate must bear; an address when no name was given.
        name: String,
        /// Its address, when it is not to be looked up.
        address: Option<IpAddr>,
    },
    /// The folder of a Unix-domain socket.
    Socket(PathBuf),
}

impl Location {
    /// Returns the location that libpq's `host` means: a path is a socket's folder, anything else a machine.
    pub fn parse(host: &str) -> Self {
        if host.starts_with('/') {
            Self::Socket(PathBuf::from(host))
        } else {
            Self::Tcp {
                name: host.to_owned(),
                address: None,
            }
        }
    }

    /// Returns the name that a line of a password file has to bear. libpq's default socket is `localhost` there.
    pub fn passfile_name(&self) -> String {
        match self {
            Self::Tcp { name, .. } => name.clone(),
            Self::Socket(folder)
                if SOCKET_FOLDERS
                    .iter()
                    .any(|default| folder == Path::new(default)) =>
            {
                "localhost".to_owned()
            }
            Self::Socket(folder) => folder.display().to_string(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Location::Tcp { name, .. } if name.parse::<Ipv6Addr>().is_ok() => {
                write!(f, "[{name}]:{}", self.port)
            }
            Location::Tcp { name, .. } => write!(f, "{name}:{}", self.port),
            Location::Socket(folder) => write!(f, "{}:{}", folder.display(), self.port),
        }
    }
}
