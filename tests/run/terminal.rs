//! A run at a terminal: a person reads what it prints, and types.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::test::Test;

const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Terminal<'a> {
    test: &'a Test,
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl<'a> Terminal<'a> {
    pub(crate) fn new(test: &'a Test, args: &str) -> Self {
        Self::of(test, test.command(args.split_whitespace()))
    }

    /// Runs a command at a terminal.
    pub(crate) fn of(test: &'a Test, mut command: Command) -> Self {
        let size = Winsize {
            ws_row: 50,
            ws_col: 120,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(Some(&size), None).unwrap();
        let end = |fd: &OwnedFd| fd.try_clone().unwrap();
        let child = command
            .env("TERM", "dumb")
            .stdin(end(&pty.slave))
            .stdout(end(&pty.slave))
            .stderr(end(&pty.slave))
            .spawn()
            .unwrap();
        let mut screen = File::from(end(&pty.master));
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The last writer's end is an error on Linux.
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            test,
            child,
            keyboard: File::from(pty.master),
            screen: receiver,
            seen: Vec::new(),
        }
    }

    /// Waits until the screen shows a text.
    #[track_caller]
    pub(crate) fn shows(mut self, text: &str) -> Self {
        let deadline = Instant::now() + PATIENCE;
        while !self.text().contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(more) => self.seen.extend(more),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no `{text}` on the screen:\n{}", self.text())
                }
            }
        }
        self
    }

    /// Types; `\n` is Enter, `\x04` the end of input.
    pub(crate) fn types(mut self, text: &str) -> Self {
        self.keyboard.write_all(text.as_bytes()).unwrap();
        self
    }

    /// Sends Ctrl-C.
    pub(crate) fn interrupts(self) -> Self {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGINT).unwrap();
        self
    }

    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.seen).replace('\r', "");
        self.test.redact(&text)
    }

    /// Waits for the end; returns the exit code and all that the screen has shown.
    #[track_caller]
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        while let Ok(more) = self.screen.recv_timeout(Duration::from_millis(100)) {
            self.seen.extend(more);
        }
        (code, self.text())
    }
}
