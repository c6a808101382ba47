//! What can be wrong with one case: its parameters and answers, its path, the rows that it expects.

use serde_json::Value;

use super::path::following;
use super::{Checker, steps};
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Spanned;
use crate::base::words;
use crate::runbook::argument::Argument;
use crate::runbook::model::Step;
use crate::runbook::param::Literal;
use crate::runbook::place::TextPlace;
use crate::sql::statement::{SqlError, Statement};
use crate::step::Kind;
use crate::step::text::{Name, Sql};
use crate::suite::document::{Case, Expected, RowsAfter};

impl Checker<'_> {
    pub(super) fn case(&mut self, case: &Case) {
        self.params(case);
        self.answers(case);
        self.path(case);
        self.sessions(case);
        for fault in &case.faults {
            self.fault(fault, case.path.as_deref(), case.case.span());
        }
        for rows in &case.rows {
            self.rows(rows);
        }
        self.texts(case);
        self.undo(case);
        let expects = case.path.is_some()
            || case.says.is_some()
            || case.unchanged.is_some()
            || case.undo
            || !case.rows.is_empty();
        if !expects && case.outcome != Expected::Refused {
            self.suspicious(
                case.case.span(),
                "the case only expects an outcome",
                "add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well",
            );
        }
    }

    fn params(&mut self, case: &Case) {
        let params = self.proved.runbook.params();
        for (name, value) in &case.params.0 {
            let Some((_, param)) = params.iter().find(|(known, _)| *known == name.value) else {
                let names = params.iter().map(|(known, _)| known.as_str());
                let title = format!("there is no parameter `{}`", name.value);
                self.diagnostics.push(
                    Diagnostic::error("unknown-name", title)
                        .at(name.span, "")
                        .help_opt(words::did_you_mean(&name.value, names)),
                );
                continue;
            };
            // That a value is refused may be what the case shows.
            if case.outcome == Expected::Refused {
                continue;
            }
            if let Err(why) = Argument::new(param, &value.0) {
                let title = format!("`{}` cannot have this value: {why}", name.value);
                self.diagnostics.push(
                    Diagnostic::error("param", title)
                        .at(name.span, format!("its type is {}", param.kind)),
                );
            }
        }
        for (name, param) in params {
            let given = case.params.0.iter().any(|(known, _)| known.value == *name);
            if !given && param.default.is_none() && case.outcome != Expected::Refused {
                let title = format!("the parameter `{name}` has no value");
                let help = format!("add `params: {{ {name}: … }}`, or expect `outcome: refused`");
                self.wrong(case.case.span(), title, &help);
            }
        }
    }

    fn answers(&mut self, case: &Case) {
        for (name, _) in &case.answers.0 {
            let Some(step) = self.step(&name.value, name.span) else {
                continue;
            };
            if matches!(step.kind, Kind::Confirm(_)) {
                continue;
            }
            let title = format!(
                "`{}` is a {}: it asks nothing",
                name.value,
                step.kind.word()
            );
            let confirms = self.proved.runbook.steps.iter();
            let confirms: Vec<&str> = confirms
                .filter(|step| matches!(step.kind, Kind::Confirm(_)))
                .map(|step| step.title.as_str())
                .collect();
            let help = match confirms.as_slice() {
                [] => "the runbook has no `confirm`".to_owned(),
                all => format!("what asks is {}", steps(all)),
            };
            self.wrong(name.span, title, &help);
        }
    }

    fn path(&mut self, case: &Case) {
        let Some(path) = &case.path else {
            return;
        };
        if let (Expected::Refused, Some(first)) = (case.outcome, path.first()) {
            return self.wrong(
                first.span(),
                "a run that is refused has no path",
                "no step of it runs: take `path` out",
            );
        }
        let found: Vec<Option<Step>> = path.iter().map(|name| self.named(name).cloned()).collect();
        let mut before: Option<&Step> = None;
        for (name, step) in path.iter().zip(&found) {
            let Some(step) = step else {
                // What is around an unknown step cannot be judged.
                return;
            };
            let can = following(self.proved, before);
            if !can.steps.contains(&step.id) {
                self.impossible(name, before, &can.steps.iter().copied().collect::<Vec<_>>());
                return;
            }
            before = Some(step);
        }
        if let (Some(last), Some(step)) = (path.last(), before) {
            self.end(case, last, step);
        }
    }

    fn impossible(
        &mut self,
        name: &Name,
        before: Option<&Step>,
        can: &[crate::runbook::model::StepId],
    ) {
        let runbook = &self.proved.runbook;
        let names: Vec<&str> = can
            .iter()
            .map(|id| runbook.step(*id).title.as_str())
            .collect();
        let (title, what) = match before {
            None => (
                format!("no run begins with `{name}`"),
                "it begins with".to_owned(),
            ),
            Some(before) => (
                format!("`{name}` cannot follow `{}`", before.title),
                format!("`{}` is followed by", before.title),
            ),
        };
        let help = match (names.as_slice(), before) {
            ([], Some(before)) => format!("the run ends after `{}`", before.title),
            (names, _) => format!("{what} {}", steps(names)),
        };
        self.diagnostics.push(
            Diagnostic::error("path", title)
                .at(name.span(), "no way leads here")
                .help(help),
        );
    }

    /// Whether a run can end well where the path ends.
    fn end(&mut self, case: &Case, name: &Name, last: &Step) {
        let well = matches!(case.outcome, Expected::Done | Expected::Nothing);
        if !well || case.dry_run {
            return;
        }
        let can = following(self.proved, Some(last));
        if can.ends_well {
            return;
        }
        let runbook = &self.proved.runbook;
        let names: Vec<&str> = can
            .steps
            .iter()
            .map(|id| runbook.step(*id).title.as_str())
            .collect();
        let title = format!("a run that ends after `{name}` has failed");
        let help = match names.as_slice() {
            [] => "expect another `outcome`".to_owned(),
            names => format!("one that does not fail goes on with {}", steps(names)),
        };
        self.diagnostics.push(
            Diagnostic::error("path", title)
                .at(name.span(), "")
                .help(help),
        );
    }

    fn sessions(&mut self, case: &Case) {
        for session in &case.sessions {
            if session.sql.is_none() && session.waits.is_none() {
                let title = format!("the session `{}` does nothing", session.session.text());
                self.wrong(
                    session.session.span(),
                    title,
                    "give it `sql`, or a statement that `waits`",
                );
            }
        }
    }

    fn rows(&mut self, rows: &RowsAfter) {
        let columns = match Statement::parse(rows.sql.text()) {
            Ok(statement) => {
                if let Err(error) = statement.allowed_in_read() {
                    self.refused(&rows.sql, &error);
                }
                statement.output_columns().map(|columns| columns.len())
            }
            Err(error) => return self.refused(&rows.sql, &error),
        };
        let mut width = columns;
        for row in &rows.are {
            self.row(row, &mut width, columns.is_some());
        }
    }

    fn row(&mut self, row: &Spanned<Literal>, width: &mut Option<usize>, known: bool) {
        let cells = match &row.value.0 {
            Value::Array(cells) => cells.as_slice(),
            one => std::slice::from_ref(one),
        };
        if cells.iter().any(|cell| cell.is_array() || cell.is_object()) {
            return self.wrong(
                row.span,
                "a value is a text, a number, true, false or null",
                "write it as PostgreSQL prints it, in quotes: '{1,2}' or '{\"a\": 1}'",
            );
        }
        let expected = *width.get_or_insert(cells.len());
        if cells.len() != expected {
            let found = words::count(words::long(cells.len()), "value");
            let title = if known {
                let columns = words::count(words::long(expected), "column");
                format!("a row of {found}, yet the statement has {columns}")
            } else {
                let values = words::count(words::long(expected), "value");
                format!("a row of {found}, yet the first one has {values}")
            };
            self.wrong(row.span, title, "");
        }
    }

    fn refused(&mut self, sql: &Sql, error: &SqlError) {
        let place = TextPlace::new(self.source, &sql.0);
        let span = match &error.range {
            Some(range) => place.span(range.clone()),
            None => place.whole(),
        };
        if let Some(at) = sql.text().find("{{") {
            return self.wrong(
                place.span(at..at + 2),
                "nothing is put into the SQL of a test",
                "write the value itself",
            );
        }
        let unread = Statement::parse(sql.text()).is_err();
        let help = if unread {
            error.help.clone()
        } else {
            let help =
                "`rows` only looks: what changes something is `data`, or the `sql` of a fault";
            Some(help.to_owned())
        };
        self.diagnostics.push(
            Diagnostic::error("sql", error.message.clone())
                .at(span, "")
                .help_opt(help),
        );
    }

    fn texts(&mut self, case: &Case) {
        let texts = case
            .says
            .iter()
            .chain(&case.says_not)
            .flat_map(|texts| &texts.0);
        let empty: Vec<_> = texts.filter(|text| text.text().trim().is_empty()).collect();
        for text in empty {
            self.wrong(text.span(), "an empty text", "it is in whatever a run says");
        }
        let tables = case.unchanged.iter().flat_map(|tables| &tables.0);
        let all = tables.clone().find(|table| table.text() == "all");
        if let (Some(all), true) = (all, tables.count() > 1) {
            self.wrong(all.span(), "`all` stands alone", "");
        }
    }

    fn undo(&mut self, case: &Case) {
        if !case.undo {
            return;
        }
        if case.dry_run {
            self.wrong(
                case.case.span(),
                "a dry run leaves nothing to undo",
                "take `undo` or `dry_run` out",
            );
        } else if !matches!(case.outcome, Expected::Done | Expected::Stopped) {
            self.suspicious(
                case.case.span(),
                "this outcome leaves nothing to undo",
                "`unchanged: all` says that nothing of the run remains",
            );
        }
    }
}
