//! The contract of a `backup`, and of a `rollback` that puts back from one.

use super::Rules;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::sql::ident::TableName;
use crate::step::Kind;
use crate::step::backup::{Backup, Keep};
use crate::step::rollback::Rollback;
use crate::step::text::Template;

/// How long the name may be that the backups of a step share: it is a part of a folder's name.
const LONGEST_NAME: usize = 100;

impl Rules<'_> {
    pub(super) fn backup(&mut self, backup: &Backup) {
        let ways = [
            backup.rows.is_some(),
            backup.tables.is_some(),
            backup.database.is_some(),
        ];
        if ways.iter().filter(|way| **way).count() != 1 {
            self.wrong(
                "a backup saves `rows`, `tables` or the `database`: one of them",
                "",
            );
        }
        let rows = backup.rows.iter().flat_map(|rows| &rows.0);
        let named: Vec<(&str, Span)> = rows
            .map(|(table, _)| (table.as_str(), table.span))
            .collect();
        self.tables(&named);
        let tables = backup.tables.iter().flatten();
        let named: Vec<(&str, Span)> = tables
            .map(|table| (table.text(), table.span()))
            .filter(|(table, _)| !is_template(table))
            .collect();
        for (table, span) in &named {
            if TableName::parse(table).is_none() {
                let title = format!("`{table}` is no name of a table");
                self.say(Diagnostic::error("contract", title).at(*span, ""));
            }
        }
        self.tables(&named);
        let is_empty = backup.rows.as_ref().is_some_and(|rows| rows.0.is_empty())
            || backup.tables.as_ref().is_some_and(Vec::is_empty);
        if is_empty {
            self.wrong("the backup names no table: it would save nothing", "");
        }
        self.keep(backup.keep);
        self.seal(backup);
        let name = format!("{}-{}", self.runbook.name, self.step.title);
        if name.len() > LONGEST_NAME {
            let title = format!("`{name}` is too long for the name of a backup");
            let help = "take a shorter name for the step: its backups are called RUNBOOK-STEP, at most 100 letters";
            self.wrong(title, help);
        }
    }

    pub(super) fn rollback(&mut self, rollback: &Rollback) {
        if rollback.of.is_some() && rollback.backup.is_some() {
            self.wrong(
                "a rollback puts back fixes (`of`) or a `backup`, not both",
                "",
            );
        }
        let source = self.step.backup.map(|id| self.runbook.step(id));
        let (Some(name), Some(source)) = (&rollback.backup, source) else {
            return;
        };
        if matches!(&source.kind, Kind::Backup(backup) if backup.database.is_some()) {
            let title = format!("`{name}` saves the database, which no step puts back");
            let diagnostic = Diagnostic::error("contract", title)
                .at(name.span(), "only rows and tables are put back by a step")
                .help("save `rows` or `tables` to put back; a database is restored by `runbook backup restore`");
            self.say(diagnostic);
        }
    }

    /// The same table twice would be two files of the same rows, or of which nobody knows which counts.
    fn tables(&mut self, named: &[(&str, Span)]) {
        let mut seen: Vec<TableName> = Vec::new();
        for (table, span) in named {
            let Some(name) = TableName::parse(table) else {
                continue;
            };
            if seen.contains(&name) {
                let title = format!("the table `{name}` is named twice");
                let diagnostic = Diagnostic::error("contract", title).at(*span, "again here");
                self.say(
                    diagnostic.help("one predicate finds all of its rows: join the two by OR"),
                );
            }
            seen.push(name);
        }
    }

    fn keep(&mut self, keep: Option<Keep>) {
        let Some(Keep { last, days }) = keep else {
            return;
        };
        if last.is_none() && days.is_none() {
            let help = "write `keep: { last: 7 }`, `keep: { days: 30 }` or both; without `keep` all are kept";
            self.wrong("`keep` says neither how many nor how long", help);
        }
        if last == Some(0) || days == Some(0) {
            let help = "the newest good one is never deleted in any case";
            self.wrong("`last` and `days` of a `keep` are at least 1", help);
        }
    }

    fn seal(&mut self, backup: &Backup) {
        let Some(recipients) = &backup.encrypt else {
            return;
        };
        if recipients.0.is_empty() {
            self.wrong("`encrypt` names nobody who could open the backup", "");
        }
        let is_key = |text: &Template| is_template(text.text()) || text.text().starts_with("age1");
        if let Some(text) = recipients.0.iter().find(|text| !is_key(text)) {
            let title = format!("`{}` is no public key of age", text.text());
            let diagnostic = Diagnostic::error("contract", title)
                .at(text.span(), "a public key begins with `age1`")
                .help("`age-keygen` makes a pair of keys: the public one stands here");
            self.say(diagnostic);
        }
    }
}

fn is_template(text: &str) -> bool {
    text.contains("{{")
}
