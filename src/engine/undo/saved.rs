//! What a `rollback` step puts back from a backup, and which of the run's units are put back by that.

use std::path::PathBuf;

use super::works::{Way, Work};
use crate::engine::backup::{Backed, FromBackup};
use crate::engine::event::StepResult;
use crate::engine::failure::Failure;
use crate::engine::journal::Unit;
use crate::engine::perform::{named, template};
use crate::engine::plan::Plan;
use crate::engine::scope::{self, Surroundings};
use crate::engine::state::State;
use crate::runbook::model::{Step, StepId};
use crate::sql::ident::TableName;
use crate::sql::statement::{Access, Statement};
use crate::sql::target::Dml;
use crate::step::Kind;
use crate::step::fix::{Fix, TransactionMode};

impl Work {
    /// Finds what a `rollback` step does that puts back from a backup: one unit of its own, so that it is done
    /// once.
    ///
    /// A unit of the run counts as put back with it when all tables that it changed are in the backup, and no
    /// row conflicts. What programs did, and what changed the structure of tables, never does.
    ///
    /// # Errors
    /// The backup step made none.
    pub fn from_backup(
        plan: &Plan,
        state: &State,
        surroundings: &Surroundings,
        step: &Step,
        backup: StepId,
    ) -> Result<Self, Failure> {
        let Some(StepResult::Backup(backed)) = state.result(backup) else {
            let name = &plan.runbook().step(backup).title;
            return Err(template(format!(
                "`{name}` made no backup to put back from"
            )));
        };
        let deeds = Deeds {
            plan,
            state,
            surroundings,
        };
        let unit = Unit {
            step: step.id,
            item: None,
            part: 0,
        };
        let mut work = Self::of(&plan.run, unit, unit, step);
        work.ways.push(Way::Backup(FromBackup {
            path: PathBuf::from(&backed.path),
            tables: None,
            run: Some(plan.run.clone()),
            emptied: deeds.emptied()?,
            overwrite: false,
        }));
        for unit in state.units.iter().rev() {
            if deeds.is_covered(unit, backed)? {
                let of = plan.runbook().step(unit.step);
                work.covers
                    .push(Self::of(&plan.run, *unit, *unit, of).undoing());
            }
        }
        Ok(work)
    }

    /// Returns the units that are put back with it.
    pub fn covered(&self) -> Vec<Unit> {
        self.covers.iter().map(|entry| entry.unit).collect()
    }
}

/// What the fixes of a run did to tables.
struct Deeds<'a> {
    plan: &'a Plan,
    state: &'a State,
    surroundings: &'a Surroundings,
}

impl Deeds<'_> {
    /// Returns the tables of which rows are gone that have no images: not by someone else, but by the run.
    fn emptied(&self) -> Result<Vec<String>, Failure> {
        let mut tables: Vec<TableName> = Vec::new();
        for unit in &self.state.units {
            for (step, fix) in self.fixes(unit) {
                let has_images = step.undo.is_empty() && !fix.is_never_undone();
                if has_images || fix.command.is_some() {
                    continue;
                }
                tables.extend(self.deleted(step));
                for statement in self.statements(step)? {
                    if takes_rows(&statement) {
                        tables.extend(written(&statement));
                        // Cascades take the rows of these.
                        tables.extend(self.declared(step, fix)?);
                    }
                }
            }
        }
        tables.sort();
        tables.dedup();
        Ok(tables.iter().map(ToString::to_string).collect())
    }

    /// Returns whether all that a unit changed are rows of tables that are in a backup.
    fn is_covered(&self, unit: &Unit, backed: &Backed) -> Result<bool, Failure> {
        let saved: Vec<TableName> = backed
            .tables
            .iter()
            .filter_map(|table| TableName::parse(&table.table))
            .collect();
        let path = self.search_path()?;
        let is_saved = |table: &TableName| saved.iter().any(|saved| same(table, saved, &path));
        for (step, fix) in self.fixes(unit) {
            if fix.command.is_some() || fix.transaction == TransactionMode::None {
                return Ok(false);
            }
            let statements = self.statements(step)?;
            let mut tables = self.changed(step);
            tables.extend(statements.iter().flat_map(written));
            if !step.undo.is_empty() || fix.is_never_undone() {
                tables.extend(self.declared(step, fix)?);
            }
            if !statements.iter().all(is_about_rows) || !tables.iter().all(is_saved) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the fixes that ran in a unit.
    fn fixes(&self, unit: &Unit) -> Vec<(&Step, &Fix)> {
        let runbook = self.plan.runbook();
        let all = runbook.step(unit.step).unit().into_iter();
        let ran = all
            .map(|id| runbook.step(id))
            .filter(|step| self.state.ran(unit, step));
        ran.filter_map(|step| match &step.kind {
            Kind::Fix(fix) => Some((step, fix)),
            _ => None,
        })
        .collect()
    }

    fn statements(&self, step: &Step) -> Result<Vec<Statement>, Failure> {
        let context = self.context(step)?;
        step.sql.iter().map(|sql| named(&context, sql)).collect()
    }

    /// Returns the tables of which a fix says that it may change them.
    fn declared(&self, step: &Step, fix: &Fix) -> Result<Vec<TableName>, Failure> {
        let context = self.context(step)?;
        let mut tables = Vec::new();
        for name in fix.tables.iter().flatten() {
            // A name that reads an item of a loop has none any more: another item's is not guessed.
            let name = context.render(name.text()).ok();
            tables.extend(name.as_deref().and_then(TableName::parse));
        }
        Ok(tables)
    }

    fn context(&self, step: &Step) -> Result<crate::runbook::context::Context, Failure> {
        scope::of_scope(self.plan, self.state, self.surroundings, step.scope).map_err(template)
    }

    /// Returns the tables that a fix was seen to change, by triggers and cascades too.
    fn changed(&self, step: &Step) -> Vec<TableName> {
        self.tables(step, |_| true)
    }

    /// Returns the tables that a fix was seen to delete rows of.
    fn deleted(&self, step: &Step) -> Vec<TableName> {
        self.tables(step, |deleted| deleted > 0)
    }

    fn tables(&self, step: &Step, wanted: impl Fn(u64) -> bool) -> Vec<TableName> {
        let results = self.state.results.get(&step.id);
        let changes = results
            .iter()
            .flat_map(|results| results.iter())
            .filter_map(|result| match result {
                StepResult::Fix { changes, .. } => Some(changes),
                _ => None,
            });
        changes
            .flat_map(|changes| &changes.tables)
            .filter(|table| wanted(table.deleted))
            .filter_map(|table| TableName::parse(&table.table))
            .collect()
    }

    /// Returns the schemas in which names without one are looked for.
    fn search_path(&self) -> Result<Vec<String>, Failure> {
        let session = &self.plan.runbook().session;
        let target = &self.surroundings.target;
        let user = target.acts_as();
        let own = session.iter().find(|(name, _)| name == "search_path");
        let Some((_, text)) = own else {
            return Ok(match target.search_path.as_slice() {
                [] => vec![user.to_owned(), "public".to_owned()],
                path => path.to_vec(),
            });
        };
        let context = scope::of_scope(
            self.plan,
            self.state,
            self.surroundings,
            crate::runbook::model::ScopeId(0),
        );
        let path = context
            .and_then(|context| context.render(text.text()))
            .map_err(template)?;
        let schema = |name: &str| match name.trim().trim_matches('"') {
            "$user" => user.to_owned(),
            name => name.to_owned(),
        };
        Ok(path.split(',').map(schema).collect())
    }
}

/// Returns whether two names mean the same table, where one of them may leave its schema to the search path.
fn same(one: &TableName, other: &TableName, path: &[String]) -> bool {
    one.name == other.name
        && match (&one.schema, &other.schema) {
            (Some(one), Some(other)) => one == other,
            (Some(schema), None) | (None, Some(schema)) => path.contains(schema),
            (None, None) => true,
        }
}

fn written(statement: &Statement) -> Vec<TableName> {
    let tables = statement.tables().iter();
    tables
        .filter(|table| table.written)
        .map(|table| table.name.clone())
        .collect()
}

/// Returns whether rows may be gone by a statement: TRUNCATE and DELETE, and what may delete beside other things,
/// such as MERGE or a WITH.
fn takes_rows(statement: &Statement) -> bool {
    match statement.target() {
        Some(target) => target.verb == Dml::Delete,
        None => is_about_rows(statement),
    }
}

/// Returns whether a statement changes rows, and not what tables are like.
fn is_about_rows(statement: &Statement) -> bool {
    statement.access() == Access::Write || statement.verb() == "TRUNCATE"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_rows_is_known_by_its_statement() {
        let cases = [
            ("DELETE FROM a WHERE id = 1", true, "a"),
            ("TRUNCATE a, s.b", true, "a s.b"),
            ("TRUNCATE TABLE a CASCADE", true, "a"),
            (
                "MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN DELETE",
                true,
                "a",
            ),
            (
                "WITH d AS (DELETE FROM a RETURNING id) INSERT INTO b SELECT id FROM d",
                true,
                "a b",
            ),
            ("UPDATE a SET x = 1", false, "a"),
            ("INSERT INTO a VALUES (1)", false, "a"),
            ("ALTER TABLE a ADD x int", false, "a"),
        ];
        for (text, takes, tables) in cases {
            let statement = Statement::parse(text).unwrap();
            assert_eq!(takes_rows(&statement), takes, "{text}");
            let mut names: Vec<String> = written(&statement)
                .iter()
                .map(ToString::to_string)
                .collect();
            names.sort();
            assert_eq!(names.join(" "), tables, "{text}");
        }
    }

    #[test]
    fn a_name_without_a_schema_is_one_of_the_search_path() {
        let path = ["ann".to_owned(), "public".to_owned()];
        let same = |one, other| {
            let [one, other] = [one, other].map(|text| TableName::parse(text).unwrap());
            same(&one, &other, &path)
        };
        assert!(same("users", "users"));
        assert!(same("public.users", "users"));
        assert!(same("crm.users", "crm.users"));
        assert!(!same("crm.users", "users"));
        assert!(!same("crm.users", "public.users"));
        assert!(!same("users", "teams"));
    }
}
