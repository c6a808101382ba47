//! What is told: a message, made of the events of a run.

use serde_json::{Map, Value, json};

use super::ending;
use crate::engine::approval::Request;
use crate::engine::change::Changes;
use crate::engine::event::{Event, EventKind, RunFinished, RunStarted, StepResult};
use crate::engine::outcome::Outcome;
use crate::report::changes;
use crate::report::look::Look;
use crate::runbook::notice::Moment;

/// A message, in the form that Slack's web hooks read; other programs read the rest of it.
pub(super) struct Message {
    /// What it is about.
    pub(super) moment: Moment,
    run: String,
    runbook: String,
    target: String,
    fields: Map<String, Value>,
}

impl Message {
    /// Returns its JSON.
    pub(super) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.fields).unwrap_or_default()
    }

    /// Returns what a program finds in its environment.
    pub(super) fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("RUNBOOK_RUN", self.run.clone()),
            ("RUNBOOK_RUNBOOK", self.runbook.clone()),
            ("RUNBOOK_TARGET", self.target.clone()),
            ("RUNBOOK_MOMENT", self.moment.name().to_owned()),
        ]
    }
}

/// What is known of a run so far.
#[derive(Default)]
pub(super) struct Telling {
    started: Option<RunStarted>,
    by: String,
    /// What was committed, by step.
    committed: Vec<(String, Changes)>,
    request: Option<(Box<Request>, String)>,
}

impl Telling {
    /// Returns whether nothing of the run lasts, so that nobody is told.
    pub(super) fn is_dry(&self) -> bool {
        self.started.as_ref().is_none_or(|started| started.dry_run)
    }

    /// Takes an event; returns what there is to tell because of it.
    pub(super) fn take(&mut self, event: &Event) -> Option<Message> {
        match &event.kind {
            EventKind::RunStarted(started) => {
                self.started = Some((**started).clone());
                self.by.clone_from(&started.actor);
                self.message(Moment::Start, "started", None)
            }
            EventKind::RunResumed { actor } => {
                self.by.clone_from(actor);
                self.request = None;
                self.message(Moment::Start, "goes on", None)
            }
            EventKind::BrokeGlass { reason, by, lifted } => {
                self.by.clone_from(by);
                let mut says = format!("because: {reason}");
                if !lifted.is_empty() {
                    says = format!("{says}; without: {}", lifted.join("; "));
                }
                self.message(Moment::BrokeGlass, "breaks the glass", Some(&says))
            }
            EventKind::ApprovalAsked {
                request,
                expires_at,
                ..
            } => {
                // By the second: nobody has less time than that to spare.
                let until = expires_at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
                self.request = Some((request.clone(), until));
                None
            }
            EventKind::StepFinished {
                step,
                result:
                    StepResult::Fix {
                        changes,
                        committed: true,
                        ..
                    },
                ..
            }
            | EventKind::AtomicCommitted { step, changes, .. } => {
                self.committed.push((step.name.clone(), changes.clone()));
                None
            }
            EventKind::RunFinished(finished) => self.finished(finished),
            _ => None,
        }
    }

    /// Returns what there is to tell of a run that ended without a word.
    pub(super) fn cut_short(&self) -> Option<Message> {
        let run = &self.started.as_ref()?.run;
        let says =
            format!("go on with it: runbook resume {run}; or put it back: runbook undo {run}");
        let mut message = self.message(Moment::Failed, "was cut short", Some(&says))?;
        message
            .fields
            .insert("outcome".to_owned(), "cut_short".into());
        Some(message)
    }

    fn finished(&self, finished: &RunFinished) -> Option<Message> {
        let moment = match finished.outcome {
            Outcome::Waiting => Moment::Waiting,
            outcome => ending(matches!(outcome, Outcome::Done | Outcome::Nothing)),
        };
        let changed = self.changed(finished);
        let outcome = match &changed {
            Some(changed) => format!("{}, {changed} changed", finished.outcome),
            None => finished.outcome.to_string(),
        };
        let says = Some(finished.says.trim()).filter(|says| !says.is_empty());
        let mut message = self.message(moment, &outcome, says)?;
        let name = serde_json::to_value(finished.outcome).unwrap_or_default();
        message.fields.insert("outcome".to_owned(), name);
        message.fields.insert(
            "changes".to_owned(),
            changed.map_or(Value::Null, Value::from),
        );
        if let Some((request, until)) = self.request.as_ref().filter(|_| moment == Moment::Waiting)
        {
            self.needs(&mut message, request, until);
        }
        Some(message)
    }

    /// Returns "5 rows of 3 tables": what is committed and was not put back.
    fn changed(&self, finished: &RunFinished) -> Option<String> {
        let mut all = Changes::default();
        let stays = |name: &String| finished.committed.contains(name);
        for (_, changes) in self.committed.iter().filter(|(name, _)| stays(name)) {
            all.append(changes.clone());
        }
        (!finished.committed.is_empty()).then(|| changes::summary(&all))
    }

    /// Says who is to approve, until when, and how.
    fn needs(&self, message: &mut Message, request: &Request, until: &str) {
        let needs = &request.needs;
        let who = if needs.by.is_empty() {
            "other people".to_owned()
        } else {
            format!("members of {}", needs.by.join(", "))
        };
        let mut command = format!("runbook approve {}", request.run);
        if let Some(target) = self.started.as_ref().map(|started| &started.target)
            && is_plain(&target.name)
        {
            command = format!("{command} --target {}", target.name);
        }
        let would = changes::summary(&request.changes);
        message.add(&format!(
            "\n\"{}\" ({would} would change) needs {} of {who} until {until}: {command}",
            request.question, needs.count
        ));
        message.fields.insert(
            "needs".to_owned(),
            json!({
                "approvals": needs.count,
                "by": needs.by,
                "until": until,
                "question": request.question,
                "would_change": would,
                "command": command,
            }),
        );
    }

    fn message(&self, moment: Moment, word: &str, says: Option<&str>) -> Option<Message> {
        let RunStarted {
            run,
            runbook,
            title,
            target,
            ..
        } = self.started.as_ref()?;
        let database = if is_plain(&target.name) {
            target.name.clone()
        } else {
            format!("{} ({})", target.database, target.name)
        };
        let text = format!(
            "{title}: {word}. {runbook} on {database}, run {run}, by {}",
            self.by
        );
        let mut fields = Map::new();
        fields.insert("text".to_owned(), Value::Null);
        for (name, value) in [
            ("run", run),
            ("runbook", runbook),
            ("title", title),
            ("target", &database),
            ("moment", &moment.name().to_owned()),
            ("by", &self.by),
        ] {
            fields.insert(name.to_owned(), value.clone().into());
        }
        fields.insert("says".to_owned(), says.map_or(Value::Null, Value::from));
        let mut message = Message {
            moment,
            run: run.clone(),
            runbook: runbook.clone(),
            target: database,
            fields,
        };
        message.add(&text);
        if let Some(says) = says {
            message.add(&format!("\n{says}"));
        }
        Some(message)
    }
}

impl Message {
    /// Adds to its text. Slack would take `<!channel>` in a value for a call to everybody.
    fn add(&mut self, more: &str) {
        let look = Look {
            colors: false,
            unicode: true,
            width: None,
        };
        let lines: Vec<String> = more
            .split('\n')
            .map(|line| look.line().plain(line).to_string())
            .collect();
        let more = lines.join("\n");
        let more = more
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let before = self.fields.get("text").and_then(Value::as_str);
        let text = format!("{}{more}", before.unwrap_or_default());
        self.fields.insert("text".to_owned(), text.into());
    }
}

/// Returns whether a target's name is one of `runbook.yaml`, and not an address.
fn is_plain(name: &str) -> bool {
    let mut letters = name.chars();
    !name.is_empty()
        && letters.all(|next| next.is_ascii_alphanumeric() || matches!(next, '-' | '_'))
}
