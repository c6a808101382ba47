//! Who answers questions: a person at the terminal, flags given ahead, or a rehearsal.

use std::collections::BTreeMap;
use std::io::Write;

use tokio::sync::oneshot;

use super::prompt::Unseen;
use crate::engine::cancel::Cancel;
use crate::engine::port::{Answer, Question};
use crate::policy::rules::AnsweredBy;

/// How questions are answered.
#[derive(Debug)]
pub struct Answers {
    /// Answers by the name of the question, from `--answer NAME=…` or `--confirm TEXT`.
    pub given: BTreeMap<String, String>,
    /// What answers all others.
    pub otherwise: Otherwise,
    /// Whether there is a person at a terminal.
    pub person: bool,
    /// The flag that answers ahead.
    pub flag: Flag,
    /// Who answers.
    pub actor: String,
}

/// What answers a question for which there is no answer yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// Yes, from `--yes`.
    Yes,
    /// Yes, since nothing lasts of a dry run.
    Rehearsal,
    /// The person at the terminal; nobody where there is none.
    Person,
}

/// The flag that answers a question ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// `--answer NAME=…`.
    Answer,
    /// `--yes`.
    Yes,
    /// `--confirm TEXT`: a yes is not enough.
    Confirm,
}

impl Flag {
    /// Returns the flag as it answers a question.
    fn for_question(self, question: &Question) -> String {
        match (self, &question.typed) {
            (Self::Answer, _) => format!("--answer {}=…", question.name),
            (Self::Confirm, Some(typed)) => format!("--confirm {typed}"),
            (Self::Yes | Self::Confirm, _) => "--yes".to_owned(),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Answer => "--answer",
            Self::Yes => "--yes",
            Self::Confirm => "--confirm",
        }
    }
}

impl Answers {
    /// Answers a question. Whatever is not a clear yes is a no. Where the text to type holds a secret, `hidden` is
    /// what is shown of it, and what is typed is not shown.
    pub async fn answer(
        &self,
        question: &Question,
        hidden: Option<&str>,
        cancel: &Cancel,
    ) -> Answer {
        let mut ignored = None;
        if let Some(given) = self.given.get(&question.name) {
            let by = format!("{} by {}", self.actor, self.flag.word());
            let answer = judge(question, given, &by, hidden.is_some());
            // A no counts from anywhere.
            if question.answered_by < AnsweredBy::Person || !matches!(answer, Answer::Yes(_)) {
                return answer;
            }
            ignored = Some(self.flag.word());
        }
        match self.otherwise {
            Otherwise::Rehearsal => return Answer::Yes("the rehearsal".to_owned()),
            Otherwise::Yes if question.answered_by == AnsweredBy::Flag => {
                return Answer::Yes(format!("{} by --yes", self.actor));
            }
            Otherwise::Yes => ignored = ignored.or(Some("--yes")),
            Otherwise::Person => {}
        }
        if self.person {
            return self.person(question, hidden, cancel).await;
        }
        Answer::Nobody(self.nobody(question, ignored))
    }

    /// Says why nobody can be asked, why the flag that was given is not enough, and what is.
    fn nobody(&self, question: &Question, ignored: Option<&str>) -> String {
        let name = &question.name;
        let with = self.flag.for_question(question);
        match (question.answered_by, ignored) {
            (AnsweredBy::Person, Some(flag)) => format!(
                "{flag} is not enough for `{name}`: the target is protected, and a person answers at a terminal"
            ),
            (AnsweredBy::Person, None) => format!(
                "there is no terminal to ask `{name}` at: the target is protected, run it in a terminal"
            ),
            (by @ (AnsweredBy::Name | AnsweredBy::Others), Some(flag)) => {
                let why = if by == AnsweredBy::Name {
                    "it is about high risk"
                } else {
                    "other people approve it too"
                };
                format!(
                    "{flag} is not enough for `{name}`: {why}; answer it with {with}, or run it in a terminal"
                )
            }
            _ => format!(
                "there is no terminal to ask `{name}` at: answer it with {with}, or run it in a terminal"
            ),
        }
    }

    async fn person(&self, question: &Question, hidden: Option<&str>, cancel: &Cancel) -> Answer {
        let _unseen = hidden.map(|_| Unseen::begin());
        let prompt = match hidden.or(question.typed.as_deref()) {
            Some(typed) => format!("      Type \"{typed}\" to go on: "),
            None => "      Go on? [y/N] ".to_owned(),
        };
        // What was typed before the question was seen is no answer to it.
        let _ = nix::sys::termios::tcflush(std::io::stdin(), nix::sys::termios::FlushArg::TCIFLUSH);
        let mut terminal = std::io::stderr();
        if terminal
            .write_all(prompt.as_bytes())
            .and_then(|()| terminal.flush())
            .is_err()
        {
            return gone_or("the question could not be shown");
        }
        let timeout = async {
            match question.timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        let answer = tokio::select! {
            line = line() => match line {
                Some(line) => {
                    if hidden.is_some() {
                        // The Enter was not shown either.
                        let _ = terminal.write_all(b"\n");
                    }
                    return judge(question, &line, &self.actor, hidden.is_some());
                }
                None => gone_or("the input ended without an answer"),
            },
            () = timeout => Answer::Nobody("nobody answered in time".to_owned()),
            () = cancel.wait() => Answer::Cancelled,
        };
        // The cursor still stands behind the question.
        let _ = terminal.write_all(b"\n");
        answer
    }
}

/// Returns that nobody answered; or that the run is cancelled, where the terminal itself is gone: whoever sat there
/// cannot see what becomes of it any more.
fn gone_or(why: &str) -> Answer {
    match nix::sys::termios::tcgetattr(std::io::stdin()) {
        Ok(_) => Answer::Nobody(why.to_owned()),
        Err(_) => Answer::Cancelled,
    }
}

/// Returns what an answer comes to.
fn judge(question: &Question, answer: &str, by: &str, hidden: bool) -> Answer {
    let answer = answer.trim();
    let yes = match &question.typed {
        Some(typed) => answer == typed.trim(),
        None => matches!(answer.to_lowercase().as_str(), "y" | "yes"),
    };
    if yes {
        Answer::Yes(by.to_owned())
    } else {
        Answer::No {
            by: by.to_owned(),
            why: why(question, answer, hidden),
        }
    }
}

/// Returns why an answer is no yes, unless it is a plain no.
fn why(question: &Question, answer: &str, hidden: bool) -> Option<String> {
    if matches!(answer.to_lowercase().as_str(), "" | "n" | "no") {
        return None;
    }
    if hidden {
        // It may be all of the secret but a letter.
        return Some("what was typed is not the text asked for".to_owned());
    }
    Some(match &question.typed {
        Some(typed) => format!(
            "\"{answer}\" is not the text asked for, \"{}\"",
            typed.trim()
        ),
        None => format!("\"{answer}\" is neither yes nor no"),
    })
}

/// Reads a line on a thread of its own: a read from a terminal cannot be given up, but the thread can.
pub(super) async fn line() -> Option<String> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        // What was typed before the end of the input, without Enter, is no answer.
        let whole = read.is_ok() && line.ends_with('\n');
        // Nobody may be waiting any more.
        let _ = sender.send(whole.then_some(line));
    });
    receiver.await.ok().flatten()
}
