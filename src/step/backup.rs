//! `backup`: saves rows, tables or the database before something changes them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shape::{Entries, OneOrMany};
use super::text::{Name, Sql, Template};

/// Saves data. Nothing after it runs unless it is complete, verified and on disk. Its result is `.id`,
/// `.path`, `.rows`, `.bytes` and `.sha256`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// The name of the step.
    pub backup: Name,
    /// Rows of tables: each table with the predicate that finds them.
    pub rows: Option<Entries<Sql>>,
    /// Whole tables.
    pub tables: Option<Vec<Template>>,
    /// The whole database: everything, its structure or its data.
    pub database: Option<DatabaseBackup>,
    /// The folder that it goes to; without it the folder of all backups.
    pub to: Option<Template>,
    /// Whom it is encrypted for: public keys of age, `age1…`.
    pub encrypt: Option<OneOrMany<Template>>,
    /// How long backups of this name are kept.
    pub keep: Option<Keep>,
    /// How it is verified.
    #[serde(default)]
    pub verify: Verify,
}

/// What of a database is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseBackup {
    /// Structure and data.
    Full,
    /// The structure alone.
    Schema,
    /// The data alone.
    Data,
}

/// How long backups are kept: what either rule keeps stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// This many of the newest good ones.
    pub last: Option<u32>,
    /// Those younger than this many days.
    pub days: Option<u32>,
}

/// How a backup is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// By reading all of it back and comparing counts and hashes.
    #[default]
    Checksum,
    /// By restoring it into a scratch database and comparing counts and hashes.
    Restore,
}
