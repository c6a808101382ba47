//! Whom to tell how a run goes: `notify:` of a runbook, of a target, or of all targets.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Source, Span as Place, Spanned};
use crate::step::shape::{OneOrMany, Span};
use crate::step::text::Template;

/// Tells a program or a web hook how a run goes. What it tells holds no secret; that it could not tell is
/// reported, and never stops a run.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// What is told (default: waiting, done and failed).
    pub on: Option<OneOrMany<Moment>>,
    /// A program and its arguments; it reads the message as JSON from its standard input.
    pub command: Option<Vec<Template>>,
    /// An address that the message is sent to as JSON, in the form that Slack reads: `https://…`, or `$NAME`, an
    /// environment variable that holds it. Such addresses are secrets: write `$NAME`.
    pub webhook: Option<Spanned<String>>,
    /// How long it may take (default 10s, at most a minute).
    pub timeout: Option<Span>,
}

/// What of a run is told.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// It began.
    Start,
    /// It waits for the approval of other people.
    Waiting,
    /// It came to its good end.
    Done,
    /// It ended otherwise.
    Failed,
    /// Somebody broke the glass: told whether it is listed or not.
    BrokeGlass,
}

/// How long telling may take, where nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A run waits at its end until all are told.
const LONGEST: Duration = Duration::from_mins(1);

/// The moments that are told where nothing is said.
const USUAL: [Moment; 3] = [Moment::Waiting, Moment::Done, Moment::Failed];

/// Words of an address that are as long as this are taken for a secret.
const TOKEN: usize = 16;

impl Notify {
    /// Returns whether it is told of a moment.
    pub fn is_told(&self, moment: Moment) -> bool {
        let listed = self.on.as_ref().map_or(&USUAL[..], |on| on.0.as_slice());
        moment == Moment::BrokeGlass || listed.contains(&moment)
    }

    /// Returns how long it may take.
    pub fn limit(&self) -> Duration {
        self.timeout.map_or(TIMEOUT, |timeout| timeout.0)
    }
}

impl Moment {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::BrokeGlass => "broke_glass",
        }
    }
}

/// Checks whom to tell, and how.
pub fn check(notify: &[Spanned<Notify>], source: &Source, diagnostics: &mut Vec<Diagnostic>) {
    for one in notify {
        let error = |title: &str, place: Place| Diagnostic::error("notify", title).at(place, "");
        match (&one.command, &one.webhook) {
            (None, None) => diagnostics.push(
                error("nobody is told", one.span)
                    .help("give `command: [PROGRAM, ARGUMENT, …]`, or `webhook: $NAME`"),
            ),
            (Some(command), Some(_)) => diagnostics.push(
                error(
                    "`command` and `webhook` together",
                    command.first().map_or(one.span, Template::span),
                )
                .help("make two of them, one for each"),
            ),
            (Some(command), None)
                if command
                    .first()
                    .is_none_or(|name| name.text().trim().is_empty()) =>
            {
                diagnostics.push(error("the command has no program", one.span).help(
                    "give the program and its arguments as a list: `command: [notify-send, runbook]`",
                ));
            }
            (Some(command), None) => {
                let filled = command.iter().filter(|word| word.text().contains("{{"));
                diagnostics.extend(filled.map(|word| {
                    error("nothing is filled in here", word.span()).help(
                        "the program reads what there is to tell as JSON from its standard input, \
                         and RUNBOOK_RUN, RUNBOOK_RUNBOOK, RUNBOOK_TARGET and RUNBOOK_MOMENT are in its environment",
                    )
                }));
            }
            (None, Some(webhook)) => diagnostics.extend(address(webhook, source)),
        }
        if one.limit() > LONGEST || one.limit().is_zero() {
            diagnostics.push(
                error("the time-out is not between 1ms and 1m", one.span)
                    .note("a run waits at its end until all are told"),
            );
        }
    }
}

/// Returns what is wrong with an address. What may be a secret is not shown: a line of it would be.
fn address(webhook: &Spanned<String>, source: &Source) -> Option<Diagnostic> {
    let text = webhook.value.trim();
    if let Some(name) = text.strip_prefix('$') {
        let is_name = !name.is_empty()
            && name
                .chars()
                .all(|next| next.is_ascii_alphanumeric() || next == '_');
        return (!is_name).then(|| {
            Diagnostic::error("notify", "this is no name of an environment variable")
                .at(webhook.span, "")
                .help("write `$NAME`, with letters, digits and `_`")
        });
    }
    if has_token(text) {
        let line = source.position(webhook.span.start).line;
        return Some(
            Diagnostic::error(
                "notify",
                format!(
                    "the address of `webhook` in line {line} of {} holds a secret",
                    source.name()
                ),
            )
            .note("who knows the address can write there; it would be in the record of each run")
            .help("put it into an environment variable, and write `webhook: $NAME`"),
        );
    }
    refusal(text).map(|why| {
        Diagnostic::error("notify", why).at(webhook.span, "").help(
            "write `webhook: $NAME`, an environment variable that holds an `https://` address",
        )
    })
}

/// Returns why nothing is sent to an address, without the address.
pub fn refusal(address: &str) -> Option<&'static str> {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let is_empty = host(address).is_empty() || rest.contains(char::is_whitespace);
    match scheme.to_ascii_lowercase().as_str() {
        "https" | "http" if is_empty => Some("the address has no host"),
        "https" => None,
        "http" if is_local(host(address)) => None,
        "http" => Some("what is sent by `http://` can be read on its way"),
        _ => Some("the address is not one of the web"),
    }
}

/// Returns the host of an address, with its port where there is one: what may be shown of it.
pub fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let host = rest.get(..end).unwrap_or_default();
    host.rsplit_once('@').map_or(host, |(_, host)| host)
}

/// This very machine, of which nobody can read what is sent to itself.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    matches!(name, "localhost" | "127.0.0.1" | "::1")
}

/// Returns whether an address seems to hold a token: a password, a question, or a long word in its path.
fn has_token(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    let is_long =
        |word: &str| word.len() >= TOKEN && word.contains(|next: char| next.is_ascii_digit());
    rest.contains('@') || rest.contains('?') || path.split('/').any(is_long)
}
