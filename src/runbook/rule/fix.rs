//! The contract of a `fix`.

use super::Rules;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::runbook::resolve::statements;
use crate::runbook::statement::SqlTemplate;
use crate::sql::lint;
use crate::sql::target::Dml;
use crate::step::fix::{Fix, TransactionMode};
use crate::step::text::Sql;

impl Rules<'_> {
    pub(super) fn fix(&mut self, fix: &Fix) {
        self.either(fix.sql.is_some(), fix.command.is_some());
        if fix.command.is_some() && fix.expect.is_none() {
            self.wrong(
                "a fix with a command says what it expects",
                "add `expect: { code: 0 }`",
            );
        }
        let (sql, undo) = statements(&self.step.kind);
        for (text, template) in sql
            .iter()
            .zip(&self.step.sql)
            .chain(undo.iter().zip(&self.step.undo))
        {
            if let Err(error) = template.statement.allowed_in_fix() {
                self.say(template.refused(&error, text, &self.source()));
            }
        }
        for (text, template) in undo.iter().zip(&self.step.undo) {
            self.undo(template, text);
        }
        self.verify(fix);
        self.batch(fix);
        let mut accepted = Vec::new();
        for (text, template) in sql.iter().zip(&self.step.sql) {
            self.guarded(fix, template.statement.picks_rows(), text.span());
            self.transaction(fix, template, text);
            accepted.extend(self.lint(fix, template, text));
        }
        self.accepts(fix, &accepted);
    }

    fn batch(&mut self, fix: &Fix) {
        let Some(batch) = &fix.batch else {
            return;
        };
        if self.step.atomic.is_some() {
            self.wrong(
                "a `batch` commits each part: it cannot stand inside of an `atomic`",
                "take it out of the `atomic`, or take `batch` away",
            );
        }
        let whole = |template: &SqlTemplate| {
            let target = template.statement.target();
            target.is_some_and(|target| target.verb != Dml::Insert && target.from_sql.is_none())
        };
        if self.step.sql.len() != 1 || !self.step.sql.iter().all(whole) || batch.size == 0 {
            self.wrong(
                "a `batch` works through the rows of one UPDATE or DELETE of one table",
                "write the other tables as subqueries of its WHERE",
            );
        }
    }

    fn verify(&mut self, fix: &Fix) {
        let (Some(text), Some(template)) = (&fix.verify, &self.step.verify) else {
            return;
        };
        if let Err(error) = template.statement.allowed_in_read() {
            self.say(template.refused(&error, text, &self.source()));
        }
        if fix.command.is_none() && fix.transaction == TransactionMode::One {
            self.wrong(
                "`verify` without need: the journal knows whether a transaction was committed",
                "it is for programs, and for what runs outside of transactions",
            );
        }
    }

    fn guarded(&mut self, fix: &Fix, picks_rows: bool, span: Span) {
        if picks_rows && fix.rows.is_none() {
            self.say(
                Diagnostic::error(
                    "row-guard",
                    format!("the fix `{}` has no row guard", self.step.title),
                )
                .at(
                    span,
                    "an UPDATE, DELETE or MERGE says how many rows it may change",
                )
                .help("add `rows: 1`, a range such as `rows: 0..5`, or `rows: ={{ step.count }}`"),
            );
        }
    }

    /// What is put back is put back in one transaction, or not at all.
    fn undo(&mut self, template: &SqlTemplate, text: &Sql) {
        let statement = &template.statement;
        let what = statement
            .needs_no_transaction()
            .or(statement.acts_at_once());
        if let Some(what) = what {
            let title = format!("an `undo` runs in a transaction, which {what} cannot");
            self.say(
                Diagnostic::error("transaction", title)
                    .at(text.span(), "")
                    .help("write `undo: none`, and a runbook that does the reverse"),
            );
        }
    }

    fn transaction(&mut self, fix: &Fix, template: &SqlTemplate, text: &Sql) {
        let statement = &template.statement;
        let (none, span) = (fix.transaction == TransactionMode::None, text.span());
        let alone = match (statement.needs_no_transaction(), statement.acts_at_once()) {
            (Some(what), _) => Some((
                format!("{} cannot run in a transaction", statement.verb()),
                what.to_owned(),
            )),
            (None, Some(function)) => Some((
                format!("`{function}` acts at once: no rollback takes it back, and no rehearsal"),
                "whatever becomes of the transaction".to_owned(),
            )),
            (None, None) => None,
        };
        match alone {
            Some((title, label)) if !none || self.step.atomic.is_some() => {
                let help = if self.step.atomic.is_some() {
                    "take the step out of the `atomic`"
                } else {
                    "add `transaction: none` to the fix"
                };
                self.say(
                    Diagnostic::error("transaction", title)
                        .at(span, label)
                        .help(help),
                );
            }
            None if none => self.say(
                Diagnostic::error("transaction", "`transaction: none` without need")
                    .at(span, "this statement can run in a transaction")
                    .help("take `transaction: none` away: then a failing fix leaves no trace"),
            ),
            _ => {}
        }
        if none && self.step.sql.len() > 1 {
            self.wrong(
                "`transaction: none` allows one statement only",
                "make a fix of each",
            );
        }
    }

    /// Says what breaks a rule of the lint, but for the rules that the author accepts to break; returns those.
    fn lint(&mut self, fix: &Fix, template: &SqlTemplate, text: &Sql) -> Vec<String> {
        let in_transaction = fix.transaction == TransactionMode::One;
        let mut accepted = Vec::new();
        for finding in lint::lint(template.statement.text(), in_transaction) {
            let accepts = &fix.accept.0;
            if accepts.iter().any(|(rule, _)| rule.value == finding.rule) {
                accepted.push(finding.rule);
                continue;
            }
            let span = template.locate(finding.range, text, &self.source());
            let rule = finding.rule;
            self.say(
                Diagnostic::warning("lint", format!("{} ({rule})", finding.message))
                    .at(span, "")
                    .help_opt(finding.help)
                    .help(format!("if it is meant: accept: {{ {rule}: the reason }}")),
            );
        }
        accepted
    }

    /// What is accepted without need is a mistake: it would hide what comes later.
    fn accepts(&mut self, fix: &Fix, found: &[String]) {
        for (rule, _) in &fix.accept.0 {
            if !found.contains(&rule.value) {
                let title = format!("`accept` names `{}`, which nothing here breaks", rule.value);
                self.say(
                    Diagnostic::error("lint", title)
                        .at(rule.span, "")
                        .help("take it out; `runbook check` names the rules that are broken"),
                );
            }
        }
    }
}
