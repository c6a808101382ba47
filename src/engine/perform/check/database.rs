//! What a check wants of a database: its texts are filled, the world is asked, each answer becomes an assertion.

use super::super::super::database::{Found, OfTable, Standing, Wanted, WantedColumn, WantedRow};
use super::super::super::event::Assertion;
use super::super::super::failure::Failure;
use super::super::super::port::World;
use super::super::{Stage, template};
use crate::base::source::Spanned;
use crate::runbook::context::Context;
use crate::step::database::{Columns, Database};
use crate::step::shape::{Entries, OneOrMany};
use crate::step::text::Template;

/// Looks for what a database must have.
pub(super) async fn look<W: World>(
    stage: &mut Stage<'_, W>,
    database: &Database,
    context: &Context,
) -> Result<Vec<Assertion>, Failure> {
    let fill = Fill { context };
    let wanted = fill.wanted(database)?;
    let found = stage.world.audit(&wanted, &stage.limits).await?;
    found
        .into_iter()
        .map(|found| {
            let remedy = database
                .otherwise
                .0
                .iter()
                .find(|(group, _)| group.value == found.group.key())
                .filter(|_| found.standing != Standing::There);
            let remedy = remedy.map(|(_, text)| fill.text(text)).transpose()?;
            Ok(assertion(found, remedy))
        })
        .collect()
}

fn assertion(found: Found, remedy: Option<String>) -> Assertion {
    let mut item = Assertion::new(found.name, found.standing == Standing::There, remedy);
    item.group = Some(found.group);
    match found.standing {
        Standing::There => {}
        Standing::Missing(why) => item.why = why,
        Standing::Other(what) => item.found = Some(what),
        Standing::Unseen(why) => {
            item.seen = false;
            item.why = Some(why);
        }
    }
    item
}

struct Fill<'a> {
    context: &'a Context,
}

impl Fill<'_> {
    fn text(&self, text: &Template) -> Result<String, Failure> {
        self.context.render(text.text()).map_err(template)
    }

    fn key(&self, key: &Spanned<String>) -> Result<String, Failure> {
        self.context.render(&key.value).map_err(template)
    }

    fn list(&self, texts: &[Template]) -> Result<Vec<String>, Failure> {
        texts.iter().map(|text| self.text(text)).collect()
    }

    fn wanted(&self, database: &Database) -> Result<Wanted, Failure> {
        Ok(Wanted {
            schema: database
                .schema
                .as_ref()
                .map(|text| self.text(text))
                .transpose()?,
            tables: self.list(&database.tables)?,
            columns: self.columns(&database.columns)?,
            constraints: self.under(&database.constraints)?,
            triggers: self.under(&database.triggers)?,
            indexes: self.list(&database.indexes)?,
            functions: self.list(&database.functions)?,
            row_security: self.list(&database.row_security)?,
            extensions: self.list(&database.extensions)?,
            roles: self.list(&database.roles)?,
            settings: self.pairs(&database.settings)?,
            rows: self.rows(&database.rows)?,
        })
    }

    fn pairs(&self, entries: &Entries<Template>) -> Result<Vec<(String, String)>, Failure> {
        let pair = |(key, value): &(_, _)| Ok((self.key(key)?, self.text(value)?));
        entries.0.iter().map(pair).collect()
    }

    fn columns(&self, tables: &Entries<Columns>) -> Result<Vec<OfTable<WantedColumn>>, Failure> {
        let one = |(table, columns): &(Spanned<String>, Columns)| {
            let columns = match columns {
                Columns::Names(names) => {
                    let names = self.list(names)?.into_iter();
                    names.map(|name| (name, None)).collect()
                }
                Columns::Types(types) => {
                    let types = self.pairs(types)?.into_iter();
                    types.map(|(name, kind)| (name, Some(kind))).collect()
                }
            };
            Ok((self.key(table)?, columns))
        };
        tables.0.iter().map(one).collect()
    }

    fn under(
        &self,
        tables: &Entries<OneOrMany<Template>>,
    ) -> Result<Vec<OfTable<String>>, Failure> {
        let one = |(table, names): &(_, OneOrMany<Template>)| {
            Ok((self.key(table)?, self.list(&names.0)?))
        };
        tables.0.iter().map(one).collect()
    }

    fn rows(
        &self,
        tables: &Entries<Vec<Entries<Option<Template>>>>,
    ) -> Result<Vec<OfTable<WantedRow>>, Failure> {
        let value = |(column, value): &(_, Option<Template>)| {
            let value = value.as_ref().map(|text| self.text(text)).transpose()?;
            Ok((self.key(column)?, value))
        };
        let row = |row: &Entries<Option<Template>>| row.0.iter().map(value).collect();
        let table = |(table, rows): &(Spanned<String>, Vec<_>)| {
            let rows: Result<Vec<_>, Failure> = rows.iter().map(row).collect();
            Ok((self.key(table)?, rows?))
        };
        tables.0.iter().map(table).collect()
    }
}
