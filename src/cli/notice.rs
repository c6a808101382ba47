//! Tells programs and web hooks how a run goes. It is a listener around the others: what it is told is masked
//! already, and what it cannot deliver is reported and changes nothing.

mod delivery;
mod message;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use delivery::{Address, Delivery};
use message::{Message, Telling};

use super::error::CliError;
use super::{Context, connection, program};
use crate::engine::backup::Progressing;
use crate::engine::event::{Event, EventKind, Sink};
use crate::pg::settings::ConnectSettings;
use crate::runbook::notice::{Moment, Notify};

/// Beyond its own time-out, a delivery has this long to be given up.
const SLACK: Duration = Duration::from_secs(1);

/// Whom a run tells.
pub(super) struct Notices {
    notify: Vec<Notify>,
    folder: PathBuf,
    /// The variables that programs do not see, since they hold secrets.
    hidden: Vec<OsString>,
    /// Those that hold addresses.
    variables: Vec<(String, String)>,
    warn: Box<dyn Fn(&str)>,
}

impl Notices {
    /// Gathers whom to tell, and what that needs: `own` are those of the runbook, before those of the target.
    ///
    /// # Errors
    /// `runbook.yaml` cannot be used.
    pub(super) fn new(
        context: &Context<'_>,
        own: &[Notify],
        settings: &ConnectSettings,
    ) -> Result<Self, CliError> {
        let target = connection::target(context)?;
        let of_target = target.iter().flat_map(|(target, _)| &target.notify);
        let notify: Vec<Notify> = own.iter().chain(of_target).cloned().collect();
        let environment = &context.invocation.environment;
        let names = notify.iter().filter_map(|one| {
            let webhook = one.webhook.as_ref()?;
            Some(webhook.value.trim().strip_prefix('$')?.to_owned())
        });
        let variables: Vec<(String, String)> = names
            .filter_map(|name| Some((name.clone(), environment.var(&name)?.to_owned())))
            .collect();
        let mut hidden = program::secret_variables(settings);
        hidden.extend(variables.iter().map(|(name, _)| name.into()));
        Ok(Self {
            notify,
            folder: context.invocation.folder.clone(),
            hidden,
            variables,
            warn: context.invocation.warner(),
        })
    }

    /// Returns a listener that passes all on, and tells these; `before` is what the run told in earlier processes.
    pub(super) fn around(self, before: &[Event], sink: Box<dyn Sink>) -> Box<dyn Sink> {
        if self.notify.is_empty() {
            return sink;
        }
        let mut telling = Telling::default();
        for event in before {
            let _ = telling.take(event);
        }
        let (sender, receiver) = channel();
        Box::new(Notifier {
            notices: self,
            telling,
            sink,
            under_way: Vec::new(),
            sender,
            receiver,
            open: false,
        })
    }
}

/// What became of a delivery: its number, and why it failed.
type Came = (usize, Result<(), String>);

struct Notifier {
    notices: Notices,
    telling: Telling,
    sink: Box<dyn Sink>,
    /// Until when each delivery may take, and to whom it goes; nothing once it is known what became of it.
    under_way: Vec<Option<(Instant, String)>>,
    sender: Sender<Came>,
    receiver: Receiver<Came>,
    /// Whether the run has begun and not said how it ended.
    open: bool,
}

impl Notifier {
    /// Begins to tell everybody who wants to hear of it, all at the same time.
    fn tell(&mut self, message: &Message) {
        if self.telling.is_dry() {
            return;
        }
        for notify in &self.notices.notify {
            if !notify.is_told(message.moment) {
                continue;
            }
            let limit = notify.limit();
            let delivery = Delivery {
                address: self.address(notify),
                body: message.json(),
                variables: message.variables(),
                hidden: self.notices.hidden.clone(),
                folder: self.notices.folder.clone(),
                limit,
            };
            let number = self.under_way.len();
            let until = Instant::now() + limit + SLACK;
            self.under_way.push(Some((until, delivery.address.shown())));
            let sender = self.sender.clone();
            // Nobody listens any more where it was given up.
            std::thread::spawn(move || drop(sender.send((number, delivery.deliver()))));
        }
    }

    fn address(&self, notify: &Notify) -> Address {
        if let Some(command) = &notify.command {
            return Address::Program(command.iter().map(|word| word.text().to_owned()).collect());
        }
        let text = notify
            .webhook
            .as_ref()
            .map_or("", |webhook| webhook.value.trim());
        match text.strip_prefix('$') {
            None => Address::Web(text.to_owned()),
            Some(name) => {
                let mut known = self.notices.variables.iter();
                match known.find(|(known, _)| known == name) {
                    Some((_, address)) => Address::Web(address.trim().to_owned()),
                    None => Address::Unknown(name.to_owned()),
                }
            }
        }
    }

    /// Waits until all is delivered, or given up.
    fn wait(&mut self) {
        while let Some(until) = self
            .under_way
            .iter()
            .flatten()
            .map(|(until, _)| *until)
            .min()
        {
            let left = until.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok((number, came)) => {
                    let to = self.under_way.get_mut(number).and_then(Option::take);
                    if let (Some((_, shown)), Err(why)) = (to, came) {
                        self.warn(&shown, &why);
                    }
                }
                Err(_) => self.give_up(),
            }
        }
    }

    /// Gives up what took too long in spite of its time-out.
    fn give_up(&mut self) {
        let now = Instant::now();
        let late = |one: &mut Option<(Instant, String)>| one.take_if(|(until, _)| *until <= now);
        let late: Vec<_> = self.under_way.iter_mut().filter_map(late).collect();
        for (_, shown) in late {
            self.warn(&shown, "it took too long");
        }
    }

    fn warn(&self, shown: &str, why: &str) {
        (self.notices.warn)(&format!("warning: could not tell {shown} of it: {why}\n"));
    }
}

impl Sink for Notifier {
    fn take(&mut self, event: &Event) -> std::io::Result<()> {
        let message = self.telling.take(event);
        self.open = match event.kind {
            EventKind::RunStarted(_) | EventKind::RunResumed { .. } => true,
            EventKind::RunFinished(_) => false,
            _ => self.open,
        };
        let taken = self.sink.take(event);
        if let Some(message) = &message {
            self.tell(message);
        }
        if matches!(event.kind, EventKind::RunFinished(_)) {
            self.wait();
        }
        taken
    }

    fn progress(&mut self, progressing: &Progressing) {
        self.sink.progress(progressing);
    }
}

impl Drop for Notifier {
    /// A run that was cut short did not come to its good end either.
    fn drop(&mut self) {
        if self.open
            && let Some(message) = self.telling.cut_short()
        {
            self.tell(&message);
        }
        self.wait();
    }
}

/// Returns whether a moment is one that ends a run well.
fn ending(is_good: bool) -> Moment {
    if is_good {
        Moment::Done
    } else {
        Moment::Failed
    }
}
