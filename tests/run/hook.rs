//! A web server in the test, to which a run tells how it goes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// What was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// The server.
pub(crate) struct Hook {
    port: u16,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Hook {
    /// Answers each request with this status line and these headers.
    pub(crate) fn answering(answer: &'static str) -> Self {
        Self::new(move |_| answer.to_owned())
    }

    /// Answers each request with what is returned of it, such as `200 OK`.
    pub(crate) fn new(answer: impl Fn(&Sent) -> String + Send + Sync + 'static) -> Self {
        Self::over(answer, |stream, serve| serve(&mut { stream }))
    }

    /// The same over what is made of each connection.
    pub(crate) fn over(
        answer: impl Fn(&Sent) -> String + Send + Sync + 'static,
        wrap: impl Fn(TcpStream, &dyn Fn(&mut dyn Both)) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&sent);
        let (answer, wrap) = (Arc::new(answer), Arc::new(wrap));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, answer, wrap) =
                    (Arc::clone(&kept), Arc::clone(&answer), Arc::clone(&wrap));
                std::thread::spawn(move || {
                    wrap(stream, &|stream| serve(stream, &kept, &*answer));
                });
            }
        });
        Self { port, sent }
    }

    /// Returns an address of it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns what was sent so far.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }
}

pub(crate) trait Both: Read + Write {}

impl<T: Read + Write> Both for T {}

/// Reads one request, and answers it. Who says nothing sensible is not answered.
fn serve(stream: &mut dyn Both, kept: &Mutex<Vec<Sent>>, answer: &dyn Fn(&Sent) -> String) {
    let Some(sent) = read(stream) else {
        return;
    };
    kept.lock().unwrap().push(sent.clone());
    let head = answer(&sent);
    let text = format!("HTTP/1.1 {head}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    let _ = stream
        .write_all(text.as_bytes())
        .and_then(|()| stream.flush());
}

fn read(stream: &mut dyn Both) -> Option<Sent> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    assert_eq!(words.next()?, "POST");
    let path = words.next()?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(count) = header.strip_prefix("content-length:") {
            length = count.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Sent {
        path,
        body: serde_json::from_slice(&body).ok()?,
    })
}
