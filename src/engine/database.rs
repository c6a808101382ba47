//! What a database must have, with all texts filled, and what was found of it.

use crate::step::database::Group;

/// A table, and what it must have.
pub type OfTable<T> = (String, Vec<T>);

/// A column, and its type where one is wanted.
pub type WantedColumn = (String, Option<String>);

/// A row: columns and their values; none for NULL.
pub type WantedRow = Vec<(String, Option<String>)>;

/// What a database must have. Names are written as in SQL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The schema of what is named without one.
    pub schema: Option<String>,
    /// Tables.
    pub tables: Vec<String>,
    /// Columns by table, some with their types.
    pub columns: Vec<OfTable<WantedColumn>>,
    /// Constraints by table.
    pub constraints: Vec<OfTable<String>>,
    /// Triggers by table.
    pub triggers: Vec<OfTable<String>>,
    /// Indexes.
    pub indexes: Vec<String>,
    /// Functions, some with the types of their arguments.
    pub functions: Vec<String>,
    /// Tables with row-level security.
    pub row_security: Vec<String>,
    /// Extensions.
    pub extensions: Vec<String>,
    /// Roles.
    pub roles: Vec<String>,
    /// Settings and their values.
    pub settings: Vec<(String, String)>,
    /// Rows by table.
    pub rows: Vec<OfTable<WantedRow>>,
}

impl Wanted {
    /// Returns the name of each thing of a group, in order: `table.column` of a column, `table: column = value`
    /// of a row.
    pub fn names(&self, group: Group) -> Vec<String> {
        let under = |tables: &[OfTable<String>]| -> Vec<String> {
            let each = tables
                .iter()
                .flat_map(|(table, names)| names.iter().map(move |name| format!("{table}.{name}")));
            each.collect()
        };
        match group {
            Group::Tables => self.tables.clone(),
            Group::Columns => {
                let each = self.columns.iter().flat_map(|(table, columns)| {
                    columns
                        .iter()
                        .map(move |(name, _)| format!("{table}.{name}"))
                });
                each.collect()
            }
            Group::Constraints => under(&self.constraints),
            Group::Triggers => under(&self.triggers),
            Group::Indexes => self.indexes.clone(),
            Group::Functions => self.functions.clone(),
            Group::RowSecurity => self.row_security.clone(),
            Group::Extensions => self.extensions.clone(),
            Group::Roles => self.roles.clone(),
            Group::Settings => self.settings.iter().map(|(name, _)| name.clone()).collect(),
            Group::Rows => {
                let each = self
                    .rows
                    .iter()
                    .flat_map(|(table, rows)| rows.iter().map(move |row| row_name(table, row)));
                each.collect()
            }
        }
    }
}

/// Returns the name of a row: `table: column = value, …`.
pub fn row_name(table: &str, row: &WantedRow) -> String {
    let pairs: Vec<String> = row
        .iter()
        .map(|(column, value)| match value {
            Some(value) => format!("{column} = {value}"),
            None => format!("{column} is null"),
        })
        .collect();
    if pairs.is_empty() {
        return format!("{table}: any row");
    }
    format!("{table}: {}", pairs.join(", "))
}

/// What was found of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub group: Group,
    /// Its name, by [`Wanted::names`].
    pub name: String,
    /// Whether it is there.
    pub standing: Standing,
}

/// Whether something is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As it must be.
    There,
    /// It is not; why, where there is more to say.
    Missing(Option<String>),
    /// It is there, but is another: what it is.
    Other(String),
    /// It could not be looked at: why.
    Unseen(String),
}

impl Standing {
    /// Returns that something is missing, with why.
    pub fn missing(why: impl Into<String>) -> Self {
        Self::Missing(Some(why.into()))
    }
}
