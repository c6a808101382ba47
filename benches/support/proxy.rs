//! A proxy that counts round trips: how often the client speaks after the server did.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// The name of the socket that PostgreSQL's clients look for in a folder.
const SOCKET: &str = ".s.PGSQL.5432";

/// A socket in front of a server's; it lives as long as the process.
pub(crate) struct Proxy {
    folder: tempfile::TempDir,
    trips: Arc<AtomicU64>,
}

impl Proxy {
    /// Listens in front of the server whose socket is in a folder.
    pub(crate) fn new(server: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let listener = UnixListener::bind(folder.path().join(SOCKET)).expect("a socket");
        let trips = Arc::new(AtomicU64::new(0));
        let (counted, server) = (Arc::clone(&trips), server.join(SOCKET));
        thread::spawn(move || accept(&listener, &server, &counted));
        Self { folder, trips }
    }

    /// Returns the URL of a database behind it.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@/{database}?host={}",
            self.folder.path().display()
        )
    }

    /// Returns the round trips since the last time.
    pub(crate) fn trips(&self) -> u64 {
        self.trips.swap(0, Ordering::Relaxed)
    }
}

fn accept(listener: &UnixListener, server: &PathBuf, trips: &Arc<AtomicU64>) {
    for client in listener.incoming() {
        let client = client.expect("a client");
        let server = UnixStream::connect(server).expect("the server");
        let (from_server, to_client) = (server.try_clone(), client.try_clone());
        let answered = Arc::new(AtomicBool::new(true));
        let (asks, answers) = (Arc::clone(&answered), answered);
        let trips = Arc::clone(trips);
        thread::spawn(move || {
            forward(client, server, || {
                if asks.swap(false, Ordering::Relaxed) {
                    trips.fetch_add(1, Ordering::Relaxed);
                }
            });
        });
        thread::spawn(move || {
            let (from, to) = (
                from_server.expect("the server"),
                to_client.expect("the client"),
            );
            forward(from, to, || answers.store(true, Ordering::Relaxed));
        });
    }
}

/// Copies what one side says to the other until it ends; `seen` hears of each piece before it goes on.
fn forward(mut from: UnixStream, mut to: UnixStream, seen: impl Fn()) {
    let mut buffer = [0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        seen();
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The other side may be gone already.
    let _ = to.shutdown(Shutdown::Both);
}
