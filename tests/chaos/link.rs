//! One connection through the proxy.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use crate::frame::{Frame, Framer, Side, Tag};
use crate::moment::{Action, Met};
use crate::proxy::Shared;

/// A client's stream and a server's, with what became of them.
pub(crate) struct Link {
    client: UnixStream,
    server: UnixStream,
    /// The counting that it belongs to.
    round: u64,
    /// Nothing gets through any more, not even an end.
    swallows: AtomicBool,
    /// Whether the client, and the server, was told that nothing more comes.
    closed: [AtomicBool; 2],
    over: AtomicBool,
    /// The server's process, 0 until it has told.
    pid: AtomicI32,
}

impl Link {
    pub(crate) fn new(client: UnixStream, server: UnixStream, round: u64) -> Self {
        Self {
            client,
            server,
            round,
            swallows: AtomicBool::new(false),
            closed: [AtomicBool::new(false), AtomicBool::new(false)],
            over: AtomicBool::new(false),
            pid: AtomicI32::new(0),
        }
    }

    /// Ends the connection for both.
    pub(crate) fn cut(&self) {
        self.over.store(true, Ordering::SeqCst);
        for stream in [&self.client, &self.server] {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Carries what one side says to the other, until it ends.
    pub(crate) fn carry(&self, side: Side, shared: &Shared) {
        let mut framer = Framer::new(side);
        let mut buffer = vec![0; 1 << 16];
        loop {
            // An error is the end of a stream too.
            let count = self.stream(side).read(&mut buffer).unwrap_or(0);
            let Ok(frames) = framer.push(&buffer[..count]) else {
                return self.cut();
            };
            for frame in frames {
                if !self.pass(side, &frame, shared) {
                    return self.cut();
                }
            }
            if count == 0 {
                return self.end(side);
            }
        }
    }

    /// Passes a message on; returns whether the connection goes on.
    fn pass(&self, side: Side, frame: &Frame, shared: &Shared) -> bool {
        match frame.tag {
            Tag::Encryption => return (&self.client).write_all(b"N").is_ok(),
            Tag::Cancel => return self.send(side, frame),
            Tag::Typed(b'K') if side == Side::Server => self.learn(frame),
            _ => {}
        }
        if self.swallows.load(Ordering::SeqCst) {
            return true;
        }
        match shared.meet(self.round, side, frame, self.pid()) {
            None => self.send(side, frame),
            Some(met) => self.suffer(side, frame, &met),
        }
    }

    fn suffer(&self, side: Side, frame: &Frame, met: &Met) -> bool {
        // The other end of a hold is dropped, never used: waiting ends with an error.
        let wait = || met.hold.recv().unwrap_or(());
        match met.action {
            Action::Cut => false,
            Action::CutAfter => {
                self.send(side, frame);
                false
            }
            Action::Delay(time) => {
                std::thread::sleep(time);
                self.send(side, frame)
            }
            Action::Swallow => {
                self.swallows.store(true, Ordering::SeqCst);
                true
            }
            Action::CloseToServer => {
                self.close_to(Side::Server);
                self.send(side, frame)
            }
            Action::CloseToClient => {
                self.close_to(Side::Client);
                self.send(side, frame)
            }
            Action::Hold => {
                wait();
                self.send(side, frame)
            }
            Action::HoldAfter => {
                let sent = self.send(side, frame);
                wait();
                sent
            }
        }
    }

    /// Sends to the other side. What was told that nothing more comes hears nothing more.
    fn send(&self, from: Side, frame: &Frame) -> bool {
        let to = other(from);
        let closed = &self.closed[to as usize];
        if closed.load(Ordering::SeqCst) || self.stream(to).write_all(&frame.bytes).is_ok() {
            return true;
        }
        // A server that has ended may have said why: that is carried to its end before both hear of it.
        closed.store(true, Ordering::SeqCst);
        to == Side::Server
    }

    /// One side has ended: the other one hears of it, unless nothing gets through.
    fn end(&self, side: Side) {
        if self.swallows.load(Ordering::SeqCst) {
            return;
        }
        match side {
            // It may still have asked for something, whose answer nobody will read.
            Side::Client => self.close_to(Side::Server),
            // A server that has ended reads nothing any more.
            Side::Server => self.cut(),
        }
    }

    fn close_to(&self, side: Side) {
        self.closed[side as usize].store(true, Ordering::SeqCst);
        // It may have ended by itself.
        let _ = self.stream(side).shutdown(Shutdown::Write);
    }

    fn stream(&self, side: Side) -> &UnixStream {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    /// Learns the server's process from its key for cancelling.
    fn learn(&self, frame: &Frame) {
        if let Some(pid) = frame.bytes.get(5..9) {
            let pid = i32::from_be_bytes([pid[0], pid[1], pid[2], pid[3]]);
            self.pid.store(pid, Ordering::SeqCst);
        }
    }

    fn pid(&self) -> Option<i32> {
        match self.pid.load(Ordering::SeqCst) {
            0 => None,
            pid => Some(pid),
        }
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}
