//! Between the program and the server: what loses a COMMIT or its answer, leads elsewhere, or pools connections.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::spawn;

/// The name of a server's socket in its folder.
const SOCKET: &str = ".s.PGSQL.5432";

/// What becomes of the next COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The server gets it; the answer is lost, and the connection with it.
    LoseAnswer,
    /// It is lost, and the connection on both sides.
    LoseRequest,
    /// It is lost; the program's connection is cut, and the server does not notice.
    Strand,
    /// The server gets it; the program waits for the answer for ever.
    Hold,
}

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    /// How often the fault happened.
    hits: usize,
    /// The folder of the server that new connections lead to.
    server: PathBuf,
    /// Connections to the server that nobody uses any more.
    stranded: Vec<UnixStream>,
}

/// A server's socket that leads to the server by way of this process.
#[derive(Clone)]
pub(crate) struct Proxy {
    folder: PathBuf,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Opens a socket in a folder that leads to the server with its socket in another.
    pub(crate) fn new(folder: &Path, server: &str) -> Self {
        let proxy = Self::listen(folder, server);
        let (listener, own) = (proxy.1, proxy.0.clone());
        spawn(move || {
            for client in listener.incoming() {
                own.pass(client.unwrap());
            }
        });
        proxy.0
    }

    /// Opens a socket behind which transactions run on another connection than what is between them, as behind
    /// a pooler of transactions.
    pub(crate) fn pooling(folder: &Path, server: &str) -> Self {
        let proxy = Self::listen(folder, server);
        let (listener, own) = (proxy.1, proxy.0.clone());
        spawn(move || {
            for client in listener.incoming() {
                let (client, own) = (client.unwrap(), own.clone());
                spawn(move || own.pool(client));
            }
        });
        proxy.0
    }

    fn listen(folder: &Path, server: &str) -> (Self, UnixListener) {
        let folder = folder.join("proxy");
        std::fs::create_dir(&folder).unwrap();
        let listener = UnixListener::bind(folder.join(SOCKET)).unwrap();
        let state = State {
            server: server.into(),
            ..State::default()
        };
        let proxy = Self {
            folder,
            state: Arc::new(Mutex::new(state)),
        };
        (proxy, listener)
    }

    /// Returns a URL by way of this socket instead of the server's own.
    pub(crate) fn url(&self, url: &str) -> String {
        let server = self.state.lock().unwrap().server.display().to_string();
        assert!(url.contains(&server), "{url}");
        url.replace(&server, &self.folder.display().to_string())
    }

    /// Has something happen to the next COMMIT.
    pub(crate) fn arm(&self, fault: Fault) {
        self.state.lock().unwrap().fault = Some(fault);
    }

    /// Returns how often it happened.
    pub(crate) fn hits(&self) -> usize {
        self.state.lock().unwrap().hits
    }

    /// Has new connections lead to another server.
    pub(crate) fn lead_to(&self, server: &str) {
        self.state.lock().unwrap().server = server.into();
    }

    fn connect(&self) -> UnixStream {
        let folder = self.state.lock().unwrap().server.clone();
        UnixStream::connect(folder.join(SOCKET)).unwrap()
    }

    fn pass(&self, client: UnixStream) {
        let server = self.connect();
        let swallow = Arc::new(Mutex::new(None));
        let (own, up, down) = (
            self.clone(),
            server.try_clone().unwrap(),
            client.try_clone().unwrap(),
        );
        let told = Arc::clone(&swallow);
        spawn(move || own.requests(client, up, &told));
        let own = self.clone();
        spawn(move || own.answers(server, down, &swallow));
    }

    fn requests(
        &self,
        mut client: UnixStream,
        mut server: UnixStream,
        swallow: &Mutex<Option<Fault>>,
    ) {
        if let Some(startup) = body(&mut client) {
            let _ = server.write_all(&startup);
        }
        while let Some(message) = message(&mut client) {
            let fault = if is_commit(&message) {
                self.state.lock().unwrap().fault.take()
            } else {
                None
            };
            if fault.is_some() {
                *swallow.lock().unwrap() = fault;
            }
            match fault {
                Some(Fault::LoseRequest) => break,
                Some(Fault::Strand) => {
                    let mut state = self.state.lock().unwrap();
                    state.stranded.push(server);
                    state.hits += 1;
                    client.shutdown(Shutdown::Both).unwrap();
                    return;
                }
                _ => {}
            }
            if server.write_all(&message).is_err() {
                break;
            }
        }
        if *swallow.lock().unwrap() == Some(Fault::LoseRequest) {
            self.state.lock().unwrap().hits += 1;
        }
        let _ = server.shutdown(Shutdown::Both);
        let _ = client.shutdown(Shutdown::Both);
    }

    fn answers(
        &self,
        mut server: UnixStream,
        mut client: UnixStream,
        swallow: &Mutex<Option<Fault>>,
    ) {
        while let Some(message) = message(&mut server) {
            let fault = *swallow.lock().unwrap();
            match fault {
                None => {
                    if client.write_all(&message).is_err() {
                        break;
                    }
                }
                Some(fault) if message[0] == b'Z' => {
                    self.state.lock().unwrap().hits += 1;
                    if fault == Fault::LoseAnswer {
                        break;
                    }
                }
                Some(_) => {}
            }
        }
        let stranded = *swallow.lock().unwrap() == Some(Fault::Strand);
        if !stranded {
            let _ = server.shutdown(Shutdown::Both);
        }
        let _ = client.shutdown(Shutdown::Both);
    }

    fn pool(&self, mut client: UnixStream) {
        let startup = body(&mut client).unwrap();
        let mut servers = [self.connect(), self.connect()];
        for (index, server) in servers.iter_mut().enumerate() {
            server.write_all(&startup).unwrap();
            let greeting = answer(server).unwrap();
            if index == 0 {
                client.write_all(&greeting).unwrap();
            }
        }
        let mut current = 0;
        while let Some(request) = request(&mut client) {
            if request.starts_with(b"Q") && request[5..].starts_with(b"BEGIN") {
                current = 1;
            }
            servers[current].write_all(&request).unwrap();
            let Some(answer) = answer(&mut servers[current]) else {
                break;
            };
            if answer.last() == Some(&b'I') {
                current = 0;
            }
            if client.write_all(&answer).is_err() {
                break;
            }
        }
    }
}

fn is_commit(message: &[u8]) -> bool {
    message[0] == b'Q' && message.ends_with(b"COMMIT\0")
}

/// Reads a length, and what is so long.
fn body(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
    bytes[..4].copy_from_slice(&length);
    stream.read_exact(&mut bytes[4..]).ok()?;
    Some(bytes)
}

/// Reads a message with its letter.
fn message(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut letter = vec![0];
    stream.read_exact(&mut letter).ok()?;
    letter.extend(body(stream)?);
    Some(letter)
}

/// Reads all that the server answers as one: up to its word that it is ready.
fn request(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let next = message(stream)?;
        let ends = matches!(next[0], b'Q' | b'S' | b'X');
        bytes.extend(next);
        if ends {
            return Some(bytes);
        }
    }
}

fn answer(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let next = message(stream)?;
        let ends = next[0] == b'Z';
        bytes.extend(next);
        if ends {
            return Some(bytes);
        }
    }
}
