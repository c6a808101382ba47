//! The contract of a check of a database: it looks for something, for each thing once.

use std::collections::BTreeSet;

use super::Rules;
use crate::base::diagnostic::Diagnostic;
use crate::base::words;
use crate::step::check::Check;
use crate::step::database::{Database, Group};

impl Rules<'_> {
    pub(super) fn database(&mut self, check: &Check, database: &Database) {
        let all = Group::ALL.map(|group| (group, database.names(group)));
        if all.iter().all(|(_, names)| names.is_empty()) {
            self.wrong(
                "`database` looks for nothing: it would always pass",
                "say what must be there: `tables: [users, orders]`",
            );
        }
        if check.sql.is_some() || check.command.is_some() {
            let what = if check.sql.is_some() {
                "sql"
            } else {
                "command"
            };
            self.wrong(
                format!("`database` reads nothing of a `{what}`"),
                "put what it finds out into a step of its own before the check",
            );
        }
        for (group, names) in &all {
            let mut known = BTreeSet::new();
            for name in names.iter().filter(|name| !known.insert(&name.value)) {
                let title = format!("`{}` is twice among the {}", name.value, group.word());
                self.say(Diagnostic::error("contract", title).at(name.span, ""));
            }
        }
        for (key, _) in &database.otherwise.0 {
            let group = all.iter().find(|(group, _)| group.key() == key.value);
            let diagnostic = match group {
                Some((_, names)) if !names.is_empty() => continue,
                Some((group, _)) => {
                    let title =
                        format!("a remedy for {}, of which none is looked for", group.word());
                    Diagnostic::error("contract", title).at(key.span, "")
                }
                None => {
                    let groups = Group::ALL.map(Group::key);
                    let help = words::did_you_mean(&key.value, groups)
                        .unwrap_or_else(|| format!("there are {}", words::quoted(&groups)));
                    let title = format!("there is no group `{}`", key.value);
                    Diagnostic::error("contract", title)
                        .at(key.span, "")
                        .help(help)
                }
            };
            self.say(diagnostic);
        }
    }
}
