//! A run at a terminal: a person reads what it prints, and types.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

use crate::test::Test;

const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Terminal<'a> {
    test: &'a Test,
    child: Child,
    keyboard: Option<File>,
    hung_up: Arc<AtomicBool>,
    screen: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl<'a> Terminal<'a> {
    pub(crate) fn new(test: &'a Test, args: &str) -> Self {
        Self::of(test, test.command(args.split_whitespace()))
    }

    /// A terminal that is the program's own: what it does by itself, such as Ctrl-C and hanging up, is signalled
    /// to the program.
    pub(crate) fn own(test: &'a Test, args: &str) -> Self {
        Self::of(test, Self::leading(&test.command(args.split_whitespace())))
    }

    /// Returns a command whose terminal is its own.
    pub(crate) fn leading(program: &Command) -> Command {
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .arg(program.get_program())
            .args(program.get_args())
            .env_clear();
        for (name, value) in program.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        if let Some(folder) = program.get_current_dir() {
            command.current_dir(folder);
        }
        command
    }

    /// Starts a command at a terminal.
    pub(crate) fn of(test: &'a Test, mut command: Command) -> Self {
        // Not one of the programs that other tests start meanwhile may hold an end of it.
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let slave = File::options()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NOCTTY.bits())
            .open(ptsname_r(&master).unwrap())
            .unwrap();
        let end = || slave.try_clone().unwrap();
        let sized = Command::new("stty")
            .args(["rows", "50", "cols", "120"])
            .stdin(end())
            .status();
        assert!(sized.unwrap().success());
        let master = File::from(OwnedFd::from(master));
        let child = command
            .env("TERM", "dumb")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        // Nobody but the program holds its end any more.
        drop(command);
        drop(slave);
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let hung_up = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = channel();
        let (mut screen, gone) = (master.try_clone().unwrap(), Arc::clone(&hung_up));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while !gone.load(Ordering::Relaxed) {
                match screen.read(&mut buffer) {
                    Ok(count @ 1..) => {
                        if sender.send(buffer[..count].to_vec()).is_err() {
                            return;
                        }
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    // The last writer's end is an error on Linux.
                    _ => return,
                }
            }
        });
        Self {
            test,
            child,
            keyboard: Some(master),
            hung_up,
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
        let keyboard = self.keyboard.as_mut().unwrap();
        keyboard.write_all(text.as_bytes()).unwrap();
        self
    }

    /// Returns whether the terminal shows what is typed.
    pub(crate) fn echoes(&self) -> bool {
        let settings = tcgetattr(self.keyboard.as_ref().unwrap()).unwrap();
        settings.local_flags.contains(LocalFlags::ECHO)
    }

    /// Sends Ctrl-C.
    pub(crate) fn interrupts(self) -> Self {
        self.signals(Signal::SIGINT)
    }

    /// Sends a signal.
    pub(crate) fn signals(self, signal: Signal) -> Self {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
        self
    }

    /// Hangs up, as a closed window or a broken connection does.
    pub(crate) fn hangs_up(mut self) -> Self {
        self.hung_up.store(true, Ordering::Relaxed);
        self.keyboard = None;
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
