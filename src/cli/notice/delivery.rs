//! One delivery of a message, on a thread of its own: to a program, or to a web hook.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use ureq::config::AutoHeaderValue;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::base::words;
use crate::pg::tls::load_system_roots;
use crate::report::secret::Redactor;
use crate::runbook::notice;

/// How often it is looked whether a program is done.
const PAUSE: Duration = Duration::from_millis(10);

/// Where a message goes.
pub(super) enum Address {
    /// To a program and its arguments.
    Program(Vec<String>),
    /// To a web hook; its address is a secret.
    Web(String),
    /// To the address in a variable that is not set.
    Unknown(String),
}

impl Address {
    /// Returns what of it may be shown.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Program(words) => format!("`{}`", words.first().map_or("", String::as_str)),
            Self::Web(address) => match notice::host(address) {
                "" => "the web hook".to_owned(),
                host => host.to_owned(),
            },
            Self::Unknown(name) => format!("${name}"),
        }
    }
}

/// A message on its way.
pub(super) struct Delivery {
    pub(super) address: Address,
    pub(super) body: Vec<u8>,
    pub(super) variables: [(&'static str, String); 4],
    pub(super) hidden: Vec<OsString>,
    pub(super) folder: PathBuf,
    pub(super) limit: Duration,
}

impl Delivery {
    /// Delivers it; returns why not.
    pub(super) fn deliver(&self) -> Result<(), String> {
        match &self.address {
            Address::Program(words) => self.run(words),
            Address::Web(address) => {
                let came = self.post(address);
                // Whatever a library says of it: the address stays a secret, and each part of its path.
                let (_, path) = address.split_once("://").unwrap_or(("", address));
                let parts = path.split(['/', '?', '&', '=', '@']).skip(1);
                let parts = parts.filter(|part| part.len() > 3).map(str::to_owned);
                let redactor = Redactor::new(std::iter::once(address.clone()).chain(parts));
                came.map_err(|why| redactor.mask(&why))
            }
            Address::Unknown(_) => Err("the environment variable is not set".to_owned()),
        }
    }

    fn post(&self, address: &str) -> Result<(), String> {
        if let Some(why) = notice::refusal(address) {
            return Err(why.to_owned());
        }
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(self.limit))
            // Another host is none of those that are to be told.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(AutoHeaderValue::Provided(Arc::new(format!(
                "runbook/{}",
                env!("CARGO_PKG_VERSION")
            ))));
        if address
            .get(..5)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
        {
            config = config.tls_config(tls()?);
        }
        let agent = config.build().new_agent();
        let sent = agent
            .post(address)
            .header("Content-Type", "application/json")
            .send(&self.body[..]);
        match sent {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) if answer.status().is_redirection() => Err(format!(
                "it answers {}, and points elsewhere, where nothing is sent",
                answer.status().as_u16()
            )),
            Ok(answer) => Err(format!("it answers {}", answer.status())),
            Err(error) => Err(self.why(&error)),
        }
    }

    fn why(&self, error: &ureq::Error) -> String {
        match error {
            ureq::Error::Timeout(_) => self.late(),
            ureq::Error::HostNotFound => "there is no such host".to_owned(),
            ureq::Error::ConnectionFailed => "it cannot be connected".to_owned(),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                "the address is not one of the web".to_owned()
            }
            ureq::Error::Io(error) => words::io(error),
            error => error.to_string(),
        }
    }

    fn late(&self) -> String {
        format!("it took longer than {} ms", self.limit.as_millis())
    }

    fn run(&self, words: &[String]) -> Result<(), String> {
        let Some((name, arguments)) = words.split_first() else {
            return Err("the command has no program".to_owned());
        };
        let until = Instant::now() + self.limit;
        let mut command = Command::new(name);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C at the terminal is for the run; and a program that takes too long is ended with those it started.
            .process_group(0);
        for name in &self.hidden {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let mut child = command.spawn().map_err(|error| words::io(&error))?;
        if let Some(mut input) = child.stdin.take() {
            let body = self.body.clone();
            // A program that does not read must not keep the run waiting; that it does not is no failure.
            std::thread::spawn(move || drop(input.write_all(&body)));
        }
        let ended = self.wait(&mut child, until);
        if ended.is_err() {
            let group = i32::try_from(child.id()).map(Pid::from_raw);
            let _ = group.map(|group| killpg(group, Signal::SIGKILL));
            let _ = child.wait();
        }
        ended
    }

    fn wait(&self, child: &mut Child, until: Instant) -> Result<(), String> {
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => {
                    return Err(match status.code() {
                        Some(code) => format!("it ended with exit code {code}"),
                        None => "a signal ended it".to_owned(),
                    });
                }
                Ok(None) if Instant::now() >= until => return Err(self.late()),
                Ok(None) => std::thread::sleep(PAUSE),
                Err(error) => return Err(words::io(&error)),
            }
        }
    }
}

/// Trusts whom the system trusts, or the file that `SSL_CERT_FILE` names.
fn tls() -> Result<TlsConfig, String> {
    let roots = load_system_roots()?;
    let roots: Vec<Certificate<'static>> = roots
        .iter()
        .map(|root| Certificate::from_der(root.as_ref()).to_owned())
        .collect();
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}
