//! What a run was given, and what resuming it needs: `run.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::RecordError;
use crate::engine::event::TargetFacts;

/// What a run was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The version of the record's format: [`Facts::FORMAT`].
    pub format: u32,
    /// The version of the program that began it.
    pub program: String,
    /// The run's id.
    pub run: String,
    /// The runbook's name.
    pub runbook: String,
    /// The texts that it is made of: its own first, then those that it uses.
    pub texts: Vec<Text>,
    /// The values of its parameters, without those that are secret.
    pub params: BTreeMap<String, serde_json::Value>,
    /// The names of the secret parameters that had a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Whether everything is rolled back at the end.
    pub dry_run: bool,
    /// Where the journal and the row images are kept.
    pub journal: Place,
    /// The database that it runs on.
    pub target: TargetFacts,
    /// Who began it.
    pub actor: String,
    /// When the last run of the runbook on this database began that came to its end, where it asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// What only this record knows: by it a digest of the parameters tells nobody else what they are.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub salt: String,
    /// The run that this one puts back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_of: Option<String>,
}

/// A text that a runbook is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// Where it is from: mostly a path.
    pub path: String,
    /// SHA-256 of it.
    pub hash: String,
    /// The text.
    pub text: String,
}

/// Where the journal and the row images of a run are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the database's schema `runbook`.
    #[default]
    Database,
    /// Beside the run's record.
    Local,
}

/// All of a `run.json` that every version can read.
#[derive(Deserialize)]
struct Head {
    format: u32,
    #[serde(default)]
    program: String,
}

impl Facts {
    /// The version of the record's format that this program writes.
    pub const FORMAT: u32 = 1;

    /// The version of this program.
    pub const PROGRAM: &'static str = env!("CARGO_PKG_VERSION");

    /// Reads a `run.json`, which lies at `path`.
    pub(super) fn parse(run: &str, path: &Path, bytes: &[u8]) -> Result<Self, RecordError> {
        let damaged = |error: &serde_json::Error| RecordError::Damaged {
            run: run.to_owned(),
            path: path.to_owned(),
            line: error.line().max(1),
            what: "it is not what runbook writes there".to_owned(),
        };
        let head: Head = serde_json::from_slice(bytes).map_err(|error| damaged(&error))?;
        if head.format > Self::FORMAT {
            return Err(RecordError::Newer {
                run: run.to_owned(),
                program: head.program,
            });
        }
        serde_json::from_slice(bytes).map_err(|error| damaged(&error))
    }

    /// Returns the text of `run.json`.
    pub(super) fn bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
