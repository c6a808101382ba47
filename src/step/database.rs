//! What a database must have: the key `database` of a check.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::shape::{Entries, OneOrMany};
use super::text::Template;
use crate::base::source::Spanned;

/// What a database must have. What is missing is listed by group, each with its remedy.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// The schema of tables, indexes and functions that are named without one; else the search path finds them.
    pub schema: Option<Template>,
    /// Tables, partitioned ones and foreign ones too.
    pub tables: Vec<Template>,
    /// Columns by table: their names, or their names with their types as PostgreSQL or SQL calls them.
    pub columns: Entries<Columns>,
    /// Constraints by table.
    pub constraints: Entries<OneOrMany<Template>>,
    /// Enabled triggers by table.
    pub triggers: Entries<OneOrMany<Template>>,
    /// Indexes that are valid and ready.
    pub indexes: Vec<Template>,
    /// Functions and procedures, with or without the types of their arguments.
    pub functions: Vec<Template>,
    /// Tables with row-level security enabled.
    pub row_security: Vec<Template>,
    /// Extensions.
    pub extensions: Vec<Template>,
    /// Roles.
    pub roles: Vec<Template>,
    /// Settings and the values that they must have.
    pub settings: Entries<Template>,
    /// Rows by table: for each of these maps of columns and values there must be a row; `null` is NULL.
    pub rows: Entries<Vec<Entries<Option<Template>>>>,
    /// What to do about what is missing, by group: `tables`, `columns` and so on.
    pub otherwise: Entries<Template>,
}

/// What a `database` check looks for, by the key that names it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Tables.
    Tables,
    /// Columns, with their types where they are given.
    Columns,
    /// Constraints.
    Constraints,
    /// Enabled triggers.
    Triggers,
    /// Valid indexes.
    Indexes,
    /// Functions and procedures.
    Functions,
    /// Tables with row-level security enabled.
    RowSecurity,
    /// Extensions.
    Extensions,
    /// Roles.
    Roles,
    /// Settings with their values.
    Settings,
    /// Rows.
    Rows,
}

impl Group {
    /// All of them, in the order in which they are looked at.
    pub const ALL: [Self; 11] = [
        Self::Tables,
        Self::Columns,
        Self::Constraints,
        Self::Triggers,
        Self::Indexes,
        Self::Functions,
        Self::RowSecurity,
        Self::Extensions,
        Self::Roles,
        Self::Settings,
        Self::Rows,
    ];

    /// Returns the key of `database`, and of `.missing`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Tables => "tables",
            Self::Columns => "columns",
            Self::Constraints => "constraints",
            Self::Triggers => "triggers",
            Self::Indexes => "indexes",
            Self::Functions => "functions",
            Self::RowSecurity => "row_security",
            Self::Extensions => "extensions",
            Self::Roles => "roles",
            Self::Settings => "settings",
            Self::Rows => "rows",
        }
    }

    /// Returns what a person calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::RowSecurity => "row security",
            other => other.key(),
        }
    }
}

impl Database {
    /// Returns what is looked for of a group, as it is written, and where.
    pub fn names(&self, group: Group) -> Vec<Spanned<String>> {
        let list = |names: &[Template]| names.iter().map(|name| name.0.clone()).collect();
        let under = |tables: &Entries<OneOrMany<Template>>| -> Vec<Spanned<String>> {
            let each = tables
                .0
                .iter()
                .flat_map(|(table, names)| names.0.iter().map(|name| belonging(table, &name.0)));
            each.collect()
        };
        match group {
            Group::Tables => list(&self.tables),
            Group::Columns => {
                let each = self.columns.0.iter().flat_map(|(table, columns)| {
                    columns
                        .names()
                        .into_iter()
                        .map(|name| belonging(table, name))
                });
                each.collect()
            }
            Group::Constraints => under(&self.constraints),
            Group::Triggers => under(&self.triggers),
            Group::Indexes => list(&self.indexes),
            Group::Functions => list(&self.functions),
            Group::RowSecurity => list(&self.row_security),
            Group::Extensions => list(&self.extensions),
            Group::Roles => list(&self.roles),
            Group::Settings => self
                .settings
                .0
                .iter()
                .map(|(name, _)| name.clone())
                .collect(),
            Group::Rows => {
                let each = self.rows.0.iter().flat_map(|(table, rows)| {
                    rows.iter()
                        .map(|row| table.clone().map(|table| row_text(&table, row)))
                });
                each.collect()
            }
        }
    }

    /// Returns all its texts in which templates may stand, names that are keys too.
    pub fn texts(&self) -> Vec<Template> {
        let mut texts: Vec<Template> = self.schema.iter().cloned().collect();
        let lists = [
            &self.tables,
            &self.indexes,
            &self.functions,
            &self.row_security,
            &self.extensions,
            &self.roles,
        ];
        texts.extend(lists.into_iter().flatten().cloned());
        for (table, columns) in &self.columns.0 {
            texts.push(Template(table.clone()));
            match columns {
                Columns::Names(names) => texts.extend(names.iter().cloned()),
                Columns::Types(types) => {
                    for (name, kind) in &types.0 {
                        texts.extend([Template(name.clone()), kind.clone()]);
                    }
                }
            }
        }
        for (table, names) in self.constraints.0.iter().chain(&self.triggers.0) {
            texts.push(Template(table.clone()));
            texts.extend(names.0.iter().cloned());
        }
        for (name, value) in &self.settings.0 {
            texts.extend([Template(name.clone()), value.clone()]);
        }
        for (table, rows) in &self.rows.0 {
            texts.push(Template(table.clone()));
            for (column, value) in rows.iter().flat_map(|row| &row.0) {
                texts.push(Template(column.clone()));
                texts.extend(value.iter().cloned());
            }
        }
        texts
    }
}

/// The columns that a table must have.
#[derive(Clone, Debug, PartialEq)]
pub enum Columns {
    /// Their names.
    Names(Vec<Template>),
    /// Their names with their types.
    Types(Entries<Template>),
}

impl Columns {
    fn names(&self) -> Vec<&Spanned<String>> {
        match self {
            Self::Names(names) => names.iter().map(|name| &name.0).collect(),
            Self::Types(types) => types.0.iter().map(|(name, _)| name).collect(),
        }
    }
}

fn belonging(table: &Spanned<String>, name: &Spanned<String>) -> Spanned<String> {
    Spanned::new(format!("{}.{}", table.value, name.value), name.span)
}

fn row_text(table: &str, row: &Entries<Option<Template>>) -> String {
    let pairs: Vec<String> = row
        .0
        .iter()
        .map(|(column, value)| match value {
            Some(value) => format!("{} = {}", column.value, value.text()),
            None => format!("{} is null", column.value),
        })
        .collect();
    if pairs.is_empty() {
        return format!("{table}: any row");
    }
    format!("{table}: {}", pairs.join(", "))
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ColumnsVisitor;

        impl<'de> Visitor<'de> for ColumnsVisitor {
            type Value = Columns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of columns, or a map of columns and their types")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Columns, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Columns::Names)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Columns, A::Error> {
                Entries::deserialize(MapAccessDeserializer::new(map)).map(Columns::Types)
            }
        }

        deserializer.deserialize_any(ColumnsVisitor)
    }
}

impl JsonSchema for Columns {
    fn schema_name() -> Cow<'static, str> {
        "Columns".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let names = generator.subschema_for::<Vec<Template>>();
        let types = generator.subschema_for::<Entries<Template>>();
        json_schema!({
            "description": "Columns that a table must have: their names, or their names with their types.",
            "anyOf": [names, types]
        })
    }
}
