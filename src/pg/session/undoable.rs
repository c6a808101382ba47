//! Why a statement cannot be put back by row images, and the way out.

use std::sync::Arc;

use super::Session;
use super::capture::Subject;
use super::table::TableFacts;
use crate::base::words;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::journal::{Terms, Undo};
use crate::sql::ident::quote_ident;
use crate::sql::statement::Statement;
use crate::sql::target::{Dml, OnConflict};

/// Refuses a statement whose changes could not be put back. `tree` are its table and those that inherit from
/// it, `declared` what else may change.
pub(super) fn refuse(
    statement: &Statement,
    subject: Option<&Subject>,
    tree: &[Arc<TableFacts>],
    declared: &[Arc<TableFacts>],
) -> Result<(), Failure> {
    let Some(subject) = subject else {
        return Err(no_rows(statement));
    };
    if let Some(why) = of_statement(subject) {
        return Err(refused(&why));
    }
    let own = [Arc::clone(&subject.facts)];
    for facts in own.iter().chain(tree).chain(declared) {
        if let Some(why) = of_table(facts) {
            return Err(refused(&why));
        }
    }
    Ok(())
}

/// Refuses tables of which this login may not see all rows.
pub(super) fn refuse_hidden<'a>(
    tables: impl IntoIterator<Item = &'a Arc<TableFacts>>,
) -> Result<(), Failure> {
    match tables.into_iter().find(|facts| facts.hides_rows) {
        Some(facts) => Err(hidden(facts)),
        None => Ok(()),
    }
}

fn no_rows(statement: &Statement) -> Failure {
    let why = match statement.target() {
        Some(target) if target.where_current_of => {
            "WHERE CURRENT OF names its row by a cursor".to_owned()
        }
        Some(target) => format!("there is no table {}", target.table),
        None => format!(
            "{}: its rows cannot be captured one by one",
            statement.verb()
        ),
    };
    refused(&why)
}

fn of_statement(subject: &Subject) -> Option<String> {
    let (target, facts) = (subject.target, &subject.facts);
    if target.on_conflict == Some(OnConflict::Update) {
        return Some("ON CONFLICT DO UPDATE: what the rows were is not known before".to_owned());
    }
    if subject.moves() {
        let moved: Vec<String> = facts
            .key
            .iter()
            .filter(|column| target.set_columns.contains(column))
            .map(|column| quote_ident(column))
            .collect();
        return Some(format!(
            "it changes {} of the key of {}, by which its rows are found again",
            words::list(&moved),
            facts.name
        ));
    }
    let set = |column: &&String| target.verb == Dml::Update && target.set_columns.contains(*column);
    facts.always.iter().find(set).map(|column| {
        format!(
            "it sets {}, an identity that only the server sets (GENERATED ALWAYS)",
            quote_ident(column)
        )
    })
}

fn of_table(facts: &TableFacts) -> Option<String> {
    let name = &facts.name;
    match facts.kind.as_str() {
        "v" => Some(format!("{name} is a view: name the table that it shows")),
        "f" => Some(format!("{name} is a foreign table")),
        _ if facts.has_rules => Some(format!("a rule rewrites what is done to {name}")),
        _ if facts.key.is_empty() => Some(format!(
            "{name} has no key: a unique index of columns that are NOT NULL"
        )),
        _ => None,
    }
}

fn refused(why: &str) -> Failure {
    Failure::new(
        FailureKind::Undeclared,
        format!("it could not be put back by row images: {why}"),
    )
    .note("nothing was changed")
    .help("say under `undo` which statements put it back, or `undo: none` where nothing needs to")
}

fn hidden(facts: &TableFacts) -> Failure {
    Failure::new(
        FailureKind::Undeclared,
        format!(
            "row-level security may hide rows of {} from this login: it would be done to a part of them",
            facts.name
        ),
    )
    .note("nothing was changed")
    .help("run it as a login that sees all rows: the table's owner, or one with BYPASSRLS")
    .help("or say `row_security: true` in the fix, where it is meant for the rows that the policies show")
}

/// Returns the failure of a fix whose `tables` leave out the table of its own statement.
pub(super) fn own_table_is_missing(facts: &TableFacts) -> Failure {
    Failure::new(
        FailureKind::Undeclared,
        format!(
            "its own table {} is not among the fix's `tables`",
            facts.name
        ),
    )
    .note("nothing was changed")
    .help(format!("add {} to `tables`", facts.name))
}

impl Session {
    /// Says why a statement could not be put back by row images, as far as its tables are there.
    ///
    /// # Errors
    /// The server's word.
    pub async fn why_not_undoable(
        &mut self,
        statement: &Statement,
        terms: &Terms,
    ) -> Result<Option<Failure>, Failure> {
        let target = statement.target().filter(|target| !target.where_current_of);
        let facts = match target {
            Some(target) => self.table(&target.table).await?,
            None => None,
        };
        let subject = target
            .zip(facts)
            .map(|(target, facts)| Subject { target, facts });
        if target.is_some() && subject.is_none() {
            // An earlier fix may make the table.
            return Ok(None);
        }
        let (mut tree, mut declared) = (Vec::new(), Vec::new());
        if let Some(subject) = subject.as_ref().filter(|subject| subject.is_tree()) {
            tree = self.declared(&subject.facts.children).await?;
        }
        for name in terms.tables.iter().flatten() {
            declared.extend(self.table_named(name).await?);
        }
        let tables = subject.iter().map(|subject| &subject.facts);
        let hidden = if terms.row_security {
            Ok(())
        } else {
            refuse_hidden(tables.chain(&tree).chain(&declared))
        };
        let images = || match terms.undo {
            Undo::Images => refuse(statement, subject.as_ref(), &tree, &declared),
            Undo::Statements | Undo::Never => Ok(()),
        };
        Ok(hidden.and_then(|()| images()).err())
    }
}
