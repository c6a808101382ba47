//! A proxy between a client and a PostgreSQL server that does harm at a chosen message.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use tempfile::TempDir;

use crate::frame::{Frame, Side};
use crate::link::Link;
use crate::moment::{Action, Armed, Fired, Met, Moment, Seen};

/// The name of the socket that PostgreSQL's clients look for in a folder.
const SOCKET: &str = ".s.PGSQL.5432";

/// A socket in front of a server's; its threads live as long as the process.
pub(crate) struct Proxy {
    folder: TempDir,
    shared: Arc<Shared>,
}

/// What all connections of a proxy know.
#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How often it has counted from the beginning. Connections of before are not counted any more.
    round: u64,
    armed: Option<Armed>,
    seen: Vec<Seen>,
    /// How many messages the client and the server have said.
    counts: [usize; 2],
    links: Vec<Arc<Link>>,
    refuses: bool,
}

impl Proxy {
    /// Listens in front of the server whose socket is in a folder.
    pub(crate) fn new(server: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let shared = Arc::new(Shared::default());
        let (known, server) = (Arc::clone(&shared), server.join(SOCKET));
        thread::spawn(move || accept(&listener, &server, &known));
        Self { folder, shared }
    }

    /// Returns the folder of its socket.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the URL of a database behind it.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@/{database}?host={}",
            self.folder.path().display()
        )
    }

    /// Counts from the beginning, and does no harm.
    pub(crate) fn clear(&self) {
        let mut state = self.shared.lock();
        state.round += 1;
        state.armed = None;
        state.seen.clear();
        state.counts = [0, 0];
    }

    /// Counts from the beginning, and does this once at this moment. The receiver hears when it is.
    pub(crate) fn arm(&self, moment: Moment, action: Action) -> Receiver<Fired> {
        self.clear();
        let (tell, fired) = channel();
        self.shared.lock().armed = Some(Armed {
            moment,
            action,
            counted: 0,
            tell,
        });
        fired
    }

    /// Returns the messages since it last counted from the beginning.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// Says whether new connections are turned away.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.shared.lock().refuses = refuses;
    }

    /// Ends all connections, those too of which one side does not know yet that the other has gone.
    pub(crate) fn release(&self) {
        for link in self.shared.lock().links.drain(..) {
            link.cut();
        }
    }
}

impl Shared {
    /// A thread that failed has said so, and the others go on.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Counts a message, and returns what it is to meet.
    pub(crate) fn meet(
        &self,
        round: u64,
        side: Side,
        frame: &Frame,
        pid: Option<i32>,
    ) -> Option<Met> {
        let mut state = self.lock();
        if state.round != round {
            return None;
        }
        let count = &mut state.counts[side as usize];
        *count += 1;
        let seen = Seen {
            side,
            nth: *count,
            tag: frame.tag,
            commit: frame.says("COMMIT"),
        };
        state.seen.push(seen);
        let armed = state.armed.as_mut()?;
        if !armed.moment.counts(side, frame) {
            return None;
        }
        armed.counted += 1;
        if armed.counted < armed.moment.nth {
            return None;
        }
        let armed = state.armed.take()?;
        let (holder, hold) = channel();
        // Nobody listens where only the connection matters.
        let _ = armed.tell.send(Fired {
            seen,
            pid,
            _hold: holder,
        });
        Some(Met {
            action: armed.action,
            hold,
        })
    }
}

fn accept(listener: &UnixListener, server: &PathBuf, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        let Ok(client) = client else { continue };
        if shared.lock().refuses {
            continue;
        }
        // While the server is down, its clients are turned away.
        let Ok(server) = UnixStream::connect(server) else {
            continue;
        };
        let mut state = shared.lock();
        let link = Arc::new(Link::new(client, server, state.round));
        state.links.retain(|link| !link.is_over());
        state.links.push(Arc::clone(&link));
        drop(state);
        for side in [Side::Client, Side::Server] {
            let (link, shared) = (Arc::clone(&link), Arc::clone(shared));
            thread::spawn(move || link.carry(side, &shared));
        }
    }
}
