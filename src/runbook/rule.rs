//! The contract of each kind: the keys that it needs, the statements that it allows.

mod backup;
mod database;
mod fix;

use super::model::{Runbook, ScopeId, Step};
use super::param::Scalar;
use super::reading::of_sql;
use super::resolve::statements;
use crate::base::diagnostic::Diagnostic;
use crate::step::Kind;
use crate::step::check::Check;
use crate::step::confirm::Confirm;
use crate::step::fix::Fix;
use crate::step::query::{FileFormat, Query};

/// Checks every step against the contract of its kind.
pub(super) fn check(
    runbook: &Runbook,
    declared: Option<crate::sql::risk::Risk>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for step in &runbook.steps {
        let mut rules = Rules {
            runbook,
            step,
            found: Vec::new(),
        };
        rules.step();
        rules.risk(declared);
        diagnostics.append(&mut rules.found);
    }
}

struct Rules<'a> {
    runbook: &'a Runbook,
    step: &'a Step,
    found: Vec<Diagnostic>,
}

impl Rules<'_> {
    fn say(&mut self, diagnostic: Diagnostic) {
        // What another file says is shown where it is used.
        let diagnostic =
            if self.step.scope == ScopeId(0) || diagnostic.span() == Some(self.step.span) {
                diagnostic
            } else {
                let mut moved = diagnostic;
                moved.labels.clear();
                moved.at(self.step.span, format!("in its step `{}`", self.step.name))
            };
        self.found.push(diagnostic);
    }

    fn wrong(&mut self, title: impl Into<String>, help: &str) {
        let diagnostic = Diagnostic::error("contract", title).at(self.step.span, "");
        self.say(if help.is_empty() {
            diagnostic
        } else {
            diagnostic.help(help)
        });
    }

    fn step(&mut self) {
        match &self.step.kind {
            Kind::Query(query) => {
                self.either(query.sql.is_some(), query.command.is_some());
                self.save(query);
                self.reads();
            }
            Kind::Check(check) => {
                self.check(check);
                self.reads();
            }
            Kind::Fix(fix) => self.fix(fix),
            Kind::Confirm(confirm) => self.confirm(confirm),
            Kind::Backup(backup) => {
                self.backup(backup);
                self.reads();
            }
            Kind::Rollback(rollback) => self.rollback(rollback),
            Kind::Atomic(_) | Kind::Use(_) => {}
        }
        self.atomic();
        self.names_in_sql();
        self.loops();
    }

    fn either(&mut self, sql: bool, command: bool) {
        if sql == command {
            self.wrong(
                format!("`{}` needs `sql` or `command`: one of them", self.step.name),
                "",
            );
        }
    }

    fn save(&mut self, query: &Query) {
        let Some(save) = &query.save else {
            return;
        };
        let wrong = if FileFormat::of(save.text()).is_none() {
            "`save` names a file that ends in `.csv` or `.jsonl`"
        } else if query.command.is_some() {
            "`save` writes the rows of a statement, not what a command says"
        } else if self.step.atomic.is_some() {
            "`save` cannot stand inside of an `atomic`: no rollback takes a file away"
        } else {
            return;
        };
        let diagnostic = Diagnostic::error("contract", wrong).at(save.span(), "");
        self.say(diagnostic.help("save: exports/{{ run.id }}-users.csv"));
    }

    fn check(&mut self, check: &Check) {
        let ways = [
            check.that.is_some(),
            check.all.is_some(),
            check.switch.is_some(),
            check.database.is_some(),
        ];
        let decides = ways.iter().filter(|way| **way).count();
        if decides > 1 || (decides == 0 && check.command.is_none()) {
            self.wrong(
                format!(
                    "the check `{}` decides by one of `that`, `all`, `switch` or `database`",
                    self.step.name
                ),
                "for a single condition write `that: EXPRESSION`",
            );
        }
        if let Some(database) = &check.database {
            self.database(check, database);
        }
        if check.command.is_some() && check.sql.is_some() {
            self.wrong("a check has `sql` or `command`, not both", "");
        }
        if check.command.is_some() && check.expect.is_none() {
            self.wrong(
                "a check with a command says what it expects",
                "add `expect: { code: 0 }`",
            );
        }
        if check.switch.is_some() != check.cases.is_some() {
            self.wrong("`switch` and `cases` go together", "");
        }
        if check.switch.is_some() && check.then.is_some() {
            self.wrong("a `switch` goes where its `cases` say, not to `then`", "");
        }
        let leads = check.then.is_some() || check.switch.is_some();
        if leads && self.step.common.for_each.is_some() {
            self.wrong(
                "a check that is repeated decides nothing: it cannot have `then` or `switch`",
                "let it pass or fail for each item, and decide in a check after it",
            );
        }
        if check.all.as_ref().is_some_and(|all| all.0.is_empty()) {
            self.wrong("`all` has no assertion: it would always pass", "");
        }
    }

    fn confirm(&mut self, confirm: &Confirm) {
        if self.step.common.retry.is_some() {
            self.wrong("a confirm is not retried: a no is a no", "");
        }
        if confirm.approvers == Some(0) {
            self.wrong("`approvers` is at least 1", "");
        }
    }

    fn reads(&mut self) {
        let (sql, _) = statements(&self.step.kind);
        for (text, template) in sql.iter().zip(&self.step.sql) {
            if let Err(error) = template.statement.allowed_in_read() {
                self.say(template.refused(&error, text, &self.source()));
            }
        }
    }

    fn atomic(&mut self) {
        if self.step.atomic.is_some()
            && !matches!(
                self.step.kind,
                Kind::Query(_) | Kind::Check(_) | Kind::Fix(_)
            )
        {
            let title = format!(
                "a `{}` cannot stand inside of an `atomic`",
                self.step.kind.word()
            );
            self.wrong(
                title,
                "nobody is waited for while a transaction is open: put it before or after",
            );
        }
        if self.step.atomic.is_some() && self.step.common.retry.is_some() {
            self.wrong(
                "a step of an `atomic` is not retried alone",
                "put the `retry` on the `atomic`",
            );
        }
        if let (
            Some(_),
            Kind::Fix(Fix {
                command: Some(_), ..
            }),
        ) = (self.step.atomic, &self.step.kind)
        {
            self.wrong(
                "a command cannot stand inside of an `atomic`",
                "it would not roll back with the transaction",
            );
        }
    }

    fn names_in_sql(&mut self) {
        let step = self.step;
        for template in step.sql.iter().chain(&step.undo).chain(&step.verify) {
            for expression in &template.names {
                let safe = |name: &String| {
                    self.runbook.scopes[self.step.scope.0]
                        .params
                        .iter()
                        .any(|(param, spec)| {
                            param == name
                                && matches!(spec.kind.scalar, Scalar::Identifier | Scalar::Enum)
                        })
                };
                let names = of_sql(expression);
                if names.len() != 1 || !names.iter().all(safe) || names[0] != expression.trim() {
                    self.say(
                        Diagnostic::error("ident", format!("`{expression} | ident` is not a parameter of type identifier or enum"))
                            .at(template.span, "")
                            .help("a name in SQL comes from a parameter that can only hold a name"),
                    );
                }
            }
        }
    }

    fn loops(&mut self) {
        let common = &self.step.common;
        if common.for_each.is_some() != common.item.is_some() {
            self.wrong(
                "`for_each` and `as` go together",
                "for_each: query.rows, as: row",
            );
        }
        if common.for_each.is_none() && (common.parallel.is_some() || common.max_failures.is_some())
        {
            self.wrong("`parallel` and `max_failures` belong to a `for_each`", "");
        }
        if common.for_each.is_some()
            && !matches!(
                self.step.kind,
                Kind::Query(_) | Kind::Fix(_) | Kind::Check(_) | Kind::Atomic(_)
            )
        {
            self.wrong(
                format!(
                    "a `{}` cannot be repeated by `for_each`",
                    self.step.kind.word()
                ),
                match self.step.kind {
                    Kind::Backup(_) => "one backup saves the rows of all items: `id IN (SELECT …)`, or `id = ANY ({{ ids }})`",
                    _ => "",
                },
            );
        }
        if common.for_each.is_some() && self.step.atomic.is_some() {
            self.wrong(
                "a step of an `atomic` is not repeated alone",
                "put the `for_each` on the `atomic`, or write one statement over all rows",
            );
        }
    }

    fn risk(&mut self, declared: Option<crate::sql::risk::Risk>) {
        let (Some(declared), Some((risk, reason))) = (declared, self.step.risk()) else {
            return;
        };
        if risk > declared {
            let title = format!(
                "the fix `{}` is of {risk} risk, the runbook declares {declared}",
                self.step.title
            );
            self.say(
                Diagnostic::error("risk", title)
                    .at(self.step.span, reason)
                    .help(format!(
                        "declare `risk: {risk}`, or make the statement safer"
                    )),
            );
        }
    }

    fn source(&self) -> crate::base::source::Source {
        self.runbook.scopes[self.step.scope.0].source.clone()
    }
}
