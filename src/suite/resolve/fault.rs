//! What can be wrong with a fault: when it comes, and what it does.

use super::Checker;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::step::text::Name;
use crate::suite::document::Fault;

impl Checker<'_> {
    /// Checks a fault; `case` is the place of its case, for want of one of its own.
    pub(super) fn fault(&mut self, fault: &Fault, path: Option<&[Name]>, case: Span) {
        let moments: Vec<(&str, &Name)> = [
            ("before", &fault.before),
            ("during", &fault.during),
            ("after", &fault.after),
        ]
        .into_iter()
        .filter_map(|(word, name)| Some((word, name.as_ref()?)))
        .collect();
        match moments.as_slice() {
            [(_, name)] => self.moment(name, path),
            [] => self.wrong(
                acts(fault).unwrap_or(case),
                "a fault without a moment",
                "say when: `before`, `during` or `after` a step",
            ),
            [(a, first), (b, second), ..] => {
                let title = format!("a fault comes at one moment, not both `{a}` and `{b}`");
                self.diagnostics.push(
                    Diagnostic::error("contract", title)
                        .at(first.span(), "")
                        .at(second.span(), "")
                        .help("make two faults of it"),
                );
            }
        }
        let at = moments
            .first()
            .map_or_else(|| acts(fault).unwrap_or(case), |(_, name)| name.span());
        self.what(fault, at);
    }

    fn moment(&mut self, name: &Name, path: Option<&[Name]>) {
        if self.named(name).is_none() {
            return;
        }
        let on_path = |path: &[Name]| path.iter().any(|step| step.text() == name.text());
        if path.is_some_and(|path| !on_path(path)) {
            self.suspicious(
                name.span(),
                format!("`{name}` is not on the path of the case"),
                "the fault never comes",
            );
        }
    }

    fn what(&mut self, fault: &Fault, at: Span) {
        let does = [fault.sql.is_some(), fault.error.is_some(), fault.cancel];
        match does.iter().filter(|does| **does).count() {
            1 => {}
            0 => self.wrong(
                at,
                "a fault that does nothing",
                "give it `sql`, `error` or `cancel: true`",
            ),
            _ => self.wrong(
                at,
                "a fault does one thing: `sql`, `error` or `cancel`",
                "make several of it",
            ),
        }
        let needs_during = fault.error.is_some() || fault.cancel;
        let elsewhere = fault.before.as_ref().or(fault.after.as_ref());
        if let (true, Some(name), None) = (needs_during, elsewhere, &fault.during) {
            let word = if fault.cancel { "cancel" } else { "error" };
            self.wrong(
                name.span(),
                format!("`{word}` comes while a step is at work"),
                &format!("write `during: {name}`"),
            );
        }
        if fault.times.is_some() && fault.error.is_none() {
            self.wrong(at, "`times` belongs to an `error`", "");
        }
        if fault.times == Some(0) {
            self.wrong(at, "`times` is at least 1", "");
        }
        if let Some(error) = &fault.error
            && error.text().trim().is_empty()
        {
            self.wrong(
                error.span(),
                "an error without a message",
                "it is `serialization`, `lock_timeout`, `connection`, or what the server says",
            );
        }
    }
}

/// Returns where a fault says what it does.
fn acts(fault: &Fault) -> Option<Span> {
    let sql = fault.sql.iter().flat_map(|sql| &sql.0).next();
    let sql = sql.map(crate::step::text::Sql::span);
    let error = fault.error.as_ref().map(crate::step::text::Template::span);
    sql.or(error)
}
