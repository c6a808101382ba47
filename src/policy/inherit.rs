//! A policy as its author wrote it, completed: what a lower risk demands, a higher one demands as well, unless it
//! says its own.

use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::document;
use super::named;
use super::rules::{Approvals, Rule, Rules};
use super::window::Window;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{Span, Spanned};

/// How long others have to approve, where nothing is said.
const EXPIRE_SECONDS: u64 = 4 * 60 * 60;

/// Completes a policy; `place` is where its name stands.
pub(super) fn rules(
    policy: &document::Policy,
    place: Span,
    diagnostics: &mut Vec<Diagnostic>,
) -> Rules {
    let mut below = Written::default();
    let mut complete = |rule: &Option<document::Rule>, diagnostics: &mut Vec<Diagnostic>| {
        if let Some(rule) = rule {
            below.add(rule, place, diagnostics);
        }
        below.rule()
    };
    let rules = [&policy.low, &policy.medium, &policy.high].map(|rule| complete(rule, diagnostics));
    let rows = policy.rows.unwrap_or_default();
    if let (Some(medium), Some(high)) = (rows.medium, rows.high)
        && medium >= high
    {
        let title = format!("more than {high} rows are high risk before {medium} are medium risk");
        diagnostics.push(
            Diagnostic::error("policy", title)
                .at(place, "in `rows` of this policy")
                .help("let `medium` be the lower number"),
        );
    }
    let break_glass = policy.break_glass.as_ref();
    Rules {
        protected: false,
        rules,
        medium_rows: rows.medium,
        high_rows: rows.high,
        break_glass: break_glass.map_or_else(Vec::new, |roles| {
            named::texts("break_glass", &roles.0, place, diagnostics)
        }),
    }
}

/// What the risks so far say.
#[derive(Default)]
struct Written {
    rule: Rule,
    count: Option<u32>,
    by: Vec<String>,
    expire_seconds: Option<u64>,
    asked: bool,
}

impl Written {
    /// Adds what a higher risk says: key by key, also of `approvals`.
    fn add(&mut self, rule: &document::Rule, place: Span, diagnostics: &mut Vec<Diagnostic>) {
        if let Some(roles) = &rule.run {
            self.rule.run = Some(named::texts("run", &roles.0, place, diagnostics));
        }
        if let Some(approvals) = &rule.approvals {
            self.asked = true;
            self.count = approvals.count.or(self.count);
            if let Some(roles) = &approvals.by {
                self.by = named::texts("by", &roles.0, place, diagnostics);
            }
            let seconds = approvals.expire.map(|expire| expire.0.as_secs());
            if seconds == Some(0) {
                diagnostics.push(
                    Diagnostic::error("policy", "approvals that expire at once can never be given")
                        .at(place, "in `expire` of this policy"),
                );
            }
            self.expire_seconds = seconds.or(self.expire_seconds);
        }
        if let Some(windows) = &rule.windows {
            let read = windows.iter().filter_map(|one| window(one, diagnostics));
            self.rule.windows = read.collect();
        }
        if let Some(backup) = rule.backup {
            self.rule.backup = Some(backup.0);
        }
    }

    fn rule(&self) -> Rule {
        let count = self.count.unwrap_or(1);
        Rule {
            approvals: (self.asked && count > 0).then(|| Approvals {
                count,
                by: self.by.clone(),
                expire_seconds: self.expire_seconds.unwrap_or(EXPIRE_SECONDS),
            }),
            ..self.rule.clone()
        }
    }
}

fn window(written: &document::Window, diagnostics: &mut Vec<Diagnostic>) -> Option<Window> {
    let from = time(&written.from, diagnostics);
    let to = time(&written.to, diagnostics);
    let zone = match &written.zone {
        None => Some(TimeZone::UTC),
        Some(name) => zone(name, diagnostics),
    };
    let (from, to, zone) = (from?, to?, zone?);
    if from == to && written.to.value.trim() != "24:00" {
        diagnostics.push(
            Diagnostic::error("window", "a window that ends when it begins")
                .at(written.to.span, "")
                .help("for a whole day write `from: 00:00` and `to: 24:00`"),
        );
        return None;
    }
    Some(Window {
        days: written
            .days
            .as_ref()
            .map_or_else(Vec::new, |days| days.0.clone()),
        from,
        to,
        zone,
    })
}

fn time(text: &Spanned<String>, diagnostics: &mut Vec<Diagnostic>) -> Option<Time> {
    let number = |digits: &str| {
        let is_plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| digits.parse::<i8>().ok()).flatten()
    };
    let parsed = text
        .value
        .trim()
        .split_once(':')
        .and_then(|(hour, minute)| match (number(hour)?, number(minute)?) {
            (24, 0) => Some(Time::midnight()),
            (hour, minute) => Time::new(hour, minute, 0, 0).ok(),
        });
    if parsed.is_none() {
        diagnostics.push(
            Diagnostic::error("window", format!("`{}` is no time of the day", text.value))
                .at(text.span, "")
                .help("write hours and minutes, such as `09:30`"),
        );
    }
    parsed
}

fn zone(name: &Spanned<String>, diagnostics: &mut Vec<Diagnostic>) -> Option<TimeZone> {
    match TimeZone::get(&name.value) {
        Ok(zone) => Some(zone),
        Err(_) => {
            diagnostics.push(
                Diagnostic::error("window", format!("there is no time zone `{}`", name.value))
                    .at(name.span, "")
                    .help(
                        "write a name of the time zone database, such as `Europe/Berlin` or `UTC`",
                    ),
            );
            None
        }
    }
}
